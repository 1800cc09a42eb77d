# Members become maps with uncertainty, and budgets.
rule write_map:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
        calibration=f"{RUN}/evaluation/calibration.json",
        applicability=f"{RUN}/maps/applicability.nc",
    output:
        map=f"{RUN}/maps/{{flux}}_{{label}}.nc",
    log:
        f"{RUN}/logs/write_map/{{flux}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_map/{{flux}}_{{label}}.tsv"
    conda:
        ENV
    resources:
        **needs("write_map"),
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", *FORMAT),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        virtual=VIRTUAL,
        code=code("tamrl.maps.stage", f"{registry.PRODUCTS}.ensemble"),
    script:
        "../scripts/write_map.py"


rule write_members:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
    output:
        members=f"{RUN}/maps/members/{{flux}}_{{label}}.nc",
    log:
        f"{RUN}/logs/write_members/{{flux}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_members/{{flux}}_{{label}}.tsv"
    conda:
        ENV
    resources:
        **needs("write_members"),
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", *FORMAT),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        virtual=VIRTUAL,
        code=code("tamrl.maps.stage", f"{registry.PRODUCTS}.members"),
    script:
        "../scripts/write_members.py"


# Further products: the files of tamrl/maps/products that `maps.products` names.
rule write_product:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
        calibration=f"{RUN}/evaluation/calibration.json",
        applicability=f"{RUN}/maps/applicability.nc",
    output:
        map=f"{RUN}/maps/{{product}}/{{flux}}_{{label}}.nc",
    log:
        f"{RUN}/logs/write_product/{{product}}_{{flux}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_product/{{product}}_{{flux}}_{{label}}.tsv"
    wildcard_constraints:
        product="|".join(MAIN.maps.products) or "(?!)",
    conda:
        ENV
    resources:
        **needs("write_map"),
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", *FORMAT),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        virtual=VIRTUAL,
        code=lambda w: made_by("tamrl.maps.stage", f"{registry.PRODUCTS}.{w.product}"),
    script:
        "../scripts/write_product.py"


# Means over calendar months, years and eight days, all fluxes at once.
rule write_periods:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
    output:
        maps=[f"{RUN}/maps/{{period}}/{flux}_{{label}}.nc" for flux in ("gpp", "reco", "nee")],
    log:
        f"{RUN}/logs/write_periods/{{period}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_periods/{{period}}_{{label}}.tsv"
    wildcard_constraints:
        period="monthly|annual|8day",
    conda:
        ENV
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", *FORMAT),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        virtual=VIRTUAL,
        code=code("tamrl.maps.means.stage"),
    script:
        "../scripts/write_periods.py"


# The mean seasonal cycle of the mapped years, and how it varies between them.
rule write_seasonal:
    input:
        manifests=lambda w: predictions(w, ".json"),
        cube=rules.build_cube.output.cube,
    output:
        maps=[f"{RUN}/maps/seasonal/{flux}_{{span}}.nc" for flux in ("gpp", "reco", "nee")],
    log:
        f"{RUN}/logs/write_seasonal/{{span}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_seasonal/{{span}}.tsv"
    conda:
        ENV
    params:
        stores=lambda w: predictions(w, ".zarr"),
        labels=MAIN.time.labels,
        maps=section("maps", *FORMAT),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        virtual=VIRTUAL,
        code=code("tamrl.maps.means.stage"),
    script:
        "../scripts/write_seasonal.py"


# The same in the forms that GIS and clouds like best.
rule write_exports:
    input:
        maps=[f"{RUN}/maps/{flux}_{{label}}.nc" for flux in ("gpp", "reco", "nee")],
        monthly=lambda w: [
            f"results/{w.run}/maps/{'' if MAIN.time.step == 'month' else 'monthly/'}{flux}_{w.label}.nc"
            for flux in ("gpp", "reco", "nee")
        ],
    output:
        folder=directory(f"{RUN}/maps/exports/{{label}}"),
    log:
        f"{RUN}/logs/write_exports/{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_exports/{{label}}.tsv"
    conda:
        ENV
    params:
        exports=lambda w: list(CONFIGS[w.run].maps.exports),
        run=lambda w: w.run,
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/write_exports.py"


rule sum_budgets:
    input:
        manifests=lambda w: predictions(w, ".json"),
        cube=rules.build_cube.output.cube,
    output:
        budgets=f"{RUN}/budgets.csv",
        members=f"{RUN}/budget_members.csv",
        trends=f"{RUN}/budget_trends.csv",
    log:
        f"{RUN}/logs/sum_budgets.log",
    benchmark:
        f"{RUN}/benchmarks/sum_budgets.tsv"
    conda:
        ENV
    resources:
        **needs("sum_budgets"),
    params:
        stores=lambda w: predictions(w, ".zarr"),
        labels=MAIN.time.labels,
        maps=section("maps", "vegetated_only"),
        virtual=VIRTUAL,
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/sum_budgets.py"

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
        maps=section("maps", "units", "vegetated_only", "compression"),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
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
        maps=section("maps", "units", "vegetated_only", "compression"),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
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
        maps=section("maps", "units", "vegetated_only", "compression"),
        run=lambda w: w.run,
        config_digest=lambda w: configuration.digest(CONFIGS[w.run]),
        code=lambda w: code("tamrl.maps.stage", f"{registry.PRODUCTS}.{w.product}"),
    script:
        "../scripts/write_product.py"


rule sum_budgets:
    input:
        manifests=lambda w: predictions(w, ".json"),
        cube=rules.build_cube.output.cube,
    output:
        budgets=f"{RUN}/budgets.csv",
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
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/sum_budgets.py"

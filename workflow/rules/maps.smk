# Members become maps with uncertainty, and budgets.
rule write_map:
    input:
        manifest=ANY(File.MANIFEST),
        cube=THIS(File.CUBE),
        calibration=ANY(File.CALIBRATION),
        applicability=ANY(File.APPLICABILITY),
    output:
        file=ANY(File.MAP),
    log:
        ANY.log("write_map", "{flux}_{label}"),
    benchmark:
        ANY.benchmark("write_map", "{flux}_{label}")
    conda:
        ENV
    resources:
        **needs("write_map"),
    params:
        stage="tamrl.maps.stage.write_product",
        product="ensemble",
        format=section("maps", MapFormat),
        identity=of_run(PLAN.identity),
        code=code("tamrl.maps.stage", f"{registry.PRODUCTS}.ensemble"),
    script:
        "../scripts/run_stage.py"


use rule write_map as write_members with:  # The single members of the ensemble.
    input:
        manifest=ANY(File.MANIFEST),
        cube=THIS(File.CUBE),
    output:
        file=ANY(File.MEMBERS),
    log:
        ANY.log("write_members", "{flux}_{label}"),
    benchmark:
        ANY.benchmark("write_members", "{flux}_{label}")
    resources:
        **needs("write_members"),
    params:
        product="members",
        code=code("tamrl.maps.stage", f"{registry.PRODUCTS}.members"),


use rule write_map as write_product with:  # Further products: the files of tamrl/maps/products that `maps.products` names.
    output:
        file=ANY(File.PRODUCT),
    log:
        ANY.log("write_product", "{product}_{flux}_{label}"),
    benchmark:
        ANY.benchmark("write_product", "{product}_{flux}_{label}")
    wildcard_constraints:
        product="|".join(MAIN.maps.products) or "(?!)",
    params:
        product=lambda w: w.product,
        code=lambda w: made_by("tamrl.maps.stage", f"{registry.PRODUCTS}.{w.product}"),


# Means over calendar months, years and eight days, all fluxes at once.
rule write_periods:
    input:
        manifest=ANY(File.MANIFEST),
        cube=THIS(File.CUBE),
        calibration=ANY(File.CALIBRATION),
        applicability=ANY(File.APPLICABILITY),
    output:
        maps=[ANY(File.PERIOD, flux=flux) for flux in FLUXES],
    log:
        ANY.log("write_periods", "{period}_{label}"),
    benchmark:
        ANY.benchmark("write_periods", "{period}_{label}")
    wildcard_constraints:
        period="monthly|annual|8day",
    conda:
        ENV
    params:
        stage="tamrl.maps.means.stage.write_periods",
        format=section("maps", MapFormat),
        identity=of_run(PLAN.identity),
        code=code("tamrl.maps.means.stage"),
    script:
        "../scripts/run_stage.py"


# The mean seasonal cycle of the mapped years, and how it varies between them.
rule write_seasonal:
    input:
        manifests=lambda w: PLAN.manifests(w.run),
        cube=THIS(File.CUBE),
        calibration=ANY(File.CALIBRATION),
        applicability=ANY(File.APPLICABILITY),
    output:
        maps=[ANY(File.SEASONAL, flux=flux) for flux in FLUXES],
    log:
        ANY.log("write_seasonal", "{span}"),
    benchmark:
        ANY.benchmark("write_seasonal", "{span}")
    conda:
        ENV
    params:
        stage="tamrl.maps.means.stage.write_seasonal",
        labels=list(MAIN.time.labels),
        format=section("maps", MapFormat),
        identity=of_run(PLAN.identity),
        code=code("tamrl.maps.means.stage"),
    script:
        "../scripts/run_stage.py"


# Maps in the formats of GIS and object stores.
rule write_exports:
    input:
        maps=[ANY(File.MAP, flux=flux) for flux in FLUXES],
        monthly=[
            ANY(File.MAP, flux=flux) if MAIN.time.step == "month" else ANY(File.PERIOD, period="monthly", flux=flux)
            for flux in FLUXES
        ],
    output:
        folder=directory(ANY(File.EXPORTS)),
    log:
        ANY.log("write_exports", "{label}"),
    benchmark:
        ANY.benchmark("write_exports", "{label}")
    conda:
        ENV
    params:
        stage="tamrl.maps.exports.write_exports",
        exports=lambda w: list(CONFIGS[w.run].maps.exports),
        code=code("tamrl.maps.exports"),
    script:
        "../scripts/run_stage.py"


# Totals of one year of several; with one label `sum_budgets` reads the predictions.
rule sum_year:
    input:
        manifest=lambda w: PLAN.manifest(w.run, w.label),
        cube=THIS(File.CUBE),
        calibration=THIS(File.CALIBRATION),
    output:
        tables=directory(ANY(File.BUDGET_YEAR)),
    log:
        ANY.log("sum_year", "{label}"),
    benchmark:
        ANY.benchmark("sum_year", "{label}")
    conda:
        ENV
    resources:
        **needs("sum_year"),
    params:
        stage="tamrl.maps.budgets.stage.sum_year",
        label=lambda w: w.label,
        vegetated_only=key("maps", "vegetated_only"),
        code=code("tamrl.maps.budgets.stage"),
    script:
        "../scripts/run_stage.py"


# Totals of the globe, of regions and of months, from one pass over the predictions.
rule sum_budgets:
    input:
        manifests=lambda w: PLAN.manifests(w.run),
        years=lambda w: PLAN.year_budgets(w.run),
        cube=THIS(File.CUBE),
        calibration=THIS(File.CALIBRATION),  # a choice is not evaluated
    output:
        budgets=ANY(File.BUDGETS),
        members=ANY(File.BUDGET_MEMBERS),
        trends=ANY(File.BUDGET_TRENDS),
        regions=ANY(File.REGIONS),
    log:
        ANY.log("sum_budgets"),
    benchmark:
        ANY.benchmark("sum_budgets")
    conda:
        ENV
    resources:
        **needs("sum_budgets"),
    params:
        stage="tamrl.maps.budgets.stage.sum_budgets",
        labels=list(MAIN.time.labels),
        vegetated_only=key("maps", "vegetated_only"),
        virtual=VIRTUAL,
        code=code("tamrl.maps.budgets.stage"),
    script:
        "../scripts/run_stage.py"

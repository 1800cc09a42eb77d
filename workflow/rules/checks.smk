# Tests of the finished products: seals, coordinates, units, the carbon balance, and budgets against maps.
rule check_products:
    input:
        **PLAN.balanced(),
        **({"budgets": THIS(File.BUDGETS)} if GRIDDED else {}),
        further=[*PLAN.further_products(), *([THIS(File.APPLICABILITY)] if GRIDDED else [])],
        tables=[
            THIS(File.TOWERS),
            THIS(File.SITE_METRICS),
            THIS(File.CEILINGS),
            THIS(File.SHARES),
            THIS(File.SCORES),
            THIS(File.COMPARISONS),
            THIS(File.RELIABILITY),
            THIS(File.DISSIMILARITY),
        ],
    output:
        report=THIS(File.CHECKS),
    log:
        THIS.log("check_products"),
    benchmark:
        THIS.benchmark("check_products")
    conda:
        ENV
    resources:
        **needs("record_provenance"),
    params:
        stage="tamrl.product_checks.check_products",
        labels=list(MAIN.time.labels),
        virtual=VIRTUAL,
        code=code("tamrl.product_checks"),
    script:
        "../scripts/run_stage.py"

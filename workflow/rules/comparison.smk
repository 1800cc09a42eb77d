# Comparison with products of others, where `comparison` names files of such.


# Scores, seasonal cycles, totals and maps of the run beside a gridded product.
rule compare_product:
    input:
        lambda w: nameable(PLAN.compared_files(w.compared)),
        maps=PLAN.compared_maps(),
        cube=THIS(File.CUBE) if GRIDDED else [],
    output:
        scores=THIS(File.COMPARED_SCORES),
        cycles=THIS(File.COMPARED_CYCLES),
        totals=THIS(File.COMPARED_TOTALS),
        fields=THIS(File.COMPARED_MAPS),
    log:
        THIS.log("compare_product", "{compared}"),
    benchmark:
        THIS.benchmark("compare_product", "{compared}")
    wildcard_constraints:
        compared="|".join(PLAN.compared_products(gridded=True)) or "(?!)",
    conda:
        ENV
    resources:
        **needs("sum_year", jobs=len(MAIN.time.labels)),
    params:
        stage="tamrl.reference.stage.compare_product",
        paths=lambda w: PLAN.compared_files(w.compared),
        plugin=lambda w: MAIN.comparison.plugin(w.compared),
        folder=BASE,
        labels=list(MAIN.time.labels),
        virtual=VIRTUAL,
        stamps=stamps(lambda w: PLAN.compared_files(w.compared)),
        code=lambda w: made_by("tamrl.reference.stage", f"{registry.COMPARED}.{MAIN.comparison.plugin(w.compared)}"),
    script:
        "../scripts/run_stage.py"


# Totals of the run beside a published table of totals.
rule compare_budget:
    input:
        lambda w: nameable(PLAN.compared_files(w.compared)),
        maps=PLAN.compared_maps(),
    output:
        totals=THIS(File.COMPARED_TOTALS),
    log:
        THIS.log("compare_budget", "{compared}"),
    benchmark:
        THIS.benchmark("compare_budget", "{compared}")
    wildcard_constraints:
        compared="|".join(PLAN.compared_products(gridded=False)) or "(?!)",
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.reference.stage.compare_totals_table",
        paths=lambda w: PLAN.compared_files(w.compared),
        plugin=lambda w: MAIN.comparison.plugin(w.compared),
        folder=BASE,
        virtual=VIRTUAL,
        stamps=stamps(lambda w: PLAN.compared_files(w.compared)),
        code=lambda w: made_by("tamrl.reference.stage", f"{registry.COMPARED}.{MAIN.comparison.plugin(w.compared)}"),
    script:
        "../scripts/run_stage.py"

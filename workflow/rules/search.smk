# A search of settings, the same for every model. `search` in the configuration asks for it.
SEARCH_FILES = [THIS(file) for file in (File.SEARCH, File.SEARCHED, File.SEARCH_PAGE, File.SEARCH_FIGURE)]


# Scores of all settings at held-out towers, and the best of each model as a configuration.
rule choose_settings:
    input:
        members=PLAN.setting_predictions(),
        splits=THIS(File.SPLITS),
    output:
        table=THIS(File.SEARCH),
        chosen=THIS(File.SEARCHED),
    log:
        THIS.log("choose_settings"),
    benchmark:
        THIS.benchmark("choose_settings")
    conda:
        ENV
    resources:
        **needs("evaluate_models"),
    params:
        stage="tamrl.evaluation.search.choose_settings",
        settings=PLAN.settings,
        search=section("search", SearchBudget),
        folder=BASE,
        qc=MAIN.evaluation.qc,
        seed=MAIN.seed,
        virtual=VIRTUAL,
        code=code("tamrl.evaluation.search"),
    script:
        "../scripts/run_stage.py"


# Page and figure of all settings.
rule write_search:
    input:
        table=THIS(File.SEARCH),
    output:
        page=THIS(File.SEARCH_PAGE),
        figure=report(THIS(File.SEARCH_FIGURE), caption="../report/figures.rst", category="Figures"),
    log:
        THIS.log("write_search"),
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.report.search.write_search",
        search=section("search", SearchBudget),
        description=PLAN.description,
        seed=MAIN.seed,
        code=code("tamrl.report.search"),
    script:
        "../scripts/run_stage.py"

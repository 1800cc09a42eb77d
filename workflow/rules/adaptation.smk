# Few-shot: models adapted to held-out towers with a few months of their fluxes. `adaptation: {}` asks for it.
ADAPTATION_FILES = [THIS(file) for file in (File.ADAPTATION, File.ADAPTATION_PAGE, File.ADAPTATION_FIGURE)]


# Scores and predictions of a model that is adapted to held-out towers.
rule adapt_towers:
    input:
        samples=of_run(PLAN.training_samples),
        splits=ANY(File.SPLITS),
        models=lambda w: PLAN.fold_models(w.run, w.model),
    output:
        scores=ANY(File.ADAPTED_SCORES),
        predictions=ANY(File.ADAPTED_PREDICTIONS),
    log:
        ANY.log("adapt_towers", "{model}"),
    benchmark:
        ANY.benchmark("adapt_towers", "{model}")
    conda:
        ENV
    resources:
        **needs("train_model"),
    params:
        stage="tamrl.adaptation.stage.adapt_towers",
        adaptation=section("adaptation"),
        qc=key("evaluation", "qc"),
        spinup=key("training", "spinup"),
        virtual=VIRTUAL,
        code=model_code("tamrl.adaptation.stage"),
    script:
        "../scripts/run_stage.py"


# Table, page and figure of the adapted models' scores.
rule write_adaptation:
    input:
        scores=expand(THIS(File.ADAPTED_SCORES), model=MAIN.adaptation.models if MAIN.adaptation else []),
        splits=THIS(File.SPLITS),
    output:
        table=THIS(File.ADAPTATION),
        page=THIS(File.ADAPTATION_PAGE),
        figure=report(THIS(File.ADAPTATION_FIGURE), caption="../report/figures.rst", category="Figures"),
    log:
        THIS.log("write_adaptation"),
    benchmark:
        THIS.benchmark("write_adaptation")
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.report.adaptation.write_adaptation",
        adaptation=section("adaptation"),
        description=PLAN.description,
        seed=MAIN.seed,
        members=MAIN.training.members,
        code=code("tamrl.report.adaptation"),
    script:
        "../scripts/run_stage.py"

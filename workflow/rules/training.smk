# One job per model, fold and member. Fold `all` trains on every tower and makes the maps.
rule train_model:
    input:
        samples=of_run(PLAN.training_samples),
        further=of_run(PLAN.further_samples),
        splits=ANY(File.SPLITS),
        sums=lambda w: PLAN.training_sums(w.run, w.model),
        alternatives=lambda w: [RunLayout(w.run)(File.ALTERNATIVES)] if CONFIGS[w.run].towers.alternatives else [],
    output:
        folder=directory(ANY(File.MODEL)),
    log:
        ANY.log("train_model", "{model}-{fold}-{member}"),
    benchmark:
        ANY.benchmark("train_model", "{model}-{fold}-{member}")
    conda:
        ENV
    threads: 1
    resources:
        **needs("train_model"),
    params:
        stage="tamrl.training.stage.train_model",
        features=lambda w: PLAN.features(w.run, filled=True),
        training=section("training", Optimisation),
        options=lambda w: CONFIGS[w.run].training.options(w.model),
        step=MAIN.time.step,
        seed=MAIN.seed,
        plugin=lambda w: CONFIGS[w.run].training.plugin(w.model),
        code=model_code("tamrl.training.stage"),
    script:
        "../scripts/run_stage.py"

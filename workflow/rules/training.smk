# One job per model, fold and member. Fold `all` trains on every tower and makes the maps.
rule train_model:
    input:
        samples=lambda w: f"{RUN}/samples/{CONFIGS[w.run].samples.drivers}.nc",
        splits=f"{RUN}/samples/splits.csv",
    output:
        model=directory(f"{RUN}/models/{{model}}/fold-{{fold}}/member-{{member}}"),
    log:
        f"{RUN}/logs/train_model/{{model}}-{{fold}}-{{member}}.log",
    benchmark:
        f"{RUN}/benchmarks/train_model/{{model}}-{{fold}}-{{member}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        **needs("train_model"),
    params:
        features=lambda w: features(w) | section("samples", "filled")(w),
        training=section(
            "training",
            "sequence",
            "spinup",
            "batch",
            "steps",
            "learning_rate",
            "weight_decay",
            "validation",
            "class_weights",
            "input_noise",
            "forgiven",
            "device",
            "precision",
        ),
        options=options("training"),
        step=MAIN.time.step,
        seed=MAIN.seed,
        plugin=plugin,
        code=model_code("tamrl.training.stage"),
    script:
        "../scripts/train_model.py"

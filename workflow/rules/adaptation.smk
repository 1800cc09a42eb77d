# Few-shot: models adapted to held-out towers with a few months of their fluxes. `adaptation: {}` asks for it.
rule adapt_towers:
    input:
        samples=lambda w: f"{RUN}/samples/{CONFIGS[w.run].samples.drivers}.nc",
        splits=f"{RUN}/samples/splits.csv",
        models=fold_models,
    output:
        scores=f"{RUN}/adaptation/{{model}}.csv",
        predictions=f"{RUN}/adaptation/{{model}}.parquet",
    log:
        f"{RUN}/logs/adapt_towers/{{model}}.log",
    benchmark:
        f"{RUN}/benchmarks/adapt_towers/{{model}}.tsv"
    conda:
        ENV
    resources:
        **needs("train_model"),
    params:
        adaptation=section("adaptation"),
        qc=lambda w: CONFIGS[w.run].evaluation.qc,
        spinup=lambda w: CONFIGS[w.run].training.spinup,
        virtual=VIRTUAL,
        code=model_code("tamrl.adaptation.stage"),
    script:
        "../scripts/adapt_towers.py"


rule write_adaptation:
    input:
        scores=expand(f"{BASE}/adaptation/{{model}}.csv", model=MAIN.adaptation.models if MAIN.adaptation else []),
    output:
        table=f"{BASE}/adaptation/adaptation.csv",
        page=f"{BASE}/adaptation/adaptation.md",
        picture=report(f"{BASE}/adaptation/adaptation.png", caption="../report/figures.rst", category="Figures"),
    log:
        f"{BASE}/logs/write_adaptation.log",
    benchmark:
        f"{BASE}/benchmarks/write_adaptation.tsv"
    conda:
        ENV
    params:
        config=PLAIN,
        config_digest=configuration.digest(MAIN),
        code=code("tamrl.evaluation.adaptation"),
    script:
        "../scripts/write_adaptation.py"

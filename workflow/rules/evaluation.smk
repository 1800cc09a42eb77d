# Scores at held-out towers, the report, and the record of how a run came about.
rule evaluate_models:
    input:
        members=lambda w: expand(
            f"{RUN}/evaluation/members/{{model}}-{{drivers}}.parquet",
            run=w.run,
            model=CONFIGS[w.run].training.models,
            drivers=CONFIGS[w.run].evaluation.drivers,
        ),
        towers=f"{RUN}/towers/towers.csv",
        samples=f"{RUN}/samples/grid.nc",
    output:
        predictions=f"{RUN}/evaluation/predictions.parquet",
        metrics=f"{RUN}/evaluation/site_metrics.csv",
        calibration=f"{RUN}/evaluation/calibration.json",
        scores=f"{RUN}/evaluation/scores.csv",
        comparisons=f"{RUN}/evaluation/comparisons.csv",
        reliability=f"{RUN}/evaluation/reliability.csv",
    log:
        f"{RUN}/logs/evaluate_models.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate_models.tsv"
    conda:
        ENV
    resources:
        **needs("evaluate_models"),
    params:
        scheme=lambda w: CONFIGS[w.run].splits.scheme,
        qc=lambda w: CONFIGS[w.run].evaluation.qc,
        map_model=lambda w: CONFIGS[w.run].inference.model,
        step=MAIN.time.step,
        gridded=GRIDDED,
        targets=lambda w: section("evaluation")(w)["targets"],
        virtual=VIRTUAL,
        code=code("tamrl.evaluation.stage"),
    script:
        "../scripts/evaluate_models.py"


rule assess_towers:
    input:
        samples=lambda w: f"{RUN}/samples/{CONFIGS[w.run].samples.drivers}.nc",
        splits=f"{RUN}/samples/splits.csv",
    output:
        table=f"{RUN}/evaluation/dissimilarity.csv",
    log:
        f"{RUN}/logs/assess_towers.log",
    benchmark:
        f"{RUN}/benchmarks/assess_towers.tsv"
    conda:
        ENV
    resources:
        **needs("assess_towers"),
    params:
        features=features,
        virtual=VIRTUAL,
        code=code("tamrl.uncertainty.stage"),
    script:
        "../scripts/assess_towers.py"


rule write_report:
    input:
        **MAPPED,
        compared=nameable(REFERENCE),
        predictions=f"{BASE}/evaluation/predictions.parquet",
        metrics=f"{BASE}/evaluation/site_metrics.csv",
        calibration=f"{BASE}/evaluation/calibration.json",
        scores=f"{BASE}/evaluation/scores.csv",
        comparisons=f"{BASE}/evaluation/comparisons.csv",
        reliability=f"{BASE}/evaluation/reliability.csv",
        dissimilarity=f"{BASE}/evaluation/dissimilarity.csv",
        towers=f"{BASE}/towers/towers.csv",
        quality=f"{BASE}/towers/quality.csv",
        records=f"{BASE}/towers/towers.parquet",
        sites=expand(f"{BASE}/towers/{{network}}_sites.csv", network=MAIN.towers.networks),
        drivers=f"{BASE}/drivers/comparison.csv" if GRIDDED else [],
        template="tamrl/evaluation/report/templates/report.html",
    output:
        report=report(f"{BASE}/report.html", caption="../report/report.rst", category="Report"),
        figures=report(directory(f"{BASE}/figures"), patterns=["{name}.png"], caption="../report/figures.rst", category="Figures"),
    log:
        f"{BASE}/logs/write_report.log",
    benchmark:
        f"{BASE}/benchmarks/write_report.tsv"
    conda:
        ENV
    resources:
        **needs("write_report"),
    params:
        reference=REFERENCE,
        title=MAIN.evaluation.title,
        run=MAIN.run,
        labels=MAIN.time.labels,
        step=MAIN.time.step,
        reference_name=MAIN.evaluation.reference.label if MAIN.evaluation.reference else None,
        map_model=lambda w: MAIN.inference.model,
        qc=MAIN.evaluation.qc,
        benchmarks=f"{BASE}/benchmarks",
        atlas="atlas/index.html" if ATLAS else None,
        config_digest=configuration.digest(MAIN),
        virtual=VIRTUAL,
        stamps=stamps(REFERENCE),
        code=code("tamrl.evaluation.report.stage"),
    script:
        "../scripts/write_report.py"


rule record_provenance:
    input:
        **({"cube": rules.build_cube.output.cube} if GRIDDED else {}),
        report=f"{BASE}/report.html",
        tables=expand(f"{BASE}/towers/{{network}}.parquet", network=MAIN.towers.networks),
        raw=nameable(tower_files()),
        products=[
            *PRODUCTS,
            *(further_maps() if GRIDDED else []),
            rules.write_report.input.predictions,
            rules.write_report.input.metrics,
            rules.write_report.input.calibration,
            rules.write_report.input.scores,
            rules.write_report.input.comparisons,
            rules.write_report.input.reliability,
            rules.write_report.input.dissimilarity,
        ],
    output:
        provenance=f"{BASE}/provenance.json",
    log:
        f"{BASE}/logs/record_provenance.log",
    benchmark:
        f"{BASE}/benchmarks/record_provenance.tsv"
    conda:
        ENV
    threads: 2
    resources:
        **needs("record_provenance"),
    params:
        raw=tower_files(),
        config=MAIN.model_dump(mode="json"),
        config_digest=configuration.digest(MAIN),
        benchmarks=[f"{BASE}/benchmarks", *expand(f"{BASE}/choices/{{name}}/benchmarks", name=MAIN.choices)],
        stamps=stamps(tower_files()),
        code=code("tamrl.record"),
    script:
        "../scripts/record_provenance.py"


rule write_summary:
    input:
        **({"budget": MAPPED["budgets"], "choices": MAPPED["choices"]} if GRIDDED else {}),
        **({"applicability": MAPPED["applicability"]} if GRIDDED else {}),
        metrics=f"{BASE}/evaluation/site_metrics.csv",
        calibration=f"{BASE}/evaluation/calibration.json",
        comparisons=f"{BASE}/evaluation/comparisons.csv",
        reliability=f"{BASE}/evaluation/reliability.csv",
        provenance=rules.record_provenance.output.provenance,
    output:
        summary=f"{BASE}/summary.md",
    log:
        f"{BASE}/logs/write_summary.log",
    conda:
        ENV
    params:
        title=MAIN.evaluation.title,
        run=MAIN.run,
        step=MAIN.time.step,
        code=code("tamrl.evaluation.summary"),
    script:
        "../scripts/write_summary.py"

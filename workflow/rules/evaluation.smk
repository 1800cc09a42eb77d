# Scores at held-out towers, the report, and the record of the run.
SCORED = (
    File.TOWER_PREDICTIONS,
    File.SITE_METRICS,
    File.CALIBRATION,
    File.SCORES,
    File.COMPARISONS,
    File.RELIABILITY,
    File.CEILINGS,
    File.SHARES,
    File.DISSIMILARITY,
)


# Scores and calibrated intervals of every model at held-out towers.
rule evaluate_models:
    input:
        members=of_run(PLAN.member_predictions),
        towers=ANY(File.TOWERS),
        splits=ANY(File.SPLITS),
        samples=ANY(File.SAMPLES, drivers="grid"),
        dissimilarity=ANY(File.DISSIMILARITY),
    output:
        predictions=ANY(File.TOWER_PREDICTIONS),
        metrics=ANY(File.SITE_METRICS),
        calibration=ANY(File.CALIBRATION),
        scores=ANY(File.SCORES),
        comparisons=ANY(File.COMPARISONS),
        reliability=ANY(File.RELIABILITY),
    log:
        ANY.log("evaluate_models"),
    benchmark:
        ANY.benchmark("evaluate_models")
    conda:
        ENV
    resources:
        **needs("evaluate_models"),
    params:
        stage="tamrl.evaluation.stage.evaluate_models",
        protocol=of_run(PLAN.protocol),
        code=code("tamrl.evaluation.stage"),
    script:
        "../scripts/run_stage.py"


# What the towers' own fluxes tell of them, and the share of the way there that the maps' model comes.
rule measure_ceilings:
    input:
        predictions=ANY(File.TOWER_PREDICTIONS),
        towers=ANY(File.TOWERS),
        splits=ANY(File.SPLITS),
        adapted=of_run(PLAN.adapted_map_model),
    output:
        ceilings=ANY(File.CEILINGS),
        shares=ANY(File.SHARES),
    log:
        ANY.log("measure_ceilings"),
    benchmark:
        ANY.benchmark("measure_ceilings")
    conda:
        ENV
    resources:
        **needs("evaluate_models"),
    params:
        stage="tamrl.evaluation.ceiling_stage.measure_ceilings",
        protocol=of_run(PLAN.protocol),
        drivers=lambda w: CONFIGS[w.run].samples.origins[0],
        code=code("tamrl.evaluation.ceiling_stage"),
    script:
        "../scripts/run_stage.py"


# Skill of every model in the site means of held-out places of sums.
rule evaluate_sums:
    input:
        predictions=of_run(PLAN.sum_predictions),
    output:
        scores=ANY(File.SUM_SCORES),
    log:
        ANY.log("evaluate_sums"),
    benchmark:
        ANY.benchmark("evaluate_sums")
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.evaluation.sums.evaluate_sums",
        virtual=VIRTUAL,
        code=code("tamrl.evaluation.sums"),
    script:
        "../scripts/run_stage.py"


# Yearly sums of towers beside the map that never saw them, or beside the models that held them out.
rule score_independent:
    input:
        nameable(PLAN.independent_files()),
        towers=THIS(File.TOWERS),
        splits=THIS(File.SPLITS),
        calibration=THIS(File.CALIBRATION),
        cube=THIS(File.CUBE),
        manifests=PLAN.manifests(MAIN.run),
        sums=PLAN.mapped_sums(),
    output:
        places=THIS(File.INDEPENDENT),
        scores=THIS(File.INDEPENDENT_SCORES),
    log:
        THIS.log("score_independent"),
    benchmark:
        THIS.benchmark("score_independent")
    conda:
        ENV
    resources:
        **needs("evaluate_models"),
    params:
        stage="tamrl.reference.independent_stage.score_independent",
        table=PLAIN["evaluation"]["independent"],
        distance_km=MAIN.splits.distance_km,
        vegetated_only=MAIN.maps.vegetated_only,
        virtual=VIRTUAL,
        stamps=stamps(PLAN.independent_files()),
        code=code("tamrl.reference.independent_stage"),
    script:
        "../scripts/run_stage.py"


# Dissimilarity of each held-out tower to the towers that trained without it.
rule assess_towers:
    input:
        samples=of_run(PLAN.training_samples),
        splits=ANY(File.SPLITS),
    output:
        table=ANY(File.DISSIMILARITY),
    log:
        ANY.log("assess_towers"),
    benchmark:
        ANY.benchmark("assess_towers")
    conda:
        ENV
    resources:
        **needs("assess_towers"),
    params:
        stage="tamrl.uncertainty.stage.assess_towers",
        features=of_run(PLAN.features),
        virtual=VIRTUAL,
        code=code("tamrl.uncertainty.stage"),
    script:
        "../scripts/run_stage.py"


# How often the truth of a virtual Earth lies in the intervals of cells, regions and changes between years.
rule cover_truth:
    input:
        nameable(PLAN.reference()),
        files=PLAN.covered_files(),
        manifests=PLAN.manifests(MAIN.run),
        cube=THIS(File.CUBE),
    output:
        table=THIS(File.TRUTH_COVERAGE),
    log:
        THIS.log("cover_truth"),
    benchmark:
        THIS.benchmark("cover_truth")
    conda:
        ENV
    resources:
        **needs("sum_year", jobs=len(MAIN.time.labels)),
    params:
        stage="tamrl.truth.cover_truth",
        truth=PLAN.reference(),
        folder=BASE,
        labels=list(MAIN.time.labels),
        periods=[period for period in MAIN.maps.periods if period != "seasonal"],
        vegetated_only=MAIN.maps.vegetated_only,
        virtual=VIRTUAL,
        stamps=stamps(PLAN.reference()),
        code=code("tamrl.truth"),
    script:
        "../scripts/run_stage.py"


# Sums of the maps of one label of several, from which the report draws its figures; with one label it reads the maps.
rule sum_maps:
    input:
        lambda w: nameable(PLAN.reference_of(w.label)),
        files=lambda w: PLAN.maps_of(w.label),
    output:
        sums=directory(THIS(File.MAP_SUMS)),
    log:
        THIS.log("sum_maps", "{label}"),
    benchmark:
        THIS.benchmark("sum_maps", "{label}")
    conda:
        ENV
    resources:
        **needs("sum_maps"),
    params:
        stage="tamrl.report.stage.sum_maps",
        folder=BASE,
        label=lambda w: w.label,
        step=MAIN.time.step,
        reference=lambda w: PLAN.reference_of(w.label),
        stamps=stamps(lambda w: PLAN.reference_of(w.label)),
        code=code("tamrl.report.map_sums"),
    script:
        "../scripts/run_stage.py"


# One HTML file with all results, and its figures.
rule write_report:
    input:
        nameable(PLAN.reference()),
        files=PLAN.reported_files(),
    output:
        report=report(THIS(File.REPORT), caption="../report/report.rst", category="Report"),
        figures=report(
            directory(THIS(File.FIGURES)), patterns=["{name}.png"], caption="../report/figures.rst", category="Figures"
        ),
    log:
        THIS.log("write_report"),
    benchmark:
        THIS.benchmark("write_report")
    conda:
        ENV
    resources:
        **needs("write_report"),
    params:
        stage="tamrl.report.stage.write_report",
        folder=BASE,
        description=PLAN.description,
        reference=PLAN.reference(),
        atlas="atlas/index.html" if ATLAS else None,
        stamps=stamps(PLAN.reference(), shipped("report/templates/report.html")),
        code=code("tamrl.report.stage"),
    script:
        "../scripts/run_stage.py"


# The record of the run: inputs, code, libraries, machine and costs.
rule record_provenance:
    input:
        nameable(PLAN.tower_files()),
        **({"cube": THIS(File.CUBE)} if GRIDDED else {}),
        inputs=expand(THIS(File.NETWORK_RECORDS), network=MAIN.towers.networks),
        outputs=[
            THIS(File.REPORT),
            *PLAN.further_products(),
            *PLAN.maps(),
            *PLAN.members(),
            *([THIS(File.APPLICABILITY), THIS(File.BUDGETS)] if GRIDDED else []),
            *PLAN.means(),
            *PLAN.exports(),
            *PLAN.comparisons(),
            *map(THIS, SCORED),
            *PLAN.sum_scores(MAIN.run),
            *PLAN.independent_scores(),
        ],
    output:
        record=THIS(File.PROVENANCE),
    log:
        THIS.log("record_provenance"),
    benchmark:
        THIS.benchmark("record_provenance")
    conda:
        ENV
    threads: 2
    resources:
        **needs("record_provenance"),
    params:
        stage="tamrl.record.record_provenance",
        raw=PLAN.tower_files(),
        config=PLAIN,
        config_digest=configuration.shaping_digest(MAIN),
        benchmarks=[THIS(File.BENCHMARKS), *(THIS.choice(name)(File.BENCHMARKS) for name in MAIN.choices)],
        stamps=stamps(PLAN.tower_files()),
        code=code("tamrl.record"),
    script:
        "../scripts/run_stage.py"


# The main numbers on one page of Markdown.
rule write_summary:
    input:
        files=PLAN.summarised_files(),
        provenance=THIS(File.PROVENANCE),
    output:
        summary=THIS(File.SUMMARY),
    log:
        THIS.log("write_summary"),
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.report.summary.write_summary",
        folder=BASE,
        description=PLAN.description,
        code=code("tamrl.report.summary"),
    script:
        "../scripts/run_stage.py"

# Trained members predict held-out towers and the globe.
rule predict_towers:
    input:
        samples=ANY(File.SAMPLES),
        splits=ANY(File.SPLITS),
        models=lambda w: PLAN.fold_models(w.run, w.model),
    output:
        table=ANY(File.MEMBER_PREDICTIONS),
    log:
        ANY.log("predict_towers", "{model}-{drivers}"),
    benchmark:
        ANY.benchmark("predict_towers", "{model}-{drivers}")
    conda:
        ENV
    resources:
        **needs("predict_towers"),
    params:
        stage="tamrl.inference.stage.predict_towers",
        batches=section("inference", Batches),
        code=model_code("tamrl.inference.stage"),
    script:
        "../scripts/run_stage.py"


# Trained members predict the means of sums at held-out places.
rule predict_sums:
    input:
        samples=ANY(File.SUM_SAMPLES),
        splits=ANY(File.SUM_SPLITS),
        models=lambda w: PLAN.fold_models(w.run, w.model),
    output:
        table=ANY(File.SUM_PREDICTIONS),
    log:
        ANY.log("predict_sums", "{model}"),
    benchmark:
        ANY.benchmark("predict_sums", "{model}")
    conda:
        ENV
    resources:
        **needs("predict_towers"),
    params:
        stage="tamrl.inference.sums.predict_sums",
        batches=section("inference", Batches),
        code=model_code("tamrl.inference.sums"),
    script:
        "../scripts/run_stage.py"


# The tile store is no declared output: it survives an interruption, and finished tiles are not computed again.
rule predict_tiles:
    input:
        lambda w: PLAN.map_parts(w.run, w.label),
        cube=THIS(File.CUBE),
        models=of_run(PLAN.map_models),
        previous=lambda w: PLAN.previous_map(w.run, w.label),
    output:
        manifest=ANY(File.MANIFEST),
    log:
        ANY.log("predict_tiles", "{label}"),
    benchmark:
        ANY.benchmark("predict_tiles", "{label}")
    conda:
        ENV
    threads: workflow.cores
    resources:
        **needs("predict_tiles"),
        **allocation(MAIN.inference),
    params:
        stage="tamrl.inference.stage.predict_tiles",
        predictions=at(File.PREDICTIONS),
        tile=MAIN.grid.tile,
        min_land_fraction=key("maps", "min_land_fraction"),
        engine=section("inference", Engine),
        code=map_code("tamrl.inference.stage"),
    script:
        "../scripts/run_stage.py"


# A share of the tiles, for `inference.jobs` above one: several machines fill the same store.
rule predict_part:
    input:
        cube=THIS(File.CUBE),
        models=of_run(PLAN.map_models),
        previous=lambda w: PLAN.previous_map(w.run, w.label),
    output:
        record=ANY(File.PREDICTIONS_PART),
    log:
        ANY.log("predict_part", "{label}-{part}"),
    benchmark:
        ANY.benchmark("predict_part", "{label}-{part}")
    wildcard_constraints:
        part=r"\d+",
    conda:
        ENV
    threads: 2
    params:
        stage="tamrl.inference.stage.predict_part",
        predictions=at(File.PREDICTIONS),
        tile=MAIN.grid.tile,
        min_land_fraction=key("maps", "min_land_fraction"),
        engine=section("inference", Engine),
        parts=lambda w: CONFIGS[w.run].inference.jobs,
        code=map_code("tamrl.inference.stage"),
    script:
        "../scripts/run_stage.py"


# What a driver's season says of each cell, with `drivers.variable_jobs`: a cluster reads all drivers at once.
rule describe_driver:
    input:
        cube=THIS(File.CUBE),
    output:
        season=THIS(File.DRIVER_SEASON),
    log:
        THIS.log("describe_driver", "{variable}"),
    benchmark:
        THIS.benchmark("describe_driver", "{variable}")
    conda:
        ENV
    threads: 2
    resources:
        **needs("describe_driver"),
    params:
        stage="tamrl.uncertainty.stage.describe_driver",
        code=code("tamrl.uncertainty.stage"),
    script:
        "../scripts/run_stage.py"


# Cells whose drivers lie outside of what the towers cover.
rule assess_applicability:
    input:
        cube=THIS(File.CUBE),
        seasons=[THIS(File.DRIVER_SEASON, variable=name) for name in MAIN.drivers.variables.dynamic if MAIN.drivers.variable_jobs],
        samples=ANY(File.SAMPLES, drivers="grid"),
        splits=ANY(File.SPLITS),
    output:
        map=ANY(File.APPLICABILITY),
    log:
        ANY.log("assess_applicability"),
    benchmark:
        ANY.benchmark("assess_applicability")
    conda:
        ENV
    threads: 2
    resources:
        **needs("assess_applicability"),
    params:
        stage="tamrl.uncertainty.stage.assess_applicability",
        features=of_run(PLAN.features),
        min_land_fraction=key("maps", "min_land_fraction"),
        virtual=VIRTUAL,
        code=code("tamrl.uncertainty.stage"),
    script:
        "../scripts/run_stage.py"

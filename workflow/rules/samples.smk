# Samples: which towers are held out together, and drivers beside fluxes.
rule split_sites:
    input:
        nameable(lambda w: CONFIGS[w.run].splits.test_sites),
        towers=ANY(File.TOWERS),
        samples=lambda w: PLAN.training_samples(w.run) if CONFIGS[w.run].splits.scheme in ("warm", "temporal") else [],
    output:
        table=ANY(File.SPLITS),
    log:
        ANY.log("split_sites"),
    benchmark:
        ANY.benchmark("split_sites")
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.samples.stage.split_sites",
        splits=section("splits"),
        stamps=stamps(lambda w: CONFIGS[w.run].splits.test_sites),
        seed=MAIN.seed,
        code=code("tamrl.samples.stage"),
    script:
        "../scripts/run_stage.py"


# Drivers and fluxes of each tower on the same time axis.
rule build_samples:
    input:
        records=ANY(File.RECORDS),
        towers=ANY(File.TOWERS),
        drivers=ANY(File.TOWER_DRIVERS if GRIDDED else File.PLACE_DRIVERS),
    output:
        grid=ANY(File.SAMPLES, drivers="grid"),
        tower=ANY(File.SAMPLES, drivers="tower"),
    log:
        ANY.log("build_samples"),
    benchmark:
        ANY.benchmark("build_samples")
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        stage="tamrl.samples.stage.build_samples",
        features=of_run(PLAN.features),
        step=MAIN.time.step,
        code=code("tamrl.samples.stage"),
    script:
        "../scripts/run_stage.py"


# Other partitionings and thresholds of friction velocity on the axes of the samples.
rule build_alternatives:
    input:
        records=ANY(File.RECORDS),
        samples=ANY(File.SAMPLES, drivers="grid"),
    output:
        alternative=ANY(File.ALTERNATIVES),
    log:
        ANY.log("build_alternatives"),
    benchmark:
        ANY.benchmark("build_alternatives")
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        stage="tamrl.samples.alternatives.build_alternatives",
        reading=section("towers", Reading),
        code=code("tamrl.samples.alternatives"),
    script:
        "../scripts/run_stage.py"


# Drivers and mean fluxes of the places of sums, and the folds that hold these places out.
rule build_sums:
    input:
        table=ANY(File.SUMS),
        places=ANY(File.SUM_PLACES),
        drivers=ANY(File.SUM_DRIVERS),
        towers=ANY(File.TOWERS),
        splits=ANY(File.SPLITS),
    output:
        samples=ANY(File.SUM_SAMPLES),
        split=ANY(File.SUM_SPLITS),
    log:
        ANY.log("build_sums"),
    benchmark:
        ANY.benchmark("build_sums")
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        stage="tamrl.samples.sums.build_sums",
        features=of_run(PLAN.features),
        holding=section("splits"),
        step=MAIN.time.step,
        seed=MAIN.seed,
        code=code("tamrl.samples.sums"),
    script:
        "../scripts/run_stage.py"

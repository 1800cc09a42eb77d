# Samples: which towers are held out together, and drivers beside fluxes.
rule split_sites:
    input:
        towers=f"{RUN}/towers/towers.csv",
        test_sites=nameable(lambda w: CONFIGS[w.run].splits.test_sites),
        samples=lambda w: (
            f"{RUN}/samples/{CONFIGS[w.run].samples.drivers}.nc" if CONFIGS[w.run].splits.scheme in ("warm", "temporal") else []
        ),
    output:
        splits=f"{RUN}/samples/splits.csv",
    log:
        f"{RUN}/logs/split_sites.log",
    benchmark:
        f"{RUN}/benchmarks/split_sites.tsv"
    conda:
        ENV
    params:
        splits=section("splits"),
        stamps=stamps(lambda w: CONFIGS[w.run].splits.test_sites),
        seed=MAIN.seed,
        code=code("tamrl.samples.stage"),
    script:
        "../scripts/split_sites.py"


rule build_samples:
    input:
        table=f"{RUN}/towers/towers.parquet",
        towers=f"{RUN}/towers/towers.csv",
        drivers=f"{RUN}/drivers/{'towers' if GRIDDED else 'places'}.nc",
    output:
        grid=f"{RUN}/samples/grid.nc",
        tower=f"{RUN}/samples/tower.nc",
    log:
        f"{RUN}/logs/build_samples.log",
    benchmark:
        f"{RUN}/benchmarks/build_samples.tsv"
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        features=features,
        step=MAIN.time.step,
        code=code("tamrl.samples.stage"),
    script:
        "../scripts/build_samples.py"

# Trained members predict held-out towers and the globe.
rule predict_towers:
    input:
        samples=f"{RUN}/samples/{{drivers}}.nc",
        splits=f"{RUN}/samples/splits.csv",
        models=fold_models,
    output:
        table=f"{RUN}/evaluation/members/{{model}}-{{drivers}}.parquet",
    log:
        f"{RUN}/logs/predict_towers/{{model}}-{{drivers}}.log",
    benchmark:
        f"{RUN}/benchmarks/predict_towers/{{model}}-{{drivers}}.tsv"
    conda:
        ENV
    resources:
        **needs("predict_towers"),
    params:
        inference=section("inference", "batch", "device"),
        code=model_code("tamrl.inference.stage"),
    script:
        "../scripts/predict_towers.py"


# The tile store is no declared output: it survives an interruption, and finished tiles are not computed again.
rule predict_tiles:
    input:
        cube=rules.build_cube.output.cube,
        models=map_models,
        previous=previous_map,
        parts=map_parts,
    output:
        manifest=f"{RUN}/predictions/{{label}}.json",
    log:
        f"{RUN}/logs/predict_tiles/{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/predict_tiles/{{label}}.tsv"
    conda:
        ENV
    threads: workflow.cores
    resources:
        **needs("predict_tiles"),
        **allocation(MAIN.inference),
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        tile=MAIN.grid.tile,
        min_land_fraction=lambda w: CONFIGS[w.run].maps.min_land_fraction,
        inference=section("inference", *ENGINE),
        code=model_code("tamrl.inference.stage", lambda w: CONFIGS[w.run].inference.model),
    script:
        "../scripts/predict_tiles.py"


# A share of the tiles, for `inference.jobs` above one: several machines fill the same store.
rule predict_part:
    input:
        cube=rules.build_cube.output.cube,
        models=map_models,
        previous=previous_map,
    output:
        part=f"{RUN}/predictions/parts/{{label}}-{{part}}.json",
    log:
        f"{RUN}/logs/predict_part/{{label}}-{{part}}.log",
    benchmark:
        f"{RUN}/benchmarks/predict_part/{{label}}-{{part}}.tsv"
    wildcard_constraints:
        part=r"\d+",
    conda:
        ENV
    threads: 2
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        tile=MAIN.grid.tile,
        min_land_fraction=lambda w: CONFIGS[w.run].maps.min_land_fraction,
        inference=section("inference", *ENGINE),
        parts=lambda w: CONFIGS[w.run].inference.jobs,
        code=model_code("tamrl.inference.stage", lambda w: CONFIGS[w.run].inference.model),
    script:
        "../scripts/predict_part.py"


rule assess_applicability:
    input:
        cube=rules.build_cube.output.cube,
        samples=f"{RUN}/samples/grid.nc",
        splits=f"{RUN}/samples/splits.csv",
    output:
        map=f"{RUN}/maps/applicability.nc",
    log:
        f"{RUN}/logs/assess_applicability.log",
    benchmark:
        f"{RUN}/benchmarks/assess_applicability.tsv"
    conda:
        ENV
    resources:
        **needs("assess_applicability"),
    params:
        features=features,
        min_land_fraction=lambda w: CONFIGS[w.run].maps.min_land_fraction,
        virtual=VIRTUAL,
        code=code("tamrl.uncertainty.stage"),
    script:
        "../scripts/assess_applicability.py"

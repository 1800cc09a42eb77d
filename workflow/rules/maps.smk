# Members become maps with uncertainty, and budgets.
rule write_map:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
        calibration=f"{RUN}/evaluation/calibration.json",
        applicability=f"{RUN}/maps/applicability.nc",
    output:
        map=f"{RUN}/maps/{{flux}}_{{label}}.nc",
    log:
        f"{RUN}/logs/write_map/{{flux}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_map/{{flux}}_{{label}}.tsv"
    conda:
        ENV
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", "units", "vegetated_only", "compression"),
        run=lambda w: w.run,
        config_digest=provenance.config_digest(MAIN.model_dump(mode="json")),
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/write_map.py"


rule write_members:
    input:
        manifest=f"{RUN}/predictions/{{label}}.json",
        cube=rules.build_cube.output.cube,
    output:
        members=f"{RUN}/maps/members/{{flux}}_{{label}}.nc",
    log:
        f"{RUN}/logs/write_members/{{flux}}_{{label}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_members/{{flux}}_{{label}}.tsv"
    conda:
        ENV
    params:
        store=lambda w: f"results/{w.run}/predictions/{w.label}.zarr",
        maps=section("maps", "units", "vegetated_only", "compression"),
        run=lambda w: w.run,
        config_digest=provenance.config_digest(MAIN.model_dump(mode="json")),
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/write_members.py"


rule sum_budgets:
    input:
        manifests=expand(f"{RUN}/predictions/{{label}}.json", label=MAIN.time.labels, allow_missing=True),
        cube=rules.build_cube.output.cube,
    output:
        budgets=f"{RUN}/budgets.csv",
    log:
        f"{RUN}/logs/sum_budgets.log",
    benchmark:
        f"{RUN}/benchmarks/sum_budgets.tsv"
    conda:
        ENV
    params:
        stores=expand(f"{RUN}/predictions/{{label}}.zarr", label=MAIN.time.labels, allow_missing=True),
        labels=MAIN.time.labels,
        maps=section("maps", "vegetated_only"),
        code=code("tamrl.maps.stage"),
    script:
        "../scripts/sum_budgets.py"

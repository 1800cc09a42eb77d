# Gridded drivers: one cube for the globe, and the same cube at the towers.
def driver_files():
    """Inputs of the cube: the folders of the sources, or one folder an item and year where a source is to be fetched."""
    from tamrl.drivers.cube import plan

    found = []
    for name in MAIN.drivers.sources:
        plugin, chosen = registry.load(registry.SOURCES, name), getattr(MAIN.drivers, name)
        if getattr(chosen, "download", False):
            items = plugin.items(chosen, plan((*DYNAMIC, *STATIC, "land_fraction"), MAIN.drivers.sources)[name])
            found += expand(f"downloads/drivers/{name}/{{item}}/{{year}}", item=items, year=MAIN.time.years)
        else:
            found += plugin.inputs(chosen)
    return found


rule download_drivers:
    output:
        folder=directory("downloads/drivers/{source}/{item}/{year}"),
    log:
        f"{BASE}/logs/download_drivers/{{source}}/{{item}}/{{year}}.log",
    benchmark:
        f"{BASE}/benchmarks/download_drivers/{{source}}/{{item}}/{{year}}.tsv"
    wildcard_constraints:
        year=r"\d{4}",
    retries: 2
    conda:
        ENV
    params:
        options=lambda w: getattr(MAIN.drivers, w.source).model_dump(mode="json"),
    script:
        "../scripts/download_drivers.py"


rule build_cube:
    input:
        driver_files(),
    output:
        cube=directory(f"{BASE}/drivers/cube.zarr"),
    log:
        f"{BASE}/logs/build_cube.log",
    benchmark:
        f"{BASE}/benchmarks/build_cube.tsv"
    conda:
        ENV
    threads: 2
    params:
        drivers=section("drivers"),
        time=section("time", "step", "years"),
        resolution=MAIN.grid.resolution,
        code=code("tamrl.drivers.stage", *plugins(registry.SOURCES, MAIN.drivers.sources)),
    script:
        "../scripts/build_cube.py"


rule collocate_drivers:
    input:
        cube=rules.build_cube.output.cube,
        towers=f"{RUN}/towers/towers.csv",
    output:
        drivers=f"{RUN}/drivers/towers.nc",
    log:
        f"{RUN}/logs/collocate_drivers.log",
    benchmark:
        f"{RUN}/benchmarks/collocate_drivers.tsv"
    conda:
        ENV
    params:
        max_distance_km=MAIN.drivers.max_distance_km,
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/collocate_drivers.py"

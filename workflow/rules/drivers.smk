# Gridded drivers: one cube for the globe, and the same cube at the towers.
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
        options=download_options,
    script:
        "../scripts/download_drivers.py"


# The cube is kept by hard links in a folder that no rule declares: a longer one goes on from it (tamrl/drivers/kept.py).
DRIVERS = {
    "paths": driver_files(),
    "kept": f"{BASE}/drivers/.cube.zarr.kept",
    "drivers": section("drivers"),
    "time": section("time", "step", "years", "until"),
    "resolution": MAIN.grid.resolution,
    "stamps": stamps(driver_files(), packaged),
    "code": code("tamrl.drivers.stage", *plugins(registry.SOURCES, MAIN.drivers.sources)),
}


# A variable of the cube by itself, with `drivers.apart`: what fails is made again alone, and a cluster makes many at once.
rule build_driver:
    input:
        nameable(driver_files()),
    output:
        part=temp(directory(f"{BASE}/drivers/parts/{{variable}}.zarr")),
    log:
        f"{BASE}/logs/build_driver/{{variable}}.log",
    benchmark:
        f"{BASE}/benchmarks/build_driver/{{variable}}.tsv"
    conda:
        ENV
    threads: 2
    resources:
        **needs("build_driver"),
    params:
        **DRIVERS,
    script:
        "../scripts/build_driver.py"


rule build_cube:
    input:
        files=nameable(driver_files()),
        parts=[f"{BASE}/drivers/parts/{name}.zarr" for name in MAIN.drivers.variables.dynamic if MAIN.drivers.apart],
    output:
        cube=directory(f"{BASE}/drivers/cube.zarr"),
    log:
        f"{BASE}/logs/build_cube.log",
    benchmark:
        f"{BASE}/benchmarks/build_cube.tsv"
    conda:
        ENV
    threads: 2
    resources:
        **needs("build_cube"),
    params:
        **DRIVERS,
    script:
        "../scripts/build_cube.py"


# Without gridded sources the towers' own drivers are all there is.
rule place_drivers:
    input:
        table=f"{RUN}/towers/towers.parquet",
        towers=f"{RUN}/towers/towers.csv",
        co2=nameable(MAIN.drivers.co2),
    output:
        drivers=f"{RUN}/drivers/places.nc",
    log:
        f"{RUN}/logs/place_drivers.log",
    benchmark:
        f"{RUN}/benchmarks/place_drivers.tsv"
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        names=section("drivers", "variables"),
        co2=MAIN.drivers.co2,
        stamps=stamps(MAIN.drivers.co2),
        step=MAIN.time.step,
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/place_drivers.py"


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
    resources:
        **needs("collocate_drivers"),
    params:
        max_distance_km=MAIN.drivers.max_distance_km,
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/collocate_drivers.py"


rule compare_drivers:
    input:
        drivers=rules.collocate_drivers.output.drivers,
        table=f"{RUN}/towers/towers.parquet",
        towers=f"{RUN}/towers/towers.csv",
        subsets=nameable(MAIN.drivers.subsets),
    output:
        comparison=f"{RUN}/drivers/comparison.csv",
    log:
        f"{RUN}/logs/compare_drivers.log",
    benchmark:
        f"{RUN}/benchmarks/compare_drivers.tsv"
    conda:
        ENV
    resources:
        **needs("compare_drivers"),
    params:
        subsets=MAIN.drivers.subsets,
        virtual=VIRTUAL,
        stamps=stamps(MAIN.drivers.subsets),
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/compare_drivers.py"

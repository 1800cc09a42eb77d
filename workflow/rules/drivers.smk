# Gridded drivers: one cube for the globe, and the same cube at the towers.
#
# The Climate Data Store rejects orders of a user beyond a number that it changes. `--resources cds=4` allows so many jobs of orders
# at once, each of which has one order at the store; a plain call of Snakemake has the default set here.
if workflow.is_main_process and "cds" not in workflow.global_resources:
    workflow.register_resource("cds", 2)


# Files of one item of a source and a year.
rule download_drivers:
    output:
        folder=directory(DOWNLOADS.item()),
    log:
        THIS.log("download_drivers", "{source}", "{item}", "{year}"),
    benchmark:
        THIS.benchmark("download_drivers", "{source}", "{item}", "{year}")
    wildcard_constraints:
        year=r"\d{4}",
    retries: 2
    localrule: True
    conda:
        ENV
    resources:
        cds=lambda w: PLAN.concurrent_orders(w.source),
    params:
        stage="tamrl.drivers.stage.download_drivers",
        options=lambda w: PLAN.download_options(w.source, w.year),
    script:
        "../scripts/run_stage.py"


# The cube is kept by hard links in a folder that no rule declares: a longer one goes on from it (tamrl/drivers/cube/append.py).
DRIVERS = {
    "paths": PLAN.driver_files(),
    "kept_cubes": THIS(File.CUBE_KEPT),
    "drivers": section("drivers"),
    "time": section("time", DriverTime),
    "resolution": MAIN.grid.resolution,
    "stamps": stamps(PLAN.driver_files(), packaged),
    "code": code("tamrl.drivers.stage", *plugins(registry.SOURCES, MAIN.drivers.sources)),
}


# A variable of the cube by itself, with `drivers.variable_jobs`: what fails is made again alone, and a cluster makes many at once.
rule build_driver:
    input:
        nameable(PLAN.driver_files()),
    output:
        part=temp(directory(THIS(File.CUBE_PART))),
    log:
        THIS.log("build_driver", "{variable}"),
    benchmark:
        THIS.benchmark("build_driver", "{variable}")
    conda:
        ENV
    threads: 2
    resources:
        **needs("build_driver"),
    params:
        **DRIVERS,
        stage="tamrl.drivers.stage.build_driver",
    script:
        "../scripts/run_stage.py"


# One Zarr store with all drivers of the globe, from the sources' files or from the parts.
rule build_cube:
    input:
        nameable(PLAN.driver_files()),
        parts=[THIS(File.CUBE_PART, variable=name) for name in MAIN.drivers.variables.dynamic if MAIN.drivers.variable_jobs],
    output:
        cube=directory(THIS(File.CUBE)),
    log:
        THIS.log("build_cube"),
    benchmark:
        THIS.benchmark("build_cube")
    conda:
        ENV
    threads: 2
    resources:
        **needs("build_cube"),
    params:
        **DRIVERS,
        bounds=MAIN.grid.bounds,
        countries=MAIN.grid.countries,
        stage="tamrl.drivers.stage.build_cube",
    script:
        "../scripts/run_stage.py"


# Without gridded sources the towers' own drivers are all there is.
rule place_drivers:
    input:
        nameable(MAIN.drivers.co2),
        records=ANY(File.RECORDS),
        towers=ANY(File.TOWERS),
    output:
        drivers=ANY(File.PLACE_DRIVERS),
    log:
        ANY.log("place_drivers"),
    benchmark:
        ANY.benchmark("place_drivers")
    conda:
        ENV
    resources:
        **needs("build_samples"),
    params:
        stage="tamrl.drivers.stage.place_drivers",
        variables=plain_values(MAIN.drivers.variables),
        co2=MAIN.drivers.co2,
        stamps=stamps(MAIN.drivers.co2),
        step=MAIN.time.step,
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/run_stage.py"


# Drivers of the grid cell of each tower.
rule collocate_drivers:
    input:
        cube=THIS(File.CUBE),
        towers=ANY(File.TOWERS),
    output:
        drivers=ANY(File.TOWER_DRIVERS),
    log:
        ANY.log("collocate_drivers"),
    benchmark:
        ANY.benchmark("collocate_drivers")
    conda:
        ENV
    resources:
        **needs("collocate_drivers"),
    params:
        stage="tamrl.drivers.stage.collocate_drivers",
        max_distance_km=MAIN.drivers.max_distance_km,
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/run_stage.py"


# Drivers of the grid cell of each place of sums.
use rule collocate_drivers as collocate_sums with:
    input:
        cube=THIS(File.CUBE),
        towers=ANY(File.SUM_PLACES),
    output:
        drivers=ANY(File.SUM_DRIVERS),
    log:
        ANY.log("collocate_sums"),
    benchmark:
        ANY.benchmark("collocate_sums")


# Gridded drivers against those measured at the towers.
rule compare_drivers:
    input:
        nameable(MAIN.drivers.subsets),
        drivers=ANY(File.TOWER_DRIVERS),
        records=ANY(File.RECORDS),
        towers=ANY(File.TOWERS),
    output:
        comparison=ANY(File.DRIVER_COMPARISON),
    log:
        ANY.log("compare_drivers"),
    benchmark:
        ANY.benchmark("compare_drivers")
    conda:
        ENV
    resources:
        **needs("compare_drivers"),
    params:
        stage="tamrl.drivers.stage.compare_drivers",
        subsets=MAIN.drivers.subsets,
        virtual=VIRTUAL,
        stamps=stamps(MAIN.drivers.subsets),
        code=code("tamrl.drivers.stage"),
    script:
        "../scripts/run_stage.py"


# A later sensor against the earlier one that it follows, where a source changes from one to the other.
rule compare_sensors:
    input:
        nameable(PLAN.driver_files()),
    output:
        sensors=THIS(File.SENSOR_COMPARISON),
    log:
        THIS.log("compare_sensors"),
    benchmark:
        THIS.benchmark("compare_sensors")
    conda:
        ENV
    threads: 2
    resources:
        **needs("build_driver"),
    params:
        **{key: value for key, value in DRIVERS.items() if key != "kept_cubes"},
        stage="tamrl.drivers.stage.compare_sensors",
        virtual=VIRTUAL,
    script:
        "../scripts/run_stage.py"

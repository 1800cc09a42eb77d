# The virtual Earth writes raw files in the providers' formats; no rule after these computes anything
# else because of it; that the world is virtual (`VIRTUAL`) is only written into what they make.
if MAIN.twin:

    # Weather, vegetation and fluxes of a virtual Earth.
    rule simulate_world:
        output:
            world=directory(THIS(File.WORLD)),
        log:
            THIS.log("simulate_world"),
        benchmark:
            THIS.benchmark("simulate_world")
        conda:
            ENV
        resources:
            **needs("simulate_world"),
        params:
            stage="tamrl.twin.stage.simulate_world",
            twin=section("twin", SimulatedWorld),
            time=section("time", Years),
            resolution=MAIN.grid.resolution,
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

    # Its towers, in the formats of FLUXNET2015 and FLUXNET.
    rule write_archives:
        input:
            world=THIS(File.WORLD),
        output:
            fluxnet2015=directory(THIS(File.VIRTUAL_FLUXNET2015)),
            fluxnet=directory(THIS(File.VIRTUAL_FLUXNET)),
        log:
            THIS.log("write_archives"),
        benchmark:
            THIS.benchmark("write_archives")
        conda:
            ENV
        resources:
            **needs("write_archives"),
        params:
            stage="tamrl.twin.stage.write_archives",
            twin=section("twin"),
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

    # Its weather, as the Climate Data Store or ARCO-ERA5 gives it.
    rule write_era5:
        input:
            world=THIS(File.WORLD),
        output:
            folder=directory(THIS(File.VIRTUAL_ERA5)),
        log:
            THIS.log("write_era5"),
        benchmark:
            THIS.benchmark("write_era5")
        conda:
            ENV
        resources:
            **needs("write_era5"),
        params:
            stage="tamrl.twin.stage.write_era5",
            twin=section("twin"),
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

    # Its vegetation indices, as MODIS composites.
    rule write_modis:
        input:
            world=THIS(File.WORLD),
        output:
            folder=directory(THIS(File.VIRTUAL_MODIS)),
        log:
            THIS.log("write_modis"),
        benchmark:
            THIS.benchmark("write_modis")
        conda:
            ENV
        resources:
            **needs("write_modis"),
        params:
            stage="tamrl.twin.stage.write_modis",
            twin=section("twin"),
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

    # Its land cover, climates, elevation and CO2.
    rule write_static:
        input:
            world=THIS(File.WORLD),
        output:
            folder=directory(THIS(File.VIRTUAL_STATIC)),
            co2=THIS(File.VIRTUAL_CO2),
        log:
            THIS.log("write_static"),
        benchmark:
            THIS.benchmark("write_static")
        conda:
            ENV
        resources:
            **needs("write_static"),
        params:
            stage="tamrl.twin.stage.write_static",
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

    # Its true fluxes, with which the maps are compared.
    rule write_truth:
        input:
            world=THIS(File.WORLD),
        output:
            files=PLAN.flux_files(THIS(File.TRUTH)),
        log:
            THIS.log("write_truth"),
        benchmark:
            THIS.benchmark("write_truth")
        conda:
            ENV
        resources:
            **needs("write_truth"),
        params:
            stage="tamrl.twin.stage.write_truth",
            labels=list(MAIN.time.labels),
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/run_stage.py"

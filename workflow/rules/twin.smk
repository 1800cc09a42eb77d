# The virtual Earth writes raw files in the providers' formats; no rule after these computes anything
# else because of it; that the world is virtual (`VIRTUAL`) is only written into what they make.
if MAIN.twin:

    rule simulate_world:
        output:
            world=directory(f"{BASE}/inputs/world.zarr"),
        log:
            f"{BASE}/logs/simulate_world.log",
        benchmark:
            f"{BASE}/benchmarks/simulate_world.tsv"
        conda:
            ENV
        resources:
            **needs("simulate_world"),
        params:
            twin=section("twin", "towers", "spinup_years", "modis_ratio"),
            time=section("time", "step", "years"),
            resolution=MAIN.grid.resolution,
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/simulate_world.py"

    rule write_archives:
        input:
            world=rules.simulate_world.output.world,
        output:
            fluxnet2015=directory(f"{BASE}/inputs/towers/fluxnet2015"),
            fluxnet=directory(f"{BASE}/inputs/towers/fluxnet"),
        log:
            f"{BASE}/logs/write_archives.log",
        benchmark:
            f"{BASE}/benchmarks/write_archives.tsv"
        conda:
            ENV
        resources:
            **needs("write_archives"),
        params:
            twin=section("twin"),
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/write_archives.py"

    rule write_era5:
        input:
            world=rules.simulate_world.output.world,
        output:
            folder=directory(f"{BASE}/inputs/era5"),
        log:
            f"{BASE}/logs/write_era5.log",
        benchmark:
            f"{BASE}/benchmarks/write_era5.tsv"
        conda:
            ENV
        resources:
            **needs("write_era5"),
        params:
            twin=section("twin"),
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/write_era5.py"

    rule write_modis:
        input:
            world=rules.simulate_world.output.world,
        output:
            folder=directory(f"{BASE}/inputs/modis"),
        log:
            f"{BASE}/logs/write_modis.log",
        benchmark:
            f"{BASE}/benchmarks/write_modis.tsv"
        conda:
            ENV
        resources:
            **needs("write_modis"),
        params:
            twin=section("twin"),
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/write_modis.py"

    rule write_static:
        input:
            world=rules.simulate_world.output.world,
        output:
            folder=directory(f"{BASE}/inputs/static"),
            co2=f"{BASE}/inputs/co2.csv",
        log:
            f"{BASE}/logs/write_static.log",
        benchmark:
            f"{BASE}/benchmarks/write_static.tsv"
        conda:
            ENV
        resources:
            **needs("write_static"),
        params:
            twin=section("twin"),
            seed=MAIN.seed,
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/write_static.py"

    rule write_truth:
        input:
            world=rules.simulate_world.output.world,
        output:
            expand(f"{BASE}/inputs/truth/{{flux}}_{{label}}.nc", flux=["gpp", "reco", "nee"], label=MAIN.time.labels),
        log:
            f"{BASE}/logs/write_truth.log",
        benchmark:
            f"{BASE}/benchmarks/write_truth.tsv"
        conda:
            ENV
        resources:
            **needs("write_truth"),
        params:
            code=code("tamrl.twin.stage"),
        script:
            "../scripts/write_truth.py"

# Tower networks: read each, then harmonise, judge and merge.
rule download_towers:
    input:
        nameable(lambda w: configuration.snapshot(MAIN) if w.network == "shuttle" else None),
    output:
        folder=directory(DOWNLOADS.network()),
    log:
        THIS.log("download_towers", "{network}"),
    benchmark:
        THIS.benchmark("download_towers", "{network}")
    retries: 2
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.towers.stage.download_towers",
        options=lambda w: PLAN.fetch_options(w.network),
        stamps=lambda w: PLAN.download_contents(w.network),
    script:
        "../scripts/run_stage.py"


# Fluxes and measured drivers of the archives of one network; archives that were read before are not read again.
rule read_network:
    input:
        nameable(lambda w: PLAN.network_files(w.run, w.network)),
    output:
        table=ANY(File.NETWORK_RECORDS),
        sites=ANY(File.NETWORK_SITES),
        aside=ANY(File.NETWORK_ASIDE),
    log:
        ANY.log("read_network", "{network}"),
    benchmark:
        ANY.benchmark("read_network", "{network}")
    conda:
        ENV
    threads: 4
    resources:
        **needs("read_network"),
    params:
        stage="tamrl.towers.stage.read_network",
        options=lambda w: plain_values(CONFIGS[w.run].towers.plugin_options(w.network)),
        reading=section("towers", Reading),
        step=MAIN.time.step,
        archives=at(File.NETWORK_ARCHIVES),
        paths=lambda w: PLAN.network_files(w.run, w.network),
        stamps=stamps(lambda w: PLAN.network_files(w.run, w.network)),
        code=lambda w: made_by("tamrl.towers.stage", f"{registry.NETWORKS}.{w.network}"),
    script:
        "../scripts/run_stage.py"


# Mean fluxes over periods at further places.
rule read_sums:
    input:
        nameable(of_run(PLAN.sum_files)),
        towers=ANY(File.TOWERS),
        known=of_networks(File.NETWORK_SITES),
    output:
        table=ANY(File.SUMS),
        places=ANY(File.SUM_PLACES),
    log:
        ANY.log("read_sums"),
    benchmark:
        ANY.benchmark("read_sums")
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.towers.sums.read_sums",
        sums=key("towers", "sums"),
        screening=section("towers", Screening),
        stamps=stamps(of_run(PLAN.sum_files)),
        code=code("tamrl.towers.sums"),
    script:
        "../scripts/run_stage.py"


# All networks in one table, judged by the quality tests.
rule harmonise_towers:
    input:
        nameable(PLAN.climate_map()[0]),
        tables=of_networks(File.NETWORK_RECORDS),
        sites=of_networks(File.NETWORK_SITES),
        aside=of_networks(File.NETWORK_ASIDE),
    output:
        records=ANY(File.RECORDS),
        towers=ANY(File.TOWERS),
        geojson=ANY(File.TOWERS_GEOJSON),
        quality=ANY(File.QUALITY),
        credits=[ANY(File.CITATIONS), ANY(File.ACKNOWLEDGEMENTS)],
    log:
        ANY.log("harmonise_towers"),
    benchmark:
        ANY.benchmark("harmonise_towers")
    conda:
        ENV
    resources:
        **needs("harmonise_towers"),
    params:
        stage="tamrl.towers.stage.harmonise_towers",
        screening=section("towers", Screening),
        step=MAIN.time.step,
        koppen=PLAN.climate_map()[1],
        virtual=VIRTUAL,
        stamps=stamps(PLAN.climate_map()[0], packaged),
        code=lambda w: made_by("tamrl.towers.stage", *plugins(registry.NETWORKS, CONFIGS[w.run].towers.networks)),
    script:
        "../scripts/run_stage.py"

# Tower networks: read each, then harmonise, judge and merge.
rule download_towers:
    input:
        sources="config/sources.tsv",
        snapshot=nameable(lambda w: configuration.snapshot(MAIN) if w.network == "shuttle" else None),
    output:
        folder=directory("downloads/{network}"),
    log:
        f"{BASE}/logs/download_towers/{{network}}.log",
    benchmark:
        f"{BASE}/benchmarks/download_towers/{{network}}.tsv"
    retries: 2
    conda:
        ENV
    params:
        options=fetch_options,
        stamps=download_contents,
    script:
        "../scripts/download_towers.py"


rule read_network:
    input:
        nameable(network_files),
    output:
        table=f"{RUN}/towers/{{network}}.parquet",
        sites=f"{RUN}/towers/{{network}}_sites.csv",
        aside=f"{RUN}/towers/{{network}}_aside.csv",
    log:
        f"{RUN}/logs/read_network/{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/read_network/{{network}}.tsv"
    conda:
        ENV
    threads: 4
    resources:
        **needs("read_network"),
    params:
        paths=network_files,
        options=options("towers"),
        reading=section("towers", "partitioning", "ustar", "strict"),
        step=MAIN.time.step,
        store=lambda w: f"results/{w.run}/towers/archives/{w.network}",
        stamps=stamps(network_files),
        code=lambda w: made_by("tamrl.towers.stage", f"{registry.NETWORKS}.{w.network}"),
    script:
        "../scripts/read_network.py"


rule harmonise_towers:
    input:
        tables=lambda w: expand(f"{RUN}/towers/{{network}}.parquet", run=w.run, network=CONFIGS[w.run].towers.networks),
        sites=lambda w: expand(f"{RUN}/towers/{{network}}_sites.csv", run=w.run, network=CONFIGS[w.run].towers.networks),
        aside=lambda w: expand(f"{RUN}/towers/{{network}}_aside.csv", run=w.run, network=CONFIGS[w.run].towers.networks),
        maps=nameable(climate_map()[0]),
    output:
        table=f"{RUN}/towers/towers.parquet",
        towers=f"{RUN}/towers/towers.csv",
        geojson=f"{RUN}/towers/towers.geojson",
        quality=f"{RUN}/towers/quality.csv",
        citations=f"{RUN}/towers/citations.bib",
        acknowledgements=f"{RUN}/towers/acknowledgements.txt",
    log:
        f"{RUN}/logs/harmonise_towers.log",
    benchmark:
        f"{RUN}/benchmarks/harmonise_towers.tsv"
    conda:
        ENV
    resources:
        **needs("harmonise_towers"),
    params:
        towers=section("towers", "exclude", "managed", "quality"),
        step=MAIN.time.step,
        koppen=climate_map()[1],
        virtual=VIRTUAL,
        stamps=stamps(climate_map()[0], packaged),
        code=lambda w: made_by("tamrl.towers.stage", *plugins(registry.NETWORKS, CONFIGS[w.run].towers.networks)),
    script:
        "../scripts/harmonise_towers.py"

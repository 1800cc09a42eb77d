# The atlas: what regions take up in each month, the program that shows it, and the folder that opens in a browser.
from glob import glob


rule sum_regions:
    input:
        manifests=lambda w: predictions(w, ".json"),
        cube=rules.build_cube.output.cube,
    output:
        regions=f"{RUN}/regions.csv",
    log:
        f"{RUN}/logs/sum_regions.log",
    benchmark:
        f"{RUN}/benchmarks/sum_regions.tsv"
    conda:
        ENV
    params:
        stores=lambda w: predictions(w, ".zarr"),
        labels=MAIN.time.labels,
        maps=section("maps", "vegetated_only"),
        virtual=VIRTUAL,
        code=code("tamrl.atlas.stage"),
    script:
        "../scripts/sum_regions.py"


# Shared by all runs: needs the npm registry, so it runs where Snakemake itself does.
rule build_site:
    input:
        sources=sorted(glob("tamrl/atlas/site/*.*")),
    output:
        site=directory("downloads/atlas"),
    log:
        "downloads/logs/build_site.log",
    conda:
        ENV
    params:
        code=code("tamrl.atlas.bundle"),
    script:
        "../scripts/build_site.py"


rule build_atlas:
    input:
        maps=MAPPED.get("maps", []),
        compared=nameable(REFERENCE),
        applicability=f"{BASE}/maps/applicability.nc",
        cube=rules.build_cube.output.cube,
        regions=f"{BASE}/regions.csv",
        predictions=f"{BASE}/evaluation/predictions.parquet",
        metrics=f"{BASE}/evaluation/site_metrics.csv",
        calibration=f"{BASE}/evaluation/calibration.json",
        dissimilarity=f"{BASE}/evaluation/dissimilarity.csv",
        towers=f"{BASE}/towers/towers.csv",
        credits=[f"{BASE}/towers/citations.bib", f"{BASE}/towers/acknowledgements.txt"],
        site=rules.build_site.output.site,
        template="tamrl/atlas/site/index.html",
    output:
        atlas=directory(f"{BASE}/atlas"),
    log:
        f"{BASE}/logs/build_atlas.log",
    benchmark:
        f"{BASE}/benchmarks/build_atlas.tsv"
    conda:
        ENV
    params:
        reference=REFERENCE,
        about={
            "title": MAIN.evaluation.title,
            "run": MAIN.run,
            "labels": list(MAIN.time.labels),
            "step": MAIN.time.step,
            "model": MAIN.inference.model,
            "reference": MAIN.evaluation.reference.label if MAIN.evaluation.reference else None,
            "quantum": MAIN.atlas.quantum if MAIN.atlas else None,
            "config_digest": configuration.digest(MAIN),
        },
        virtual=VIRTUAL,
        stamps=stamps(REFERENCE, "downloads/atlas"),
        code=code("tamrl.atlas.stage"),
    script:
        "../scripts/build_atlas.py"

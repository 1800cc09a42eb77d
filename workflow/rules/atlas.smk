# The atlas: the program that shows a run, and the folder that opens in a browser.


# Shared by all runs: needs the npm registry, so it runs where Snakemake itself does.
rule build_site:
    output:
        site=directory(DOWNLOADS.atlas),
    log:
        DOWNLOADS.log("build_site"),
    localrule: True
    conda:
        ENV
    params:
        stage="tamrl.atlas.bundle.build_site",
        stamps=shipped("atlas/site/*.*"),
        code=code("tamrl.atlas.bundle"),
    script:
        "../scripts/run_stage.py"


# The folder of a run that opens in a browser.
rule build_atlas:
    input:
        nameable(PLAN.reference()),
        PLAN.maps(),
        PLAN.manifests(MAIN.run),
        THIS(File.APPLICABILITY),
        THIS(File.CUBE),
        THIS(File.REGIONS),
        THIS(File.TOWER_PREDICTIONS),
        THIS(File.SITE_METRICS),
        THIS(File.CALIBRATION),
        THIS(File.DISSIMILARITY),
        THIS(File.TOWERS),
        THIS(File.CITATIONS),
        THIS(File.ACKNOWLEDGEMENTS),
        site=DOWNLOADS.atlas,
    output:
        atlas=directory(THIS(File.ATLAS)),
    log:
        THIS.log("build_atlas"),
    benchmark:
        THIS.benchmark("build_atlas")
    conda:
        ENV
    params:
        stage="tamrl.atlas.stage.build_atlas",
        folder=THIS.folder,
        reference=PLAN.reference(),
        description=PLAN.description,
        quantum=MAIN.atlas.quantum if MAIN.atlas else None,
        vegetated_only=MAIN.maps.vegetated_only,
        stamps=stamps(PLAN.reference(), DOWNLOADS.atlas, shipped("atlas/site/index.html")),
        code=code("tamrl.atlas.stage"),
    script:
        "../scripts/run_stage.py"

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
        maps=PLAN.maps(),
        applicability=THIS(File.APPLICABILITY),
        cube=THIS(File.CUBE),
        regions=THIS(File.REGIONS),
        predictions=THIS(File.TOWER_PREDICTIONS),
        metrics=THIS(File.SITE_METRICS),
        calibration=THIS(File.CALIBRATION),
        dissimilarity=THIS(File.DISSIMILARITY),
        towers=THIS(File.TOWERS),
        credits=[THIS(File.CITATIONS), THIS(File.ACKNOWLEDGEMENTS)],
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
        reference=PLAN.reference(),
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
        stamps=stamps(PLAN.reference(), DOWNLOADS.atlas, shipped("atlas/site/index.html")),
        code=code("tamrl.atlas.stage"),
    script:
        "../scripts/run_stage.py"

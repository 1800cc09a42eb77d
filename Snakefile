# Flux towers, ERA5 and MODIS to global maps of GPP, RECO and NEE. See README.md and docs/architecture.md.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/twin.smk"
include: "workflow/rules/towers.smk"
include: "workflow/rules/drivers.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/inference.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/atlas.smk"
include: "workflow/rules/adaptation.smk"


if GRIDDED and not MAIN.twin and workflow.is_main_process:
    print(f"{MAIN.run} will need", *estimated_needs(), sep="\n  ", file=sys.stderr)


# Parameters are values: braces in a title, a label or a path are text, where Snakemake by itself fills wildcards in.
for each in workflow.rules:
    for name, value in [*each.params.items()]:
        setattr(each.params, name, value if callable(value) else literal(value))


wildcard_constraints:
    run="|".join(CONFIGS),
    network="|".join(registry.names(registry.NETWORKS)),
    model="|".join(MODELS),
    drivers="grid|tower",
    fold=r"all|\d+|test",
    member=r"\d+",
    flux="gpp|reco|nee",
    label=r"\d{4}|climatology",


# On a cluster these stay where Snakemake runs: seconds each, or in want of the net, which compute nodes often lack.
localrules:
    all,
    atlas,
    build_site,
    download_towers,
    download_drivers,
    split_sites,
    write_summary,
    write_adaptation,


rule all:
    input:
        rules.write_adaptation.output if MAIN.adaptation else FINAL + ATLAS,


rule atlas:
    input:
        ATLAS,


onsuccess:
    print(f"In all: {told(BASE)}")
    print(
        f"Done. Table: {BASE}/adaptation/adaptation.md   Predictions: {BASE}/adaptation/"
        if MAIN.adaptation
        else f"Done. {f'Maps: {BASE}/maps/   ' if GRIDDED else ''}Report: {BASE}/report.html   Numbers: {BASE}/summary.md"
        + (f"   Look: {BASE}/atlas/index.html" if ATLAS else "")
    )


onerror:
    print(f"In all: {told(BASE)}")
    print(f"Stopped. Every finished step is kept: mend the cause and give the same command again. Logs: {BASE}/logs/")

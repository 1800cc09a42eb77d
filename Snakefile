# Flux towers, ERA5 and MODIS to global maps of GPP, RECO and NEE. See README.md and docs/architecture.md.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


FINAL = [THIS(file) for file in (File.REPORT, File.CHECKS, File.PROVENANCE, File.SUMMARY)]
FINAL += [THIS(File.DRIVER_COMPARISON), *ATLAS] if GRIDDED else []


include: "workflow/rules/twin.smk"
include: "workflow/rules/towers.smk"
include: "workflow/rules/drivers.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/inference.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/atlas.smk"
include: "workflow/rules/adaptation.smk"
include: "workflow/rules/search.smk"


# Parameters are values, with the paths that Snakemake gives the inputs and outputs.
for each in workflow.modifier.rules:
    for name, value in [*each.params.items()]:
        setattr(each.params, name, literal(value))


wildcard_constraints:
    run="|".join(CONFIGS),
    network="|".join(registry.names(registry.NETWORKS)),
    model="|".join(PLAN.models),
    drivers="grid|tower",
    fold=r"all|\d+|test",
    member=r"\d+",
    flux="gpp|reco|nee",
    label=r"\d{4}|climatology",


# Everything that the configuration asks for; with `adaptation` no maps are made, and a run that makes none has its scores too.
rule all:
    input:
        SEARCH_FILES if MAIN.search else (ADAPTATION_FILES if MAIN.adaptation else []),
        [] if MAIN.search or (MAIN.adaptation and GRIDDED) else FINAL,
    localrule: True


# The atlas alone.
rule atlas:
    input:
        ATLAS,
    localrule: True


onstart:
    if NEEDS := data_needs(MAIN):
        print(f"{MAIN.run} will need", *NEEDS, sep="\n  ", file=sys.stderr)


onsuccess:
    print(*closing_lines(BASE, good=True), sep="\n")


onerror:
    print(*closing_lines(BASE, good=False), sep="\n")

"""Adapt the members of each fold to its held-out towers."""

from tamrl.adaptation.stage import adapt_towers
from tamrl.log import to_file

to_file(snakemake.log[0])
adapt_towers(
    samples=snakemake.input.samples,
    splits=snakemake.input.splits,
    models=snakemake.input.models,
    scores=snakemake.output.scores,
    predictions=snakemake.output.predictions,
    model=snakemake.wildcards.model,
    adaptation=snakemake.params.adaptation,
    qc=snakemake.params.qc,
    spinup=snakemake.params.spinup,
    virtual=snakemake.params.virtual,
)

"""Predict the held-out towers with every member."""

from tamrl.inference.stage import predict_towers
from tamrl.log import to_file

to_file(snakemake.log[0])
predict_towers(
    samples=snakemake.input.samples,
    splits=snakemake.input.splits,
    models=snakemake.input.models,
    table=snakemake.output.table,
    model=snakemake.wildcards.model,
    drivers=snakemake.wildcards.drivers,
    inference=snakemake.params.inference,
)

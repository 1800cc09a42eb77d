"""Say how unlike each held-out tower is to those that trained without it."""

from tamrl.log import to_file
from tamrl.uncertainty.stage import assess_towers

to_file(snakemake.log[0])
assess_towers(
    samples=snakemake.input.samples,
    splits=snakemake.input.splits,
    output=snakemake.output.table,
    features=snakemake.params.features,
    virtual=snakemake.params.virtual,
)

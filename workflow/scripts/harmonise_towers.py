"""Merge the networks and keep the records to trust."""

from tamrl.log import to_file
from tamrl.towers.stage import harmonise_towers

to_file(snakemake.log[0])
harmonise_towers(
    tables=snakemake.input.tables,
    sites=snakemake.input.sites,
    merged=snakemake.output.table,
    towers_csv=snakemake.output.towers,
    quality=snakemake.output.quality,
    towers=snakemake.params.towers,
    step=snakemake.params.step,
)

"""Merge the networks and keep the records to trust."""

from tamrl.log import to_file
from tamrl.towers.stage import harmonise_towers

to_file(snakemake.log[0])
harmonise_towers(
    tables=snakemake.input.tables,
    sites=snakemake.input.sites,
    aside=snakemake.input.aside,
    merged=snakemake.output.table,
    towers_csv=snakemake.output.towers,
    towers_geojson=snakemake.output.geojson,
    quality=snakemake.output.quality,
    citations_bib=snakemake.output.citations,
    acknowledgements=snakemake.output.acknowledgements,
    towers=snakemake.params.towers,
    step=snakemake.params.step,
    koppen=snakemake.params.koppen,
    virtual=snakemake.params.virtual,
)

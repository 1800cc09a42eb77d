"""Fetch one item of a source of drivers for one year."""

from tamrl.drivers.stage import download_drivers
from tamrl.log import to_file

to_file(snakemake.log[0])
download_drivers(
    folder=snakemake.output.folder,
    source=snakemake.wildcards.source,
    item=snakemake.wildcards.item,
    year=int(snakemake.wildcards.year),
    options=snakemake.params.options,
)

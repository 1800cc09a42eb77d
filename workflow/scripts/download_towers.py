"""Download a network's public files."""

from tamrl.log import to_file
from tamrl.towers.stage import download_towers

to_file(snakemake.log[0])
download_towers(
    sources=snakemake.input.sources,
    folder=snakemake.output.folder,
    network=snakemake.wildcards.network,
    options=snakemake.params.options,
)

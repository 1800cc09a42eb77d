"""Bring one dynamic variable onto the grid of the maps."""

from tamrl.drivers.stage import build_driver
from tamrl.log import to_file

to_file(snakemake.log[0])
build_driver(
    part=snakemake.output.part,
    name=snakemake.wildcards.variable,
    threads=snakemake.threads,
    **{key: value for key, value in snakemake.params.items() if key not in ("code", "stamps")},
)

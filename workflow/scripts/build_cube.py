"""Bring all drivers onto the grid of the maps."""

from tamrl.drivers.stage import build_cube
from tamrl.log import to_file

to_file(snakemake.log[0])
build_cube(
    parts=list(snakemake.input.parts),
    cube=snakemake.output.cube,
    threads=snakemake.threads,
    **{key: value for key, value in snakemake.params.items() if key not in ("code", "stamps")},
)

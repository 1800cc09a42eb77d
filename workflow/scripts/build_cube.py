"""Bring all drivers onto the grid of the maps."""

from tamrl.drivers.stage import build_cube
from tamrl.log import to_file

to_file(snakemake.log[0])
build_cube(
    paths=list(snakemake.input.files),
    parts=list(snakemake.input.parts),
    cube=snakemake.output.cube,
    drivers=snakemake.params.drivers,
    time=snakemake.params.time,
    resolution=snakemake.params.resolution,
    threads=snakemake.threads,
)

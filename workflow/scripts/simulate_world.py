"""Simulate the virtual Earth."""

from tamrl.log import to_file
from tamrl.twin.stage import simulate_world

to_file(snakemake.log[0])
simulate_world(
    world=snakemake.output.world,
    twin=snakemake.params.twin,
    time=snakemake.params.time,
    resolution=snakemake.params.resolution,
    seed=snakemake.params.seed,
)

"""Drivers that place and date tell, for a run without grids."""

from tamrl.drivers.stage import place_drivers
from tamrl.log import to_file

to_file(snakemake.log[0])
place_drivers(
    table=snakemake.input.table,
    towers=snakemake.input.towers,
    drivers=snakemake.output.drivers,
    names=snakemake.params.names["variables"],
    step=snakemake.params.step,
    co2=snakemake.params.co2,
)

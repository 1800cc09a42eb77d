"""Take the drivers at the towers from the cube."""

from tamrl.drivers.stage import collocate_drivers
from tamrl.log import to_file

to_file(snakemake.log[0])
collocate_drivers(
    cube=snakemake.input.cube,
    towers=snakemake.input.towers,
    drivers=snakemake.output.drivers,
    max_distance_km=snakemake.params.max_distance_km,
)

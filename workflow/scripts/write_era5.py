"""Write the virtual weather as ERA5 files of the Climate Data Store."""

from tamrl.log import to_file
from tamrl.twin.stage import write_era5

to_file(snakemake.log[0])
write_era5(
    world=snakemake.input.world,
    folder=snakemake.output.folder,
    twin=snakemake.params.twin,
)

"""Write the virtual vegetation as MODIS climate-modelling-grid files."""

from tamrl.log import to_file
from tamrl.twin.stage import write_modis

to_file(snakemake.log[0])
write_modis(
    world=snakemake.input.world,
    folder=snakemake.output.folder,
    twin=snakemake.params.twin,
    seed=snakemake.params.seed,
)

"""Write land cover, climate zones and elevation of the virtual Earth."""

from tamrl.log import to_file
from tamrl.twin.stage import write_static

to_file(snakemake.log[0])
write_static(
    world=snakemake.input.world,
    folder=snakemake.output.folder,
    co2=snakemake.output.co2,
    twin=snakemake.params.twin,
    seed=snakemake.params.seed,
)

"""Write the virtual towers as FLUXNET archives."""

from tamrl.log import to_file
from tamrl.twin.stage import write_archives

to_file(snakemake.log[0])
write_archives(
    world=snakemake.input.world,
    fluxnet2015=snakemake.output.fluxnet2015,
    fluxnet=snakemake.output.fluxnet,
    twin=snakemake.params.twin,
    seed=snakemake.params.seed,
)

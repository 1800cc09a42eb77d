"""Write the true fluxes of the virtual Earth."""

from tamrl.log import to_file
from tamrl.twin.stage import write_truth

to_file(snakemake.log[0])
write_truth(
    world=snakemake.input.world,
    files=list(snakemake.output),
)

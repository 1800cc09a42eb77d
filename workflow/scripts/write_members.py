"""Write the members of a flux."""

from tamrl.log import to_file
from tamrl.maps.stage import write_members

to_file(snakemake.log[0])
write_members(
    manifest=snakemake.input.manifest,
    cube=snakemake.input.cube,
    output=snakemake.output.members,
    flux=snakemake.wildcards.flux,
    label=snakemake.wildcards.label,
    **snakemake.params,
)

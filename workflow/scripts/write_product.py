"""Write a further product of a flux."""

from tamrl.log import to_file
from tamrl.maps.stage import write_product

to_file(snakemake.log[0])
write_product(
    product=snakemake.wildcards.product,
    manifest=snakemake.input.manifest,
    cube=snakemake.input.cube,
    calibration=snakemake.input.calibration,
    applicability=snakemake.input.applicability,
    output=snakemake.output.map,
    flux=snakemake.wildcards.flux,
    label=snakemake.wildcards.label,
    **snakemake.params,
)

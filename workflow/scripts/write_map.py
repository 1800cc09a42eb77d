"""Write mean, spread and calibrated quantiles of a flux."""

from tamrl.log import to_file
from tamrl.maps.stage import write_map

to_file(snakemake.log[0])
write_map(
    manifest=snakemake.input.manifest,
    cube=snakemake.input.cube,
    calibration=snakemake.input.calibration,
    applicability=snakemake.input.applicability,
    output=snakemake.output.map,
    flux=snakemake.wildcards.flux,
    label=snakemake.wildcards.label,
    **snakemake.params,
)

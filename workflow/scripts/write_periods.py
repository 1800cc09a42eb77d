"""Write the means of all fluxes over calendar months, years or eight days."""

from tamrl.log import to_file
from tamrl.maps.means.stage import write_periods

to_file(snakemake.log[0])
write_periods(
    manifest=snakemake.input.manifest,
    cube=snakemake.input.cube,
    outputs=snakemake.output.maps,
    label=snakemake.wildcards.label,
    period=snakemake.wildcards.period,
    **snakemake.params,
)

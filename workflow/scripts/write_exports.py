"""Write GeoTIFF, Zarr and a STAC catalogue of a label's maps."""

from tamrl.log import to_file
from tamrl.maps.stage import write_exports

to_file(snakemake.log[0])
write_exports(
    maps=snakemake.input.maps,
    monthly=snakemake.input.monthly,
    output=snakemake.output.folder,
    label=snakemake.wildcards.label,
    **snakemake.params,
)

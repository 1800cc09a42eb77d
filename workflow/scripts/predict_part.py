"""Predict a share of the tiles of a map with every member."""

from tamrl.inference.stage import predict_part
from tamrl.log import to_file

to_file(snakemake.log[0])
predict_part(
    cube=snakemake.input.cube,
    models=snakemake.input.models,
    previous=snakemake.input.get("previous") or None,
    output=snakemake.output.part,
    label=snakemake.wildcards.label,
    part=int(snakemake.wildcards.part),
    threads=snakemake.threads,
    store=snakemake.params.store,
    tile=snakemake.params.tile,
    min_land_fraction=snakemake.params.min_land_fraction,
    inference=snakemake.params.inference,
    parts=snakemake.params.parts,
)

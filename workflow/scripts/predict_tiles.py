"""Predict the globe with every member, tile by tile."""

from tamrl.inference.stage import predict_tiles
from tamrl.log import to_file

to_file(snakemake.log[0])
predict_tiles(
    cube=snakemake.input.cube,
    models=snakemake.input.models,
    manifest=snakemake.output.manifest,
    label=snakemake.wildcards.label,
    store=snakemake.params.store,
    tile=snakemake.params.tile,
    min_land_fraction=snakemake.params.min_land_fraction,
    inference=snakemake.params.inference,
    threads=snakemake.threads,
    nodes=snakemake.resources.get("nodes", 1),
    launcher=snakemake.resources.get("mpi", ""),
    previous=snakemake.input.get("previous") or None,
)

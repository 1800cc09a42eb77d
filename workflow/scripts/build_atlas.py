"""Write the atlas of a run."""

from tamrl.atlas.stage import build_atlas
from tamrl.log import to_file

to_file(snakemake.log[0])
params = {name: value for name, value in snakemake.params.items() if name != "stamps"}
build_atlas(**snakemake.input, **snakemake.output, **params)

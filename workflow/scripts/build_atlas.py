"""Write the atlas of a run."""

from tamrl.atlas.stage import build_atlas
from tamrl.log import to_file

to_file(snakemake.log[0])
inputs = {name: value for name, value in snakemake.input.items() if name != "compared"}
params = {name: value for name, value in snakemake.params.items() if name != "stamps"}
build_atlas(**inputs, **snakemake.output, **params)

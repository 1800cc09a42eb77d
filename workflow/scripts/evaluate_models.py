"""Score held-out towers and calibrate the intervals."""

from tamrl.evaluation.stage import evaluate_models
from tamrl.log import to_file

to_file(snakemake.log[0])
params = {name: value for name, value in snakemake.params.items() if name != "code"}
evaluate_models(**snakemake.input, **snakemake.output, **params)

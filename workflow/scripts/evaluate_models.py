"""Score held-out towers and calibrate the intervals."""

from tamrl.evaluation.stage import evaluate_models
from tamrl.log import to_file

to_file(snakemake.log[0])
evaluate_models(
    members=snakemake.input.members,
    towers=snakemake.input.towers,
    samples=snakemake.input.samples,
    predictions=snakemake.output.predictions,
    metrics=snakemake.output.metrics,
    calibration=snakemake.output.calibration,
    scheme=snakemake.params.scheme,
    qc=snakemake.params.qc,
    map_model=snakemake.params.map_model,
    step=snakemake.params.step,
    gridded=snakemake.params.gridded,
)

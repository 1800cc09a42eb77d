"""Train one member of a model on the towers of a fold."""

from tamrl.log import to_file
from tamrl.training.stage import train_model

to_file(snakemake.log[0])
train_model(
    samples=snakemake.input.samples,
    splits=snakemake.input.splits,
    output=snakemake.output.model,
    model=snakemake.wildcards.model,
    fold=snakemake.wildcards.fold,
    member=snakemake.wildcards.member,
    features=snakemake.params.features,
    training=snakemake.params.training,
    plugin=snakemake.params.plugin,
    options=snakemake.params.options,
    step=snakemake.params.step,
    seed=snakemake.params.seed,
)

"""Decide which towers are held out together."""

from tamrl.log import to_file
from tamrl.samples.stage import split_sites

to_file(snakemake.log[0])
split_sites(
    towers=snakemake.input.towers,
    test_sites=snakemake.params.splits["test_sites"] or [],
    output=snakemake.output.splits,
    splits=snakemake.params.splits,
    samples=snakemake.input.samples,
    seed=snakemake.params.seed,
)

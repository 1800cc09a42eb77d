"""Put drivers and fluxes of all towers side by side."""

from tamrl.log import to_file
from tamrl.samples.stage import build_samples

to_file(snakemake.log[0])
build_samples(
    table=snakemake.input.table,
    towers=snakemake.input.towers,
    drivers=snakemake.input.drivers,
    grid=snakemake.output.grid,
    tower=snakemake.output.tower,
    features=snakemake.params.features,
    step=snakemake.params.step,
)

"""Compare gridded drivers with those measured at the towers."""

from tamrl.drivers.stage import compare_drivers
from tamrl.log import to_file

to_file(snakemake.log[0])
compare_drivers(
    drivers=snakemake.input.drivers,
    table=snakemake.input.table,
    towers=snakemake.input.towers,
    comparison=snakemake.output.comparison,
    subsets=snakemake.params.subsets,
    virtual=snakemake.params.virtual,
)

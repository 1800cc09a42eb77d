"""Sum the members over regions."""

from tamrl.log import to_file
from tamrl.maps.stage import sum_budgets

to_file(snakemake.log[0])
sum_budgets(
    manifests=snakemake.input.manifests,
    cube=snakemake.input.cube,
    output=snakemake.output.budgets,
    members=snakemake.output.members,
    trends=snakemake.output.trends,
    predictions=snakemake.params.stores,
    labels=snakemake.params.labels,
    maps=snakemake.params.maps,
    virtual=snakemake.params.virtual,
)

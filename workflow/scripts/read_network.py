"""Read one network into a table of records and a table of sites."""

from tamrl.log import to_file
from tamrl.towers.stage import read_network

to_file(snakemake.log[0])
read_network(
    paths=snakemake.params.paths,
    table=snakemake.output.table,
    sites=snakemake.output.sites,
    aside=snakemake.output.aside,
    network=snakemake.wildcards.network,
    options=snakemake.params.options,
    step=snakemake.params.step,
    store=snakemake.params.store,
    threads=snakemake.threads,
    **snakemake.params.reading,
)

"""Sum the members over regions and months."""

from tamrl.atlas.stage import sum_regions
from tamrl.log import to_file

to_file(snakemake.log[0])
sum_regions(
    manifests=snakemake.input.manifests,
    cube=snakemake.input.cube,
    output=snakemake.output.regions,
    predictions=snakemake.params.stores,
    labels=snakemake.params.labels,
    maps=snakemake.params.maps,
    virtual=snakemake.params.virtual,
)

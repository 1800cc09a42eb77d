"""Write the mean seasonal cycle of all fluxes over the mapped years."""

from tamrl.log import to_file
from tamrl.maps.means.stage import write_seasonal

to_file(snakemake.log[0])
write_seasonal(
    manifests=snakemake.input.manifests,
    cube=snakemake.input.cube,
    outputs=snakemake.output.maps,
    predictions=snakemake.params.stores,
    labels=snakemake.params.labels,
    maps=snakemake.params.maps,
    run=snakemake.params.run,
    config_digest=snakemake.params.config_digest,
    code=snakemake.params.code,
    virtual=snakemake.params.virtual,
)

"""Compare the adapted models in a table and a picture."""

from tamrl.evaluation.adaptation import write_adaptation
from tamrl.log import to_file

to_file(snakemake.log[0])
write_adaptation(
    scores=snakemake.input.scores,
    table=snakemake.output.table,
    page=snakemake.output.page,
    picture=snakemake.output.picture,
    config=snakemake.params.config,
    config_digest=snakemake.params.config_digest,
)

"""Record how the run came about."""

from tamrl.log import to_file
from tamrl.record import record_provenance

to_file(snakemake.log[0])
record_provenance(
    cube=snakemake.input.get("cube"),
    inputs=snakemake.input.tables,
    raw=snakemake.params.raw,
    outputs=[snakemake.input.report, *snakemake.input.products],
    output=snakemake.output.provenance,
    config=snakemake.params.config,
    config_digest=snakemake.params.config_digest,
    benchmarks=snakemake.params.benchmarks,
    threads=snakemake.threads,
)

"""Write the report of a run without grids: models side by side at held-out towers."""

from tamrl.evaluation.report.gridless import write_scores
from tamrl.log import to_file

to_file(snakemake.log[0])
write_scores(**snakemake.input, **snakemake.output, **snakemake.params)

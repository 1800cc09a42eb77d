"""Write the report of a run: one HTML file, and its figures."""

from tamrl.evaluation.report.stage import write_report
from tamrl.log import to_file

to_file(snakemake.log[0])
inputs = {name: value for name, value in snakemake.input.items() if name != "compared"}
params = {name: value for name, value in snakemake.params.items() if name != "stamps"}
write_report(**inputs, **snakemake.output, **params)

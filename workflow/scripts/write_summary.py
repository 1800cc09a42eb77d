"""Write the numbers of a run on one page."""

from tamrl.evaluation.summary import write_summary
from tamrl.log import to_file

to_file(snakemake.log[0])
params = {name: value for name, value in snakemake.params.items() if name != "code"}
write_summary(**snakemake.input, **params, output=snakemake.output.summary)

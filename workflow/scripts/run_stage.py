"""Run the stage of a rule: the function that `params.stage` names, with what the rule names after its arguments."""

from tamrl.workflow import run_job

run_job(snakemake)

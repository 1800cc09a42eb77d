"""What Snakemake plans in the working folder, as JSON: jobs with what they read, and rules that an overwritten file reruns.

One process plans many times, as most of a dry run goes into starting it: `planned.py CONFIG ... [-- FILE ...]`.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, ExecutionSettings, OutputSettings, Quietness, ResourceSettings


def dag(configs: list[str], **settings):
    """The graph of jobs of a dry run."""
    given = ConfigSettings(configfiles=[Path(config) for config in configs])
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(resource_settings=ResourceSettings(cores=1), config_settings=given)
        planned = workflow.dag(DAGSettings(**settings))
        planned.execute_workflow(executor="dryrun", execution_settings=ExecutionSettings(lock=False))
        return workflow._workflow.dag


def jobs(configs: list[str]) -> list[dict]:
    """Every job, whether it would run or not: what it reads that no job makes, what it writes and whether that is a folder."""
    graph = dag(configs, forceall=True)
    made = {job: {str(file) for files in graph.dependencies[job].values() for file in files} for job in graph.jobs}
    return [
        {
            "rule": job.rule.name,
            "reads": sorted({str(file) for file in job.input}),
            "raw": sorted({str(file) for file in job.input} - made[job]),
            "writes": {str(file): bool(file.is_directory) for file in job.output},
            "stamps": job.params.get("stamps"),
        }
        for job in graph.jobs
    ]


@contextmanager
def replaced(file: Path) -> Iterator[None]:
    """The file with an older one of the same size over it, as `cp -p`, tar and rsync put it back."""
    status, before = file.stat(), file.read_bytes()
    try:
        file.write_bytes(before[::-1])
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns - 86_400 * 10**9))
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def rerun(configs: list[str]) -> list[str]:
    """Rules that are to run again for their parameters, not for what other jobs make."""
    graph = dag(configs)
    return sorted({job.rule.name for job in graph.jobs if graph.needrun(job) and graph.reason(job).params_changed})


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--" in arguments:
        cut = arguments.index("--")
        found = {}
        for name in arguments[cut + 1 :]:
            with replaced(Path(name)):
                found[name] = rerun(arguments[:cut])
        print(json.dumps(found))
    else:
        print(json.dumps(jobs(arguments)))

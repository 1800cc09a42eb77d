"""Another workflow uses the rules as a module, from a folder that has nothing of this project."""

import os
import subprocess

import pytest

from tests.workflow.conftest import PATIENCE, ROOT, SNAKEMAKE

SNAKEFILE = """
from snakemake.common.configfile import load_configfile

module tamrl:
    snakefile:
        "{root}/Snakefile"
    config:
        load_configfile("{root}/config/test.yaml")
    {place}


use rule * from tamrl as tamrl_*


# The other workflow's rule, which reads what the module makes.
rule count_towers:
    input:
        folder="{results}/test/inputs/towers/fluxnet",
    output:
        "count.txt",
    params:
        title="results/mine",
    shell:
        "ls {{input.folder}} | wc -l > {{output}}; echo {{params.title}} >> {{output}}"
"""

PLACES = {
    "prefix": ('prefix: "flux"', "flux/results", "flux/downloads"),
    "replace_prefix": ('replace_prefix: {"results/": "made/", "downloads/": "fetched/"}', "made", "fetched"),
}


@pytest.fixture(params=PLACES)
def other(request, tmp_path):
    place, results, downloads = PLACES[request.param]
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(root=ROOT, place=place, results=results))

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [SNAKEMAKE, "--cores", "2", *arguments]
        environment = os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done

    run.folder, run.results, run.downloads = tmp_path, results, downloads
    return run


def test_every_rule_can_be_planned_from_elsewhere(other):
    text = other("--dry-run", "tamrl_all").stdout
    lines = [line.strip() for line in text.splitlines()]
    paths = [
        path
        for line in lines
        if line.startswith(("input:", "output:", "log:", "benchmark:"))
        for path in line.partition(":")[2].split(", ")
    ]
    assert len(paths) > 200
    strange = {path.strip() for path in paths if not path.strip().startswith((f"{other.results}/", f"{other.downloads}/"))}
    assert not strange


def test_rules_run_from_elsewhere_with_parameters_at_their_place(other):
    """Archives, the towers read from them with what is stored of each archive, and a rule of the other workflow."""
    other("count.txt", f"{other.results}/test/towers/fluxnet.parquet")
    run = other.folder / other.results / "test"
    assert (run / "towers/archives/fluxnet").is_dir() and (run / "logs/read_network/fluxnet.log").is_file()
    assert (other.folder / "count.txt").read_text().split()[1] == "results/mine"
    assert {path.name for path in other.folder.iterdir()} <= {"Snakefile", ".snakemake", "count.txt", *_top(other)}
    assert "Nothing to be done" in other("--dry-run", f"{other.results}/test/towers/fluxnet.parquet").stdout


def _top(other) -> set[str]:
    return {other.results.split("/")[0], other.downloads.split("/")[0]}

"""A raw file that was overwritten, or an older one that was put back, reruns the rules that read it; nothing else does."""

import json
import subprocess
import sys

import pytest
import yaml

from tamrl import registry
from tests.workflow.conftest import PATIENCE, ROOT, SNAKEMAKE, Project
from tests.workflow.planned import replaced

SOURCES = [n for n in registry.names(registry.SOURCES) if "path" in registry.options(registry.SOURCES, n).model_fields]
NETWORKS = [n for n in registry.names(registry.NETWORKS) if "path" in registry.options(registry.NETWORKS, n).model_fields]
TABLES = {n for n in NETWORKS if not registry.options(registry.NETWORKS, n)().path}  # a file, which has no default
LISTS = [n for n in NETWORKS if "bif" in registry.options(registry.NETWORKS, n).model_fields]
READERS = {
    **{f"sources/{name}/2012/a.nc": {"build_cube"} for name in SOURCES},
    "sources/static/2012/a.nc": {"build_cube", "harmonise_towers"},
    **{f"networks {{x}}/{name}{'' if name in TABLES else '/a.zip'}": {"read_network"} for name in NETWORKS},
    **{f"{{lists}}/{name}.csv": {"read_network"} for name in LISTS},
    "downloads/shuttle/a.zip": {"read_network"},
    "{snap}shot.csv": {"download_towers"},
    "tamrl/data/sources.tsv": {"download_towers"},
    "{co2}.csv": {"build_cube"},
    "subsets{0}/a.nc": {"compare_drivers"},
    "{{x}}sites.txt": {"split_sites"},
    "{x}reference/gpp_2012.nc": {"write_report", "build_atlas"},
}
"""File of each kind, and the rules that must read it again; braces in their paths are text."""

CONFIGS = ("config/test.yaml", "own.yaml")


def _settings() -> dict:
    networks = {n: {"path": f"networks {{x}}/{n}"} | ({"bif": f"{{lists}}/{n}.csv"} if n in LISTS else {}) for n in NETWORKS}
    networks |= {"networks": [*NETWORKS, "shuttle"], "shuttle": {"snapshot": "{snap}shot.csv"}}
    drivers = {n: {"path": f"sources/{n}"} for n in SOURCES} | {"sources": SOURCES, "co2": "{co2}.csv", "subsets": "subsets{0}"}
    return {
        "run": "inputs",
        "twin": None,
        "towers": networks,
        "drivers": drivers,
        "splits": {"scheme": "sites", "test_sites": "{{x}}sites.txt"},
        "evaluation": {"reference": {"path": "{x}reference/{flux}_{label}.nc", "label": "another map"}},
    }


class Finished(Project):
    """A run whose outputs are empty, but recorded as finished: enough to plan."""

    def planned(self, *arguments: str):
        return json.loads(self.call(sys.executable, str(ROOT / "tests/workflow/planned.py"), *arguments).splitlines()[-1])

    def finish(self) -> None:
        for job in self.planned(*CONFIGS):
            for name, folder in job["writes"].items():
                path = self.folder / name
                (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
                path.touch()
        self.call(SNAKEMAKE, "--touch", "--forceall", "--cores", "1", "--quiet", "all", "--configfile", *CONFIGS)

    def call(self, *command: str) -> str:
        environment = self.environment | {"PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Finished:
    project = Finished(tmp_path_factory.mktemp("inputs"))
    (project.folder / "own.yaml").write_text(yaml.safe_dump(_settings()))
    for name in (*READERS, "{x}reference/reco_2012.nc", "{x}reference/nee_2012.nc"):
        file = project.folder / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("as it came\n")
    project.finish()
    return project


@pytest.fixture(scope="module")
def rerun(run) -> dict[str, list[str]]:
    """Rules that each file reruns that was replaced alone."""
    return run.planned(*CONFIGS, "--", *READERS)


@pytest.mark.parametrize("name", READERS)
def test_an_older_file_of_the_same_size_put_back_reruns_its_readers_alone(rerun, name):
    assert set(rerun[name]) == READERS[name]


def test_a_dry_run_says_so_and_has_nothing_to_do_while_nothing_changed(run):
    command = (SNAKEMAKE, "--dry-run", "--quiet", "rules", "--configfile", *CONFIGS)
    assert "Nothing to be done" in run.call(*command)
    with replaced(run.folder / "networks {x}/fluxnet/a.zip"):
        assert "params have changed since last execution:\n        read_network\n" in run.call(*command)


def test_every_rule_that_reads_a_raw_file_has_its_stamp(run):
    """Raw is what no job makes, or what one fetches; files of the package are none."""
    for job in run.planned(*CONFIGS):
        raw = {path for path in job["reads"] if path in job["raw"] or path.startswith("downloads/")}
        assert raw <= set(job["stamps"] or ()), job["rule"]
        assert job["rule"] != "download_towers" or "data/sources.tsv" in job["stamps"]


def test_what_the_virtual_earth_makes_is_raw_to_those_who_read_it(run):
    for job in run.planned("config/test.yaml"):
        raw = {p for p in job["reads"] if p.startswith("results/test/inputs/") and not p.endswith("world.zarr")}
        assert raw <= set(job["stamps"] or ()), job["rule"]


def test_installed_grids_are_known_by_version_and_checksum(run, shared_data, monkeypatch):
    monkeypatch.setenv("TAMRL_DATA", str(shared_data))
    (cube,) = (job for job in run.planned("config/real.yaml") if job["rule"] == "build_cube")
    assert {"version", "sha256"} < set(cube["stamps"]["packaged"]["koppen"])


def test_a_source_fetched_item_by_item_is_looked_at_once_it_is_there(run):
    (run.folder / "fetched.yaml").write_text("drivers: {sources: [cds_era5, modis, static], cds_era5: {download: true}}")
    (cube,) = (job for job in run.planned(*CONFIGS, "fetched.yaml") if job["rule"] == "build_cube")
    assert any(path.startswith("downloads/drivers/cds_era5/") for path in cube["stamps"])

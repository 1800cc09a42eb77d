"""Three networks of real towers at once, from their archives to maps and scores, by the workflow."""

import json
import os
import subprocess

import pandas as pd
import pytest
import xarray as xr

from tamrl import contracts
from tests.workflow.conftest import PATIENCE, PROGRAM, Project

pytestmark = pytest.mark.slow
QUICK = ("grid={resolution: 10, tile: 18}", "training={models: [tamrl, lightgbm], members: 1, steps: 60, lightgbm: {trees: 30}}")
"""As coarse and quick as a run can be: the towers are those of the whole configuration."""
WANTED = ("budgets.csv", "evaluation/site_metrics.csv", "drivers/comparison.csv", "maps/gpp_climatology.nc")


@pytest.fixture(scope="module")
def towers(tmp_path_factory, shared_data):
    project = Project(tmp_path_factory.mktemp("networks"))
    command = [arg.replace("config/test.yaml", "config/networks.yaml") for arg in project.command("--cores", "2")]
    command = [*PROGRAM, *(f"results/networks/{name}" for name in WANTED), *command[len(PROGRAM) :], "--config", *QUICK]
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=os.environ | {"TAMRL_DATA": str(shared_data), "PYTHONPATH": str(project.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project.folder / "results/networks/towers"


def test_every_tower_is_there_once_from_the_last_network_that_holds_it(towers):
    found = contracts.read_csv(str(towers / "towers.csv"), contracts.SITES).set_index("site")
    assert found["network"].value_counts().to_dict().keys() == {"metaflux", "table", "fluxnet2015"}
    assert found.loc["DE-Hai", ["network", "also_in"]].tolist() == ["fluxnet2015", "metaflux, table"]
    assert len(found) > 150 and found.index.is_unique


def test_monthly_records_of_all_three_agree_where_they_overlap(towers):
    tables = {
        n: pd.read_parquet(towers / f"{n}.parquet").set_index(["site", "date"]) for n in ("metaflux", "table", "fluxnet2015")
    }
    for one, two in (("fluxnet2015", "metaflux"), ("fluxnet2015", "table"), ("table", "metaflux")):
        both = tables[one].merge(tables[two], on=["site", "date"], suffixes=("", "_other"))
        assert len(both) > 1000
        for name, limit in {"air_temperature": 0.05, "nee": 0.1, "gpp": 0.1}.items():
            assert (both[name] - both[f"{name}_other"]).abs().median() < limit, (one, two, name)


def test_what_was_made_beside_them(towers):
    features = json.loads((towers / "towers.geojson").read_text())["features"]
    sites = pd.read_csv(towers / "towers.csv", keep_default_na=False)["site"]
    assert [f["id"] for f in features] == sites.tolist()
    assert "@article{fluxnet2015," in (towers / "citations.bib").read_text()
    assert "CC-BY-4.0" in (towers / "acknowledgements.txt").read_text()


def test_scores_and_maps_are_made(towers):
    run = towers.parent
    with xr.open_dataset(run / "maps/gpp_climatology.nc") as ds:
        assert ds.sizes["time"] == 12 and float(ds["gpp"].mean()) > 0
    held = pd.read_csv(run / "evaluation/site_metrics.csv")["site"].nunique()
    assert held > 140 and len(pd.read_csv(run / "budgets.csv")) > 3

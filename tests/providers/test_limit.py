"""How many jobs may order at the Climate Data Store at once, also in a plain call of Snakemake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, ExecutionSettings, OutputSettings, Quietness, ResourceSettings

given = ConfigSettings(configfiles=[Path("config/global.yaml")], config=json.loads(sys.argv[2]))
resources = ResourceSettings(cores=64, resources=json.loads(sys.argv[1]))
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    planned = api.workflow(resource_settings=resources, config_settings=given).dag(DAGSettings(forceall=True))
    planned.execute_workflow(executor="dryrun", execution_settings=ExecutionSettings(lock=False))
    workflow = planned.workflow_api._workflow
    jobs = [job for job in workflow.dag.jobs if job.rule.name == "download_drivers"]
    taken = {job.wildcards.source: job.resources.get("cds") for job in jobs}
    print(json.dumps([workflow.global_resources["cds"].value, taken]))
"""


def planned(tmp_path, resources, drivers):
    """The limit of orders, and how many of them a job of each source takes."""
    for name in ("fluxnet2015", "fluxnet", "static"):
        (tmp_path / "global" / name).mkdir(parents=True)
    arguments = [json.dumps(resources), json.dumps({"drivers": drivers})]
    environment = os.environ | {"TAMRL_DATA": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("resources", "limit"), [({}, 2), ({"cds": 5}, 5)])
def test_orders_are_limited_and_other_downloads_are_not(tmp_path, resources, limit):
    drivers = {"sources": ["cds_era5", "modis", "static"], "cds_era5": {"download": True}, "modis": {"download": True}}
    assert planned(tmp_path, resources, drivers) == [limit, {"cds_era5": 1, "modis": 0, "static": 0}]


@pytest.mark.parametrize(("gaps", "orders"), [("refuse", 0), ("cds_era5", 1)])
def test_orders_that_fill_gaps_of_the_public_store_count(tmp_path, gaps, orders):
    drivers = {"arco_era5": {"download": True, "gaps": gaps}, "modis": {"download": True}}
    assert planned(tmp_path, {}, drivers) == [2, {"arco_era5": orders, "modis": 0, "static": 0}]

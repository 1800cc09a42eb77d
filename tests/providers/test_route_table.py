"""The table of routes in docs/inputs.md is that of `make plan`."""

from pathlib import Path

import yaml

from tamrl import config
from tamrl.costs.data import format_routes

ROOT = Path(__file__).parents[2]


def test_the_routes_of_the_global_run_in_the_docs_are_those_of_the_plan():
    routes = format_routes(config.load(yaml.safe_load((ROOT / "config/global.yaml").read_text()))).splitlines()
    shown = (ROOT / "docs/inputs.md").read_text().splitlines()
    assert len(routes) > 8 and sorted(set(routes) - set(shown)) == []

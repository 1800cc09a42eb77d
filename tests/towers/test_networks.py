"""The contract of `towers/networks/__init__.py`, for every plug-in that is present."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts, registry, variables
from tamrl.errors import ConfigError
from tamrl.towers import public_files, sites, survey
from tamrl.towers.reader import records

NAMES = registry.names(registry.NETWORKS)
STEPS = {"metaflux": ("month",)}
OWN_TESTS = ("zarr_fluxnet2015", "shuttle")
"""Networks that cannot hold the sample rows (half hours without rain) or lie at a fixed place; their own files test them."""
CASES = [(name, step) for name in NAMES if name not in OWN_TESTS for step in STEPS.get(name, ("day", "month"))]


@pytest.mark.parametrize("name", NAMES)
def test_options_have_defaults_and_are_those_of_the_module(name):
    light, plugin = registry.options(registry.NETWORKS, name), registry.load(registry.NETWORKS, name)
    assert light().model_dump() == plugin.Options().model_dump()
    assert light.model_config["extra"] == "forbid" and light.model_config["frozen"]


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_paths_as_text(name):
    plugin = registry.load(registry.NETWORKS, name)
    try:
        found = plugin.inputs(plugin.Options())
    except ConfigError as error:
        assert f"towers.{name}" in str(error)
        return
    assert found and all(isinstance(path, str) for path in found)


def test_plugins_load_without_torch_and_pandas():
    load = f"[registry.load(registry.NETWORKS, n) for n in {NAMES}]"
    code = f"from tamrl import registry; import sys; {load}; assert not {{'torch', 'pandas', 'xarray'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(registry.load(registry.NETWORKS, n), "DOWNLOAD")])
def test_downloads_stand_in_the_table_of_sources(name, root):
    rows = public_files.read_sources(root / "tamrl/data/sources.tsv", registry.load(registry.NETWORKS, name).DOWNLOAD)
    assert len(rows) and rows["url"].str.startswith("https://").all()


def _read(name, step, sample, partitioning="NT"):
    plugin = registry.load(registry.NETWORKS, name)
    assert hasattr(sample, name), f"write a sample of {name} in tests/towers/conftest.py"
    options = plugin.Options(**getattr(sample, name)(step))
    table, places, aside = survey.read_tables(
        plugin, [Path(p) for p in plugin.inputs(options)], options, survey.SurveyPlan(step, partitioning)
    )
    assert aside.empty
    return table, places


@pytest.mark.parametrize(("name", "step"), CASES)
def test_tables_fulfil_the_contracts(name, step, sample):
    table, places = records.check_network(*_read(name, step, sample), where=name)
    contracts.check_table(table, contracts.TOWERS, where=name)
    contracts.check_table(places, contracts.SITES, where=name)
    assert list(places["site"]) == ["DE-Aaa", "NA-Bbb"]  # NA stays text
    assert set(places["network"]) == {name}
    assert places["lat"].tolist() == [51.0, -22.5] and places["lon"].tolist() == [10.5, 17.0]
    assert table.groupby("site").size().tolist() == [400 if step == "day" else 36] * 2
    assert set(sites.READING) <= set(places.columns)


@pytest.mark.parametrize(("name", "step"), CASES)
def test_drivers_are_canonical_and_fills_are_masked_and_counted(name, step, sample):
    table, places = _read(name, step, sample)
    drivers = [c for c in table.columns if c not in contracts.TOWERS.columns]
    assert {"air_temperature", "vapour_pressure_deficit", "shortwave_radiation", "precipitation"} <= set(drivers)
    assert all(variables.get(d).role == "dynamic" for d in drivers)
    row = table[table["site"] == "DE-Aaa"].iloc[7]
    assert np.isnan(row["air_temperature"]) and np.isnan(row["gpp"]) and np.isfinite(row["nee"])
    assert not (table.drop(columns=["site", "date"]) < -1000).any(axis=None)
    assert (
        table["air_temperature"].iloc[0] == pytest.approx(sample.rows(days=8)["TA_F"].iloc[0] + 273.15, abs=1e-4)
        or step == "month"
    )
    assert (places["fills_targets"] == 1).all() and (places["fills_drivers"] == 1).all()


@pytest.mark.parametrize(("name", "step"), CASES)
def test_negative_gpp_is_kept_and_partitioning_is_obeyed(name, step, sample):
    night, _ = _read(name, step, sample, "NT")
    day, _ = _read(name, step, sample, "DT")
    assert night["gpp"].min() < 0 <= day["gpp"].min()
    assert not np.allclose(night["reco"], day["reco"], equal_nan=True)
    pd.testing.assert_series_equal(night["nee"], day["nee"])


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(registry.load(registry.NETWORKS, n), "remark")])
def test_remarks_are_sentences_without_a_full_stop(name):
    plugin = registry.load(registry.NETWORKS, name)
    said = plugin.remark(plugin.Options())
    assert isinstance(said, str) and not said.endswith(".") and "\n" not in said

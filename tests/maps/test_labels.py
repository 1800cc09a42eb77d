"""What every product of a run says of itself: a virtual Earth, that it is one; each file, a title and an `id` of its own."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import rasterio
import xarray as xr

from tamrl import registry, simulated
from tamrl.carbon import FLUXES
from tamrl.grid import Grid
from tamrl.maps.means.periods import PERIODS
from tamrl.maps.origin import merge_attributes
from tests.maps.conftest import build, cube, seal
from tests.maps.test_cf import complaints
from tests.maps.test_stage import budgets

PRODUCTS = registry.names(registry.PRODUCTS)
KINDS = [*PRODUCTS, *PERIODS, "seasonal", "zarr", "geotiff", "stac"]
TOLD = ("title", "summary", "source", "comment")


@pytest.fixture(scope="module", params=[True, False], ids=["virtual", "real"])
def virtual(request) -> bool:
    return request.param


@pytest.fixture(scope="module")
def labels(virtual, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """Attributes of every file of a small run of two years, by its kind and name."""
    folder = tmp_path_factory.mktemp("run")
    years = {year: pd.date_range(f"{year}-01-01", f"{year}-12-31") for year in ("2011", "2012")}
    seal(cube(Grid(10.0), years["2011"].append(years["2012"]), {}), folder / "cube.zarr")
    worlds = [build(folder, label=year, time=time, members=2) for year, time in years.items()]
    first, second = (replace(world, virtual=virtual) for world in worlds)
    files = {product: [first.write_product(product, flux) for flux in FLUXES] for product in PRODUCTS}
    files |= {period: list(first.write_periods(period).values()) for period in PERIODS}
    files["seasonal"] = list(first.write_seasonal(second).values())
    found = {kind: {path.name: xr.open_dataset(path).attrs for path in paths} for kind, paths in files.items()}
    for world in (first, second):
        out = world.write_exports("geotiff", "zarr").rename(folder / f"exports-{world.label}")
        found |= {kind: found.get(kind, {}) | more for kind, more in exported(out).items()}
    return found


def exported(out: Path) -> dict[str, dict[str, dict]]:
    found = {"zarr": {path.name: xr.open_zarr(path).attrs for path in out.glob("*.zarr")}, "geotiff": {}, "stac": {}}
    for path in out.glob("geotiff/*.tif"):
        with rasterio.open(path) as raster:
            found["geotiff"][path.name] = raster.tags()
    for path in out.glob("stac/**/*.json"):
        entry = json.loads(path.read_text())
        found["stac"][str(path.relative_to(out))] = entry | entry.get("properties", {})
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_virtual_earth_is_named_in_every_label_and_a_real_one_in_none(labels, virtual, kind):
    assert labels[kind]
    for name, said in labels[kind].items():
        if not virtual:
            assert not any(word in json.dumps(said, default=str).lower() for word in ("virtual", "simulated")), name
            continue
        told = ("title", "description") if kind == "stac" else TOLD
        assert all(simulated.STATEMENT in said[key] for key in told), (name, said)
        assert set(simulated.KEYWORDS) <= set(said["keywords"] if kind == "stac" else said["keywords"].split(", ")), name
        if kind != "stac":
            assert (
                simulated.is_stated(said)
                and simulated.STATEMENT in said["instrument"]
                and simulated.STATEMENT in said["platform"]
            )
            assert not any(word in f"{said['instrument']} {said['source']}" for word in ("MODIS", "ERA5", "eddy")), name


def test_the_compliance_checker_finds_nothing_in_a_virtual_map_either(daily, tmp_path):
    path = replace(daily, virtual=True).write_product("ensemble", "gpp")
    assert simulated.is_stated(xr.open_dataset(path).attrs) and complaints(path, tmp_path) == []
    missing = complaints(path, tmp_path, "acdd:1.3")
    assert all("standard_name" in line or "vertical" in line for line in missing), missing


def test_real_files_name_what_they_were_made_from_as_before(labels, virtual):
    said = labels["ensemble"]["ensemble_gpp.nc"]
    assert ("eddy-covariance towers" in said["source"]) is not virtual
    assert (said["instrument"] == "eddy-covariance towers; MODIS; ERA5") is not virtual
    assert said["keywords_vocabulary"].startswith("GCMD Science Keywords")
    assert labels["zarr"]["2011.zarr"]["instrument"] == said["instrument"]


def test_no_two_files_or_entries_share_their_id_or_title(labels):
    every = [(kind, name, said) for kind, own in labels.items() for name, said in own.items()]
    for key in ("id", "title"):
        found = pd.Series([f"{said[key]}" for _, _, said in every], index=[f"{kind} {name}" for kind, name, _ in every])
        assert found.is_unique, found[found.duplicated(keep=False)].sort_values()


def test_a_merged_product_speaks_of_all_that_is_in_it(labels):
    said, single = labels["zarr"]["2011.zarr"], labels["ensemble"]
    assert said["title"].startswith("GPP, RECO and NEE 2011: ensemble mean")
    for name in ("gross primary prod", "respiration", "net ecosystem"):
        assert name in said["summary"].lower()
    for other in single.values():
        assert set(other["keywords"].split(", ")) <= set(said["keywords"].split(", "))
        assert other["predictions_sha256"] == said["predictions_sha256"] and "'ensemble'" in said["history"]
        assert set(other) <= set(said) and said["standard_name_vocabulary"] == other["standard_name_vocabulary"]
    entries = {name: entry for name, entry in labels["stac"].items() if entry["type"] == "Collection"}
    assert all(entry["title"].startswith("GPP, RECO and NEE 20") for entry in entries.values()) and len(entries) == 2


def test_attributes_that_differ_are_all_listed():
    files = [
        {"source": "a", "keywords": "x, y", "same": 1.0, "id": "1"},
        {"source": "b", "keywords": "y, z", "same": 1.0, "id": "2"},
    ]
    found = merge_attributes(files, title="both", summary="of both", product="test")
    assert (found["source"], found["keywords"], found["same"], found["title"]) == ("a; b", "x, y, z", 1.0, "both")
    assert (
        found["id"] not in ("1", "2")
        and found["id"] != merge_attributes(files[:1], title="both", summary="", product="test")["id"]
    )


def test_one_file_of_a_virtual_earth_makes_the_merged_one_virtual():
    files = [{"title": "a"}, simulated.label_attributes({"title": "b"}, True)]
    assert simulated.is_stated(merge_attributes(files, title="both", summary="of both", product="test"))


def test_totals_carry_a_column_that_says_so_even_without_rows(virtual, tmp_path):
    world = replace(build(tmp_path, label="2011", time=pd.date_range("2011-01-01", "2011-01-05")), virtual=virtual)
    table = budgets(world, virtual=virtual)
    for name in ("budgets", "budget_members", "budget_trends"):
        found = pd.read_csv(tmp_path / f"{name}.csv")
        assert (simulated.COLUMN in found) is virtual, name
        assert not virtual or (found[simulated.COLUMN] == simulated.STATEMENT).all()
    assert len(pd.read_csv(tmp_path / "budget_trends.csv")) == 0 and len(table)

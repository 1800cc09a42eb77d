"""The data of the atlas: packed numbers come back, files hold what the run holds, and regions add up."""

import base64
import shutil
import zlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tamrl import classes, contracts, simulated, stores
from tamrl.atlas import layers, pack
from tamrl.atlas.cells import ShownCells
from tamrl.atlas.stage import build_atlas
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.maps.outlines import SREX, srex_masks
from tamrl.uncertainty.calibration import Calibration
from tests.atlas.conftest import QUANTUM, monthly
from tests.welcome import content


@pytest.fixture(scope="module")
def written(daily, placeholder):
    build_atlas(**daily.keywords(placeholder) | {"atlas": daily.path("data")})  # not over the atlas that others open
    return daily.folder / "data"


@given(arrays("i2", st.tuples(st.integers(1, 13), st.integers(1, 40))))
def test_packed_numbers_come_back(numbers):
    np.testing.assert_array_equal(pack.unpack(pack.pack(numbers), len(numbers)), numbers)


def test_missing_stays_missing_and_the_rest_is_within_half_a_quantum():
    values = np.array([np.nan, 0.0, 1.23456, -7.9])
    numbers = pack.quantise(values, 0.01, name="x")
    assert numbers[0] == pack.FILL
    np.testing.assert_allclose(numbers[1:] * 0.01, values[1:], atol=0.005)


@pytest.mark.parametrize("value", [1000.0, np.inf])
def test_a_value_too_large_for_the_quantum_is_refused(value):
    with pytest.raises(ContractError, match="too large"):
        pack.quantise(np.array([value]), 0.01, name="gpp")


def test_cells_are_picked_and_split_block_by_block():
    shown = np.random.default_rng(1).random((720, 1440)) < 0.001
    cells, field = ShownCells(Grid(0.25), shown), np.arange(720 * 1440.0).reshape(720, 1440)
    parts = cells.split(cells.pick(field))
    assert [p.size for p in parts] == list(cells.counts)
    for block, part in zip(cells.to_json(), parts, strict=True):
        row, column = np.divmod(part.astype(int), 1440)
        assert (row // 120 * 120 == block["row"]).all() and (column // 120 * 120 == block["column"]).all()
    assert sorted(np.concatenate(parts)) == np.flatnonzero(shown).tolist()


def test_a_month_with_a_missing_step_is_missing():
    values = xr.DataArray(
        np.ones((60, 1, 2)), dims=("time", "lat", "lon"), coords={"time": pd.date_range("2012-01-01", periods=60)}
    )
    values[3, 0, 1] = np.nan
    found = layers.by_month(values)
    assert np.isnan(found[0, 0, 1]) and found[0, 0, 0] == 1 and found[1, 0, 1] == 1
    assert np.isnan(found[2:]).all(), "months without steps"


@pytest.mark.parametrize("flux", FLUXES)
def test_layers_hold_the_monthly_means_of_the_maps(written, daily, flux):
    index = content(written / "data/index.js")
    entries = {layer["name"]: layer for layer in index["layers"]}
    for name, variable in {"mean": flux, "std": f"{flux}_std", "q05": f"{flux}_q05", "q95": f"{flux}_q95"}.items():
        with xr.open_dataset(daily.path(f"maps/{flux}_2012.nc")) as ds:
            expected = monthly(ds[variable].values, ds["time"].values)
            shown = np.isfinite(ds[flux].values).all(0)
        assert entries[f"{flux}.{name}"]["quantum"] == QUANTUM
        numbers = pack.unpack(content(written / f"data/2012/{flux}.{name}/0.js"), 12)
        np.testing.assert_allclose(numbers * QUANTUM, expected[:, shown], atol=QUANTUM / 2 + 1e-5)


def test_the_truth_and_the_drivers_are_there(written, daily):
    with xr.open_dataset(daily.path("inputs/truth/gpp_2012.nc")) as ds:
        expected, shown = monthly(ds["gpp"].values, ds["time"].values), np.isfinite(ds["gpp"].values).all(0)
    numbers = pack.unpack(content(written / "data/2012/gpp.truth/0.js"), 12)
    np.testing.assert_allclose(numbers * QUANTUM, expected[:, shown], atol=QUANTUM / 2 + 1e-5)
    entry = next(layer for layer in content(written / "data/index.js")["layers"] if layer["name"] == "air_temperature")
    assert entry["unit"] == "°C"
    shown_degrees = pack.unpack(content(written / "data/2012/air_temperature/0.js"), 12) * entry["quantum"]
    assert -40 < shown_degrees.min() < shown_degrees.max() < 30


def test_days_with_the_truth_inside_are_counted(written, daily):
    with xr.open_dataset(daily.path("maps/gpp_2012.nc")) as ds, xr.open_dataset(daily.path("inputs/truth/gpp_2012.nc")) as true:
        shown = np.isfinite(ds["gpp"].values).any(0)
        known = np.isfinite(true["gpp"].values + ds["gpp"].values)
        inside = np.where(known, (true["gpp"] >= ds["gpp_q05"]) & (true["gpp"] <= ds["gpp_q95"]), np.nan)
        expected = monthly(inside, ds["time"].values)[:, shown]
    numbers = pack.unpack(content(written / "data/2012/gpp.inside/0.js"), 12)
    whole = (numbers != pack.FILL) & np.isfinite(expected)
    np.testing.assert_allclose(numbers[whole] / 1000, expected[whole], atol=6e-4)
    assert whole.mean() > 0.9 and 0.1 < numbers[whole].mean() / 1000 < 1


def test_limits_of_nee_are_centred_and_those_of_gpp_begin_at_zero(written):
    entries = {layer["name"]: layer for layer in content(written / "data/index.js")["layers"]}
    assert entries["nee.mean"]["low"] == -entries["nee.mean"]["high"] < 0
    assert entries["gpp.mean"]["low"] == 0 < entries["gpp.mean"]["high"] == entries["gpp.truth"]["high"]
    assert entries["nee.std"]["low"] == 0


def test_ice_sheets_do_not_set_the_colours_of_drivers():
    lat = np.linspace(-88, 88, 177)
    kelvin = (285.0 - 60 * (np.abs(lat) >= 60) + 10 * np.cos(np.deg2rad(lat)))[None]
    layer, shown = layers.driver_layer("air_temperature", kelvin, lat)
    mild = shown[0, np.abs(lat) < 60]
    assert shown.min() < -40 < mild.min() - 5 < layer.low <= mild.min() + 0.5 and mild.max() - 0.5 <= layer.high < mild.max() + 5
    assert (2 * layer.low).is_integer() and (2 * layer.high).is_integer()
    polar, _ = layers.driver_layer("air_temperature", kelvin[:, :10], lat[:10])
    assert polar.low < -40, "a map of polar land alone has colours too"


def test_classes_are_the_dominant_ones():
    share = np.array([[0.2, np.nan, 0.0], [0.5, 0.1, 0.0], [0.3, 0.2, 0.0]])
    assert layers.dominant(share).tolist()[0] == 1
    assert np.isnan(layers.dominant(share)[1:]).all()


def test_towers_have_their_scores_and_records(written, daily):
    metrics = contracts.read_csv(daily.path("evaluation/site_metrics.csv"), contracts.METRICS)
    entry = next(t for t in content(written / "data/index.js")["towers"] if t["site"] == "NA-Aaa" or t["site"] == "XV-Aba")
    row = metrics[
        (metrics.site == entry["site"]) & (metrics.model == "tamrl") & (metrics.flux == "gpp") & (metrics.scale == "day")
    ]
    split = row["split"].iloc[0]
    assert entry["scores"][split]["tamrl"]["gpp"]["rmse"] == pytest.approx(row["rmse"].iloc[0], abs=1e-4)
    records = content(written / f"data/towers/{entry['site']}.js")
    table = pd.read_parquet(daily.path("evaluation/predictions.parquet"))
    own = table[(table.site == entry["site"]) & (table.model == "tamrl") & (table.flux == "gpp")].sort_values("date")
    found = np.array(records["fluxes"]["gpp"]["splits"][split]["tamrl"]["p"], dtype=float) * records["quantum"]
    np.testing.assert_allclose(found, own["predicted"], atol=records["quantum"] / 2 + 1e-9)
    assert "lo" not in records["fluxes"]["gpp"]["splits"][split]["lightgbm"]


def test_regions_add_up(daily):
    table = contracts.read_csv(daily.path("regions.csv"), contracts.REGIONS)
    year, months = table[table.month == 0].set_index(["flux", "region"]), table[table.month > 0]
    total = months.groupby(["flux", "region"])["mean"].sum()
    np.testing.assert_allclose(total.reindex(year.index), year["mean"], rtol=1e-4, atol=1e-6)
    of = year["mean"].unstack("flux")
    np.testing.assert_allclose(of["nee"], of["reco"] - of["gpp"], rtol=1e-4, atol=1e-4)
    bands = year[year.kind == "band"]["mean"].groupby("flux").sum()
    np.testing.assert_allclose(bands, year.xs("globe", level="region")["mean"].reindex(bands.index), rtol=1e-4)


def test_the_truth_of_regions_is_summed_over_their_land(written, climatology, placeholder, daily):
    found = content(written / "data/regions.js")["reference"]["2012"]
    cube = stores.open_cube(daily.path("drivers/cube.zarr"))
    with xr.open_dataset(daily.path("inputs/truth/gpp_2012.nc")) as ds:
        grid = Grid.from_dataset(cube)
        inside = srex_masks(grid.lat, grid.lon)["SREX-AMZ"]
        area = grid.area() * cube["land_fraction"].values * inside
        july = ds["gpp"].sel(time="2012-07").fillna(0).values
    expected = float((july * area).sum() / 1e15)  # each step of the fixture counts as a day
    reference, _, share = found["SREX-AMZ"]["gpp"][7]
    assert reference == pytest.approx(expected, rel=1e-4) and expected > 0 and share == 1
    year, *months = found["globe"]["reco"]
    np.testing.assert_allclose(np.sum(months, 0)[:2], year[:2], rtol=1e-4)
    assert not {"ENF", "BSV"} & found.keys(), "a gridded flux does not tell the part of a class"
    build_atlas(**climatology.keywords(placeholder) | {"atlas": climatology.path("untold")})
    assert content(climatology.folder / "untold/data/regions.js")["reference"] == {}


@pytest.mark.parametrize("flux", FLUXES)
def test_reference_and_estimate_are_summed_over_the_cells_and_months_with_both(gappy, placeholder, flux):
    build_atlas(**gappy.keywords(placeholder) | {"atlas": gappy.path("sums")})
    regions = content(gappy.folder / "sums/data/regions.js")
    cube, names = stores.open_cube(gappy.path("drivers/cube.zarr")), (f"inputs/truth/{flux}_2012.nc", f"maps/{flux}_2012.nc")
    with xr.open_dataset(gappy.path(names[0])) as true, xr.open_dataset(gappy.path(names[1])) as ds:
        known, estimate = (part[flux].groupby("time.month").sum(skipna=False).values for part in (true, ds))
    grid = Grid.from_dataset(cube)
    both = np.isfinite(known) & np.isfinite(estimate)
    for name, inside in {"globe": 1.0, "SREX-AMZ": srex_masks(grid.lat, grid.lon)["SREX-AMZ"]}.items():
        land = grid.area() * cube["land_fraction"].values * inside
        share = (both * land).sum((1, 2)) / (np.isfinite(estimate) * land).sum((1, 2))
        expected = [(np.where(both, part, 0.0) * land).sum((1, 2)) / 1e15 for part in (known, estimate)]
        of_months = regions["reference"]["2012"][name][flux][1:]
        assert [m + 1 for m, sums in enumerate(of_months) if sums is None] == [m + 1 for m in range(12) if not share[m]]
        found = np.array([sums for sums in of_months if sums], float).T
        np.testing.assert_allclose(found, np.stack([*expected, share])[:, share > 0], rtol=1e-4, atol=2e-6)
    assert 0.3 < share[0] <= 1 and regions["covered"] == 0.9


def test_no_two_regions_share_a_name():
    names = ["globe", *classes.LATITUDE_BANDS, *classes.IGBP, *SREX]
    assert len(set(names)) == len(names) == 1 + 6 + 17 + 26


def test_months_add_up_to_the_budgets(daily):
    budgets = contracts.read_csv(daily.path("budgets.csv"), contracts.BUDGETS).set_index(["flux", "region"])
    table = contracts.read_csv(daily.path("regions.csv"), contracts.REGIONS)
    year = table[(table.month == 0) & (table.kind != "region")].set_index(["flux", "region"])
    assert {"globe", "ENF", "0-23N"} <= set(year.index.get_level_values("region"))
    budgets = budgets.loc[year.index]  # which have boxes and climates besides
    for name in ("mean", "std", "member_std", "q05", "q95", "minimum", "maximum", "area_m2"):
        np.testing.assert_allclose(year[name].reindex(budgets.index), budgets[name], rtol=1e-4, atol=1e-6)


def test_the_amazon_lies_where_it_should():
    grid = Grid(0.5)
    masks = srex_masks(grid.lat, grid.lon)
    manaus, recife, berlin = ((-3.1, -60.0), (-8.05, -34.9), (52.5, 13.4))
    inside = {
        name: [code for code, mask in masks.items() if mask[grid.index(lat=lat, lon=lon)]]
        for name, (lat, lon) in {"manaus": manaus, "recife": recife, "berlin": berlin}.items()
    }
    assert inside == {"manaus": ["SREX-AMZ"], "recife": ["SREX-NEB"], "berlin": ["SREX-CEU"]}


def test_a_map_that_is_missing_or_on_another_grid_is_told(daily, climatology, placeholder, tmp_path):
    folder = shutil.copytree(daily.folder, tmp_path / "daily")
    words = daily.keywords(placeholder) | {"folder": str(folder), "atlas": str(folder / "none")}
    (folder / "maps/reco_2012.nc").rename(folder / "aside.nc")
    with pytest.raises(ContractError, match=r"reco_2012\.nc is missing"):
        build_atlas(**words)
    (folder / "aside.nc").rename(folder / "maps/reco_2012.nc")
    with xr.open_dataset(climatology.path("maps/nee_climatology.nc")) as ds:
        ds.to_netcdf(folder / "maps/nee_2012.nc")
    with pytest.raises(ContractError, match="on the grid of the maps"):
        build_atlas(**words)
    assert not (folder / "none").exists()


def test_the_page_carries_its_origin_and_escapes_titles(written):
    about = content(written / "data/index.js")["about"]
    assert about["digests"]["configuration digest"] == "feedc0de" and about["digests"]["maps' code digest"] == "0123456789abcdef"
    assert "CC-BY-4.0" in about["cite"] and "10.5194/bg-21-5079-2024" in about["published"]["nee"]["source"]
    assert "A &lt;virtual&gt; Earth" in (written / "index.html").read_text()
    assert about["sources"]["imitated: meteorology"].startswith("ERA5") and "no terms of data providers" in about["cite"]
    assert {"citations.bib", "acknowledgements.txt"} <= {p.name for p in written.iterdir()}


def test_the_page_and_its_index_say_whether_the_world_is_virtual(daily, climatology, placeholder):
    for made, said in ((daily, simulated.STATEMENT), (climatology, None)):
        build_atlas(**made.keywords(placeholder) | {"atlas": made.path("labelled")})
        folder = made.folder / "labelled"
        page, table = (folder / "index.html").read_text(), pd.read_csv(made.path("regions.csv"))
        assert content(folder / "data/index.js")[simulated.COLUMN] == said
        assert page.count(simulated.STATEMENT) == (3 if said else 0), "description, title and badge"
        assert (simulated.COLUMN in table) is bool(said)
        assert not said or (table[simulated.COLUMN] == said).all()


def test_towers_that_trained_several_fluxes_are_stored_once(written, daily):
    sums = content(written / "data/index.js")["sums"]
    model = Calibration.read(daily.path("evaluation/calibration.json")).error_model
    expected = {flux: [list(at) for at in model.of_flux(flux).towers] for flux in FLUXES}
    assert {flux: sums["towers"][sums["errors"][flux]["towers"]] for flux in FLUXES} == expected
    assert len(expected["gpp"]) > 2 and len(sums["towers"]) == len(set(map(str, expected.values())))


def test_an_atlas_of_a_region_lies_at_its_place_on_the_globe(regional, placeholder):
    build_atlas(**regional.keywords(placeholder))
    data, grid = regional.folder / "atlas/data", Grid(10.0)
    index = content(data / "index.js")
    assert index["grid"] == {"resolution": 10.0, "rows": 18, "columns": 36}
    assert (index["home"]["lat"], index["home"]["lon"], index["home"]["zoom"]) == (50.0, 20.0, pytest.approx(2.5))
    flags = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(index["cells"])), "u1"), count=18 * 36).reshape(18, 36)
    with xr.open_dataset(regional.folder / "maps/gpp_2012.nc") as ds:
        shown = np.isfinite(ds["gpp"].values).any(0)
        rows, columns = grid.index(lat=ds["lat"].values, lon=ds["lon"].values)
    expected = np.zeros(grid.shape, bool)
    expected[np.ix_(rows, columns)] = shown
    assert (flags == expected).all()
    (block,) = index["blocks"]
    assert (block["row"], block["column"], block["rows"], block["columns"]) == (rows[0], columns[0], 6, 10)
    assert index["about"]["published"] == {}


def test_regions_of_an_atlas_of_a_region_are_those_inside_it(regional, placeholder):
    build_atlas(**regional.keywords(placeholder))
    regions = content(regional.folder / "atlas/data/regions.js")
    assert regions["kinds"]["mapped region"] == "mapped" and "globe" not in regions["kinds"]
    assert {"SREX-MED", "SREX-CEU"} <= regions["kinds"].keys() and "SREX-AMZ" not in regions["kinds"]
    assert not set(classes.LATITUDE_BANDS) & regions["kinds"].keys()
    truth = regions["reference"]["2012"]
    assert truth["mapped region"]["gpp"][0][0] > truth["SREX-CEU"]["gpp"][0][0] > 0 and "globe" not in truth

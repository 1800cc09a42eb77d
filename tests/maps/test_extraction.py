"""Maps as the rules write them, through the interface for Python: opened, at points, and as totals of polygons."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tamrl
from tamrl import config, contracts
from tamrl.api.extraction import read_places, series_at
from tamrl.api.totals import polygon_share, polygon_totals
from tamrl.carbon import FLUXES
from tamrl.command.main import main
from tamrl.errors import InputError
from tamrl.layout import File, RunLayout
from tamrl.maps.budgets.stage import sum_budgets
from tamrl.run_record import Provenance

GLOBE = [np.array([(-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)], float)]


@pytest.fixture(scope="module")
def run(daily, tmp_path_factory):
    """The small world laid out as a run, with maps of days and months, and budgets."""
    at = RunLayout.at(str(tmp_path_factory.mktemp("results") / "small"))
    for source, file in {"2012.json": File.MANIFEST, "calibration.json": File.CALIBRATION}.items():
        target = Path(at(file, label="2012") if file is File.MANIFEST else at(file))
        target.parent.mkdir(parents=True, exist_ok=True)
        for name in (source, f".{source}.seal"):
            if (daily.folder / name).exists():
                shutil.copy(daily.folder / name, target.with_name(name))
    shutil.copytree(daily.store, at(File.PREDICTIONS, label="2012"))
    shutil.copytree(daily.folder / "cube.zarr", at(File.CUBE))
    monthly = daily.write_periods("monthly")
    for flux in FLUXES:
        for source, target in (
            (daily.write_map(flux), at(File.MAP, flux=flux, label="2012")),
            (monthly[flux], at(File.PERIOD, period="monthly", flux=flux, label="2012")),
        ):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    tables = {"budgets": File.BUDGETS, "members": File.BUDGET_MEMBERS, "trends": File.BUDGET_TRENDS, "regions": File.REGIONS}
    sum_budgets(
        manifests=[at(File.MANIFEST, label="2012")],
        labels=["2012"],
        cube=at(File.CUBE),
        calibration=at(File.CALIBRATION),
        vegetated_only=True,
        **{name: at(file) for name, file in tables.items()},
    )
    Provenance(run="small", config=config.load({}).model_dump(mode="json")).write(at(File.PROVENANCE))
    return tamrl.open_run(at.folder)


def test_maps_of_days_and_months_are_opened(run, daily):
    days, months = run.maps("gpp"), run.maps("gpp", "monthly", year=2012)
    assert days.sizes["time"] == 366 and months.sizes["time"] == 12 and days["time"].values[0] == np.datetime64("2012-01-01")
    with xr.open_dataset(daily.folder / "map_gpp.nc") as written:
        np.testing.assert_array_equal(days["gpp_q95"].isel(time=5), written["gpp_q95"].isel(time=5))
        assert days["gpp"].attrs == written["gpp"].attrs


def test_series_are_those_of_the_cells(run):
    points = pd.DataFrame({"site": ["a", "b"], "lat": [51.0, -24.9], "lon": [25.0, -180.0]})
    ds, maps = series_at(run, points, period="monthly"), run.maps("nee", "monthly")
    assert ds["cell_lat"].values.tolist() == [55.0, -25.0] and ds["cell_lon"].values.tolist() == [25.0, -175.0]
    np.testing.assert_array_equal(ds["nee_std"][0], maps["nee_std"].sel(lat=55, lon=25))
    assert ds["nee"][1].isnull().all() and np.isfinite(ds["gpp_q05"][0]).all()
    np.testing.assert_allclose(ds["nee"][0], ds["reco"][0] - ds["gpp"][0], atol=1e-5)
    with pytest.raises(InputError, match="the places lack site"):
        series_at(run, points.drop(columns="site"))


def test_the_total_of_the_globe_is_its_budget(run):
    table = polygon_totals(run, {"GRA": GLOBE})
    assert table["polygon"].unique().tolist() == ["GRA"], "a name of a class of land cover is a name like others"
    budget = run.budgets.query("region == 'globe'")
    columns = ["area_m2", "mean", "std", "q05", "q95", "member_std", "class_std", "place_std", "passing_std"]
    np.testing.assert_allclose(table[columns].to_numpy(float), budget[columns].to_numpy(float), rtol=2e-5)
    contracts.check_table(table.rename(columns={"polygon": "region"})[list(budget)], contracts.BUDGETS, where="totals")


def test_parts_of_a_polygon_add_up_and_their_errors_do_not(run):
    def box(west, east):
        return [np.array([(west, 30), (east, 30), (east, 60), (west, 60)], float)]

    table = polygon_totals(run, {"both": box(0, 60), "west": box(0, 27), "east": box(27, 60)}, years=[2012])
    wide = table[table["flux"] == "gpp"].set_index("polygon")
    assert wide.loc["west", "mean"] + wide.loc["east", "mean"] == pytest.approx(wide.loc["both", "mean"], rel=1e-9)
    linear = wide.loc["west", "std"] + wide.loc["east", "std"]
    assert np.hypot(wide.loc["west", "std"], wide.loc["east", "std"]) < wide.loc["both", "std"] < linear


def test_shares_of_cells_are_areas_with_holes():
    lat, lon = np.array([15.0, 5.0, -5.0, -15.0]), np.arange(-175.0, 180, 10)
    outer = np.array([(0, 0), (20, 0), (20, 10), (0, 10)], float)
    hole = np.array([(2, 2), (8, 2), (8, 8), (2, 8)], float)
    share = polygon_share([outer, hole], lat, lon)
    assert share.sum() == pytest.approx(2 - 0.36) and share[1, 18] == pytest.approx(0.64) and share[1, 19] == 1
    assert not polygon_share([outer + np.array([0, 200])], lat, lon).any()


def test_polygons_that_cannot_be_summed_are_named(run, tmp_path):
    sea = [np.array([(-170, 0), (-150, 0), (-150, 20), (-170, 20)], float)]
    with pytest.raises(InputError, match="without land that carries flux"):
        polygon_totals(run, {"sea": sea})
    with pytest.raises(InputError, match="no predictions of 1999"):
        polygon_totals(run, {"globe": GLOBE}, years=[1999])
    with pytest.raises(InputError, match="no polygons"):
        polygon_totals(run, {})
    beyond = [np.array([(170, 0), (190, 0), (190, 20), (170, 20)], float)]  # half of it would be lost without a word
    with pytest.raises(InputError, match=r"fiji has impossible corners[\s\S]*190"):
        polygon_totals(run, {"fiji": beyond})
    with pytest.raises(InputError, match="line has no outline"):
        polygon_totals(run, {"line": [np.array([(0, 0), (1, 1)], float)]})
    (tmp_path / "maps").mkdir()
    with pytest.raises(InputError, match="no predictions to sum up"):
        polygon_totals(tamrl.open_run(tmp_path), {"globe": GLOBE})


def test_a_polygon_that_stands_twice_is_refused(tmp_path):
    box = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}
    feature = {"type": "Feature", "properties": {"name": "basin"}, "geometry": box}
    (tmp_path / "p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature, feature]}))
    with pytest.raises(InputError, match=r"a polygon stands twice[\s\S]*basin"):
        read_places(tmp_path / "p.geojson")


def test_the_command_writes_totals_of_polygons(run, tmp_path, capsys):
    corners = "[[0, 30], [60, 30], [60, 60], [0, 60], [0, 30]]"
    geometry = f'{{"type": "MultiPolygon", "coordinates": [[{corners}]]}}'
    places = tmp_path / "p.geojson"
    places.write_text(f'{{"type": "Feature", "properties": {{"name": "box"}}, "geometry": {geometry}}}')
    assert main(["extract", str(run.folder), "--places", str(places), "--totals", str(tmp_path / "t.csv")]) == 0
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["polygon"].tolist() == ["box"] * 3 and (table["std"] > 0).all() and "t.csv" in capsys.readouterr().out
    words = ["extract", str(run.folder), "--countries", "BLR", "--places", str(places), "--totals", str(tmp_path / "t.csv")]
    assert main(words) == 0 and pd.read_csv(tmp_path / "t.csv")["polygon"].unique().tolist() == ["box", "Belarus"]
    places.write_text(places.read_text().replace("box", "Belarus"))
    assert main(words) == 1 and "a polygon has the name of a country" in capsys.readouterr().err
    assert main(["extract", str(run.folder), "--places", str(places)]) == 1
    assert "--totals" in capsys.readouterr().err

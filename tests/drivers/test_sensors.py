"""VIIRS after MODIS: composites of both sensors in one record, and how far they agree where both are read."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts, planning
from tamrl.calendar import TimeAxis
from tamrl.config import load
from tamrl.drivers import sensors, stage
from tamrl.drivers.sources import modis
from tamrl.drivers.succession import SensorPair
from tamrl.errors import ConfigError, InputError
from tamrl.grid import Grid
from tamrl.report.figures.drivers import sensor_table
from tamrl.report.pages import sections

SHAPE = (12, 24)
YEARS = (2011, 2012)


def written(write, folder, product, days, shift=0.0, season=0.0):
    """Composites of a product of two years; NDVI of VIIRS may be another, always or in the northern summer."""
    for year in YEARS:
        for day in days:
            start = pd.Timestamp(year, 1, 1) + pd.Timedelta(days=day - 1)
            green = write.greenness(start, SHAPE) + shift + season * ((start + pd.Timedelta(days=8)).month in (6, 7, 8))
            ds = write.composite(green, green * 0.6, np.zeros(SHAPE))
            write.save(ds, folder / f"{product}.A{year}{day:03d}.{'061' if product[0] == 'M' else '002'}.nc")


@pytest.fixture
def folder(write, tmp_path):
    """MODIS ends in June 2012; VIIRS has a composite every 8 days."""
    written(write, tmp_path, "MOD13C1", range(1, 366, 16))
    for path in tmp_path.glob("MOD13C1.A2012*"):
        if int(path.name[13:16]) > 177:
            path.unlink()
    written(write, tmp_path, "VNP13C1", range(1, 366, 8), shift=0.02)
    return tmp_path


def options(folder, **successor):
    return modis.Options(path=str(folder), successor={"since": "2012-07", **successor})


def opened(folder, **successor):
    axis = TimeAxis.of_years("day", YEARS)
    return modis.open_dynamic(options(folder, **successor), names=("ndvi", "evi"), axis=axis)


def test_the_record_goes_on_with_the_later_sensor_at_the_same_days_of_the_year(folder, write):
    found = opened(folder)["ndvi"].load()
    days = pd.DatetimeIndex(found["time"].values) - pd.Timedelta(days=8)
    assert set(days.day_of_year) == set(range(1, 366, 16)) and days.is_monotonic_increasing and len(days) == 46
    truth = np.stack([write.greenness(day, SHAPE) for day in days])
    np.testing.assert_allclose(
        found.values - truth, np.where(days >= datetime(2012, 7, 1), 0.02, 0.0)[:, None, None] + 0 * truth, atol=1e-4
    )
    assert (found["weight"] == 1).all() and found.attrs["grid"] == "pixels" and found.attrs["cadence"] == "composite"
    assert found.attrs["product"] == "MOD13C1, VNP13C1" and found.attrs["collection"] == "061, 002"
    known = modis.version(options(folder))
    assert known["successor"] == {"product": "VNP13C1", "since": "2012-07", "collections": {"002": 92}}


def test_without_a_successor_nothing_of_the_other_product_is_read(folder):
    alone = modis.Options(path=str(folder))
    found = modis.open_dynamic(alone, names=("ndvi",), axis=TimeAxis.of_years("day", (2011,)))["ndvi"]
    assert (
        found.attrs["product"] == "MOD13C1"
        and modis.open_overlap(alone, names=("ndvi",), axis=TimeAxis.of_years("day", YEARS)) == {}
    )
    with pytest.raises(InputError, match="no composites of 2013"):
        modis.open_dynamic(alone, names=("ndvi",), axis=TimeAxis.of_years("day", (2011, 2012, 2013)))


@pytest.mark.parametrize("missing", ["VNP13C1", "MOD13C1"])
def test_a_year_without_composites_of_its_sensor_is_refused(folder, missing):
    for path in folder.glob(f"{missing}.A201*"):
        path.unlink()
    with pytest.raises(InputError, match=r"no composites of 201[12]"):
        opened(folder)


def test_a_later_sensor_on_other_days_is_refused(folder):
    """Composites shifted by a day are none of the record: without them it would end with MODIS, without a word."""
    for path in sorted(folder.glob("VNP13C1.A*"), reverse=True):
        year, day = path.name[9:13], int(path.name[13:16])
        path.rename(folder / path.name.replace(f"{year}{day:03d}", f"{year}{day + 1:03d}"))
    with pytest.raises(InputError, match=r"no composites of 2012(.|\n)*files that begin on other days"):
        opened(folder)


def test_a_later_sensor_of_another_resolution_is_refused(folder, write):
    for path in folder.glob("VNP13C1.A*"):
        half = np.zeros((SHAPE[0] // 2, SHAPE[1] // 2))
        write.save(write.composite(half, half, half), path)
    with pytest.raises(InputError, match="differ in shape"):
        opened(folder)["ndvi"].load()


def test_composites_that_are_missing_between_the_sensors_are_gaps(folder):
    for path in folder.glob("MOD13C1.A2012*"):
        if int(path.name[13:16]) > 113:
            path.unlink()
    found = opened(folder)["ndvi"].load()
    empty = np.isnan(found.values).all((1, 2))
    days = pd.DatetimeIndex(found["time"].values) - pd.Timedelta(days=8)
    assert len(days) == 46 and days[empty].strftime("%Y-%j").tolist() == ["2012-129", "2012-145", "2012-161", "2012-177"]


def test_a_run_that_ends_before_the_later_sensor_needs_none_of_it(folder):
    for path in folder.glob("VNP13C1.A2012*"):
        path.unlink()
    axis = TimeAxis.of_years("day", YEARS, "2012-05")
    found = modis.open_dynamic(options(folder), names=("ndvi",), axis=axis)["ndvi"]
    assert found.attrs["product"] == "MOD13C1" and str(found["time"].values[-1]) > "2012-05"


def test_an_unfinished_year_needs_composites_however_short_it_is(folder):
    for path in folder.glob("MOD13C1.A2012*"):
        path.unlink()
    axis = TimeAxis.of_years("day", YEARS, "2012-01")
    with pytest.raises(InputError, match="no composites of 2012"):
        modis.open_dynamic(modis.Options(path=str(folder)), names=("ndvi",), axis=axis)


def test_only_the_years_of_each_sensor_are_fetched(monkeypatch):
    chosen = options("x", overlap=12)
    assert modis.items(chosen, ("ndvi",)) == ["MOD13C1", "VNP13C1"]
    years = tuple(range(2009, 2015))
    assert modis.item_years(chosen, "MOD13C1", years) == (2009, 2010, 2011, 2012)
    assert modis.item_years(chosen, "VNP13C1", years) == (2011, 2012, 2013, 2014)
    assert modis.item_years(modis.Options(successor={"since": "2012-01"}), "MOD13C1", years) == (2009, 2010, 2011)
    asked = {}
    monkeypatch.setattr("tamrl.drivers.remote.earthdata.fetch_granules", lambda *a, **k: asked.update({a[0]: k}))
    for item in ("MYD13C1", "VNP13C1"):
        modis.fetch(modis.Options(product="MYD13C1", successor={"since": "2012-07"}), item=item, year=2012, folder=None)
    assert (asked["VNP13C1"]["every"], asked["VNP13C1"]["first_day"]) == (16, 9) and "every" not in asked["MYD13C1"]


def test_a_sensor_does_not_follow_itself():
    with pytest.raises(ValueError, match="cannot follow itself"):
        modis.Options(product="VNP13C1", successor={"since": "2012-07"})
    with pytest.raises(ConfigError, match=r"successor\.since"):
        load({"drivers": {"modis": {"successor": {"since": "2012"}}}})


def compared(folder, tmp_path, **successor):
    drivers = {
        "sources": ["cds_era5", "modis", "static"],
        "variables": {"dynamic": ["ndvi", "evi", "potential_radiation"], "static": []},
        "modis": {"path": str(folder), "successor": {"since": "2012-07", **successor}},
        "static": {"path": str(tmp_path / "static")},
    }
    time = {"step": "day", "years": list(YEARS)}
    target = tmp_path / "sensors.csv"
    stage.compare_sensors(paths=[], sensors=str(target), drivers=drivers, time=time, resolution=30.0, threads=1)
    return contracts.read_csv(target, contracts.SENSORS)


@pytest.fixture
def static(write, tmp_path):
    codes = np.where(np.arange(SHAPE[0])[:, None] < 9, 10, 0) + np.zeros(SHAPE)
    write.write_tif(tmp_path / "static/land_cover.tif", codes.astype("uint8"))


def test_both_sensors_are_compared_where_both_are_read(folder, tmp_path, static, caplog):
    table = compared(folder, tmp_path, bound=0.5).set_index(["variable", "region", "season"])
    assert len(table) == 2 * 4 * 5 and not table["jump"].any() and "jumps where" not in caplog.text
    whole = table.loc[("ndvi", "globe", "year")]
    assert whole["difference"] == pytest.approx(0.02, abs=1e-4) and whole["rmse"] == pytest.approx(0.02, abs=1e-4)
    assert whole["r"] == pytest.approx(1, abs=1e-4) and whole["mean_after"] - whole["mean_before"] == pytest.approx(
        whole["difference"]
    )
    assert whole["before"] == "MOD13C1" and whole["after"] == "VNP13C1"
    land = 60  # cells of 30 degrees with land, in the 23 composites of the year before
    assert whole["n"] == 23 * land == table.loc[[("ndvi", "globe", s) for s in ("DJF", "MAM", "JJA", "SON")], "n"].sum()
    assert table.loc[("evi", "globe", "year"), "difference"] == pytest.approx(0.012, abs=1e-4)
    assert (
        table.loc[("ndvi", "globe", "year"), "n"]
        == table.loc[[("ndvi", r, "year") for r in ("north", "tropics", "south")], "n"].sum()
    )


def test_a_jump_is_named_loudly_with_region_and_season(folder, write, tmp_path, static, caplog):
    written(write, folder, "VNP13C1", range(1, 366, 8), season=0.2)
    table = compared(folder, tmp_path)
    jumps = table[table["jump"]]
    assert {"JJA", "year"} >= set(jumps["season"]) >= {"JJA"} and (jumps["difference"] > jumps["bound"]).all()
    assert "ndvi jumps where VNP13C1 follows MOD13C1: globe, JJA: mean difference 0.2" in caplog.text
    section = sections.drivers_section(None, table)
    note = section.items[0]
    assert note.kind == "warning" and "means jump" in note.text and "JJA" in note.text and "Trends across the change" in note.text
    shown = sensor_table(table)
    assert sum(row[-1] == "jump" for row in shown.rows) == len(jumps)
    assert "MOD13C1" in shown.columns and "VNP13C1" in shown.columns


@pytest.mark.parametrize("factor", [0.1, 0.8, 1.1])
def test_a_sensor_in_another_scale_jumps(folder, write, tmp_path, static, factor):
    """The correlation is as good as before, so means alone betray it."""
    for path in folder.glob("VNP13C1.A*"):
        start = datetime.strptime(path.name[9:16], "%Y%j")
        green = factor * write.greenness(pd.Timestamp(start), SHAPE)
        write.save(write.composite(green, green * 0.6, np.zeros(SHAPE)), path)
    whole = compared(folder, tmp_path).set_index(["variable", "region", "season"]).loc[("ndvi", "globe", "year")]
    assert whole["jump"] and whole["r"] > 0.99 and whole["mean_after"] == pytest.approx(factor * whole["mean_before"], rel=0.01)


def test_composites_without_a_good_pixel_are_no_agreement(folder, write, tmp_path, static):
    for path in folder.glob("VNP13C1.A*"):
        green = np.full(SHAPE, 0.5)
        write.save(write.composite(green, green * 0.6, np.full(SHAPE, 9)), path)
    with pytest.raises(InputError, match="no cell has ndvi of good quality by both sensors"):
        compared(folder, tmp_path)


def test_a_change_without_a_jump_is_told_quietly(folder, tmp_path, static):
    note = sections.drivers_section(None, compared(folder, tmp_path, bound=0.5)).items[0]
    assert note.kind == "plain" and "jumps nowhere" in note.text and "0.02" in note.text


def test_pixels_of_low_quality_and_sea_count_for_neither(write):
    grid, times = Grid(30.0), pd.to_datetime(["2011-07-01"])
    rng = np.random.default_rng(1)
    ds = [write.composite(rng.uniform(0, 0.9, SHAPE), rng.uniform(0, 0.9, SHAPE), np.zeros(SHAPE)) for _ in range(2)]
    arrays = []
    for product, one in zip("MV", ds, strict=True):
        da = one["CMG 0.05 Deg 16 days NDVI"].expand_dims(time=times).astype("float32") / 10000
        weight = np.ones(da.shape, "float32")
        weight[:, :4] = 0.1 if product == "V" else 1.0
        arrays.append(da.assign_coords(weight=(da.dims, weight)).chunk().assign_attrs(product=product, source="x"))
    land = np.zeros(grid.shape, bool)
    land[:4] = True
    table = sensors.sensor_differences({"ndvi": SensorPair(*arrays, bound=0.1)}, grid, land).set_index(["region", "season"])
    assert table.loc[("globe", "year"), "n"] == 2 * grid.shape[1], "of four rows of land two are good by both"
    x, y = (np.asarray(da[0, 4:8]).reshape(2, 2, 12, 2).mean((1, 3)) for da in arrays)
    assert table.loc[("globe", "JJA"), "rmse"] == pytest.approx(np.sqrt(((y - x) ** 2).mean()), rel=0.02)
    assert table.loc[("globe", "DJF"), "n"] == 0 and np.isnan(table.loc[("globe", "DJF"), "difference"])


def test_no_common_composite_and_no_month_before_are_named(folder, tmp_path):
    axis = TimeAxis.of_years("day", YEARS)
    with pytest.raises(ConfigError, match="no month of the run is before"):
        modis.open_overlap(options(folder, since="2011-01"), names=("ndvi",), axis=axis)
    for path in folder.glob("VNP13C1.A*"):
        if path.name < "VNP13C1.A2012180":
            path.unlink()
    with pytest.raises(InputError, match="no composite"):
        modis.open_overlap(options(folder), names=("ndvi",), axis=axis)


def test_the_run_makes_and_reports_the_table_only_where_the_sensor_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("TAMRL_DATA", str(tmp_path))
    drivers = {"sources": ["arco_era5", "modis", "static"], "modis": {"download": True}, "static": {"download": True}}
    base = {"run": "r", "twin": None, "towers": {"networks": ["shuttle"], "shuttle": {"snapshot": None, "refresh": True}}}
    base["time"] = {"years": [2011, 2012, 2013], "map_years": [2012]}
    alone = planning.WorkflowPlan({**base, "drivers": drivers})
    assert not alone.changes_sensor and not any("sensors.csv" in path for path in alone.reported_files())
    drivers["modis"] = {"download": True, "successor": {"since": "2012-07"}}
    plan = planning.WorkflowPlan({**base, "drivers": drivers})
    assert "results/r/drivers/sensors.csv" in plan.reported_files()
    folders = [path for path in plan.driver_files() if "/modis/" in path]
    names = ("MOD13C1/2011", "MOD13C1/2012", "VNP13C1/2011", "VNP13C1/2012", "VNP13C1/2013")
    assert folders == [f"downloads/drivers/modis/{name}" for name in names]
    early = planning.WorkflowPlan({**base, "drivers": drivers, "time": {"years": [2010, 2011], "map_years": [2011]}})
    assert not early.changes_sensor, "a run that ends before the later sensor compares nothing"
    assert not any("VNP13C1/2012" in path for path in early.driver_files())
    with pytest.raises(ConfigError, match="no month of the run is before"):
        planning.WorkflowPlan({**base, "drivers": drivers, "time": {"years": [2013], "map_years": [2013]}}).driver_files()

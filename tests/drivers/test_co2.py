"""CO2: an annual series that the user supplies becomes a smooth driver; without one nothing is made up."""

import numpy as np
import pandas as pd
import pytest

from tamrl import config
from tamrl.calendar import TimeAxis
from tamrl.drivers import co2, derived, places
from tamrl.drivers.cube.fields import FieldMaker, LandNodes
from tamrl.errors import ConfigError, InputError, UnitError
from tamrl.grid import Grid

TABLE = pd.DataFrame({"year": [2009, 2010, 2011, 2012], "ppm": [387.0, 389.0, 391.0, 394.0], "unc": 0.1})
SITES = pd.DataFrame({"site": ["DE-Hai", "NA-Aaa"], "lat": [51.1, -20.0], "lon": [10.4, 17.0]})
DAYS = np.arange(np.datetime64("2009-01-01"), np.datetime64("2013-01-01"))


def test_days_rise_smoothly_and_years_keep_their_means():
    found = co2.co2_of_table(TABLE, where="t").on_days(DAYS)
    steps = np.diff(found)
    assert (steps > 0).all() and np.abs(np.diff(steps)).max() < 1e-4 and steps.max() < 0.012
    means = pd.Series(found).groupby(DAYS.astype("M8[Y]")).mean()
    np.testing.assert_allclose(means, TABLE["ppm"], atol=0.15)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.rename(columns={"ppm": "CO2"}), "lacks ppm"),
        (TABLE.drop(index=1), "consecutive"),
        (TABLE.assign(ppm=["a", 1, 2, 3]), "consecutive"),
        (TABLE.head(1), "two or more"),
    ],
)
def test_a_series_that_is_none_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        co2.co2_of_table(table, where="t.csv")


def test_another_unit_is_refused():
    with pytest.raises(UnitError, match="co2"):
        co2.co2_of_table(TABLE.assign(ppm=TABLE["ppm"] * 1e-6), where="t.csv")


def test_a_year_that_is_not_there_is_named():
    with pytest.raises(InputError, match="2013"):
        co2.co2_of_table(TABLE, where="t").on_days(np.array(["2013-05-01"], "M8[D]"))


def test_every_place_has_the_same_and_months_are_means_of_days():
    time = pd.date_range("2010-01-01", "2010-12-01", freq="MS")
    known = co2.co2_of_table(TABLE, where="t")
    found = places.at_places(SITES, time, dynamic=("co2",), static=(), step="month", co2=known)["co2"]
    assert (found[0] == found[1]).all() and found.attrs["units"] == "umol mol-1"
    daily = pd.Series(known.on_days(DAYS), index=DAYS)["2010"].resample("MS").mean()
    np.testing.assert_allclose(found[0], daily, rtol=1e-6)


def test_without_a_file_it_is_refused_before_anything_runs():
    raw = {"drivers": {"variables": {"dynamic": ["air_temperature", "co2"]}}}
    with pytest.raises(ConfigError, match=r"drivers\.co2"):
        config.load(raw)
    assert config.load({"drivers": raw["drivers"] | {"co2": "mine.csv"}}).drivers.co2 == "mine.csv"
    with pytest.raises(ConfigError, match=r"drivers\.co2"):
        derived.derivation("co2").compute({}, derived.Coordinates(TimeAxis(DAYS, "day"), np.zeros(1)))


def test_a_file_that_is_not_there_stops_the_run(tmp_path):
    raw = {"drivers": {"variables": {"dynamic": ["co2"]}, "co2": str(tmp_path / "no.csv")}}
    with pytest.raises(ConfigError, match=r"no\.csv"):
        config.check_inputs(config.load(raw))


def test_the_cube_holds_it_the_same_in_every_cell_whatever_the_block():
    grid, time = Grid(45), DAYS[:800].astype("datetime64[ns]")
    maker = FieldMaker(
        grid,
        derived.Coordinates(TimeAxis(time, "day"), grid.lat, co2.co2_of_table(TABLE, where="t")),
        {},
        LandNodes(lambda: np.ones(grid.shape)),
    )

    def co2_at(part):
        return next(maker.field("co2").values([part]))

    whole = np.broadcast_to(co2_at(slice(0, 800)), (800, *grid.shape))
    assert (whole == whole[:, :1, :1]).all()
    part = np.broadcast_to(co2_at(slice(300, 420)), (120, *grid.shape))
    assert (part == whole[300:420]).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("year,ppm\n", "no rows"),
        ("year,ppm\n2010,388.7\n2011,390.6,0.1,3\n", "line 3"),
        ("# NOAA\nyear,mean,unc\n2010,388.7,0.1\n2011,390.6,0.1\n", "lacks ppm[\\s\\S]*`mean` of NOAA"),
        ("year;ppm\n2010;388,7\n2011;390,6\n", "semicolons"),
        ("year,ppm\n2010,388.7\n2010,388.9\n2011,390.6\n", "stands twice[\\s\\S]*2010"),
        ("year,ppm\n2010,388.7\n2012,390.6\n", "none for 2011"),
        ("year,ppm\n2010,388.7\n2011,-99.99\n", "must lie within"),
        ("year,ppm\n2010,388.7\n2011,#N/A\n", "column ppm[\\s\\S]*row 2"),
        ("year,ppm\n2010,388.7\n2011,\n", "none for 2011"),
        ("year,ppm\n2010.5,388.7\n2011.5,390.6\n", "column year[\\s\\S]*'2010.5' in row 1"),
        ("year,ppm\n10,388.7\n11,390.6\n", "column year"),
        ("year,ppm\n2010,388.7\n2011,390", "breaks off"),
        ("<html></html>\n", "web page"),
    ],
)
def test_odd_series_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "co2.csv"
    path.write_text(content)
    with pytest.raises((InputError, UnitError), match=message) as error:
        co2.read_co2(path)
    assert "co2.csv" in str(error.value)


def test_the_real_series(shared_data, tmp_path):
    raw = (shared_data / "tables" / "co2-annmean-gl.csv").read_text()
    path = tmp_path / "co2.csv"
    path.write_text("\n".join(["year,ppm,unc", *raw.splitlines()[1:]]) + "\n")
    series = co2.read_co2(path)
    assert series.years[0] == 1979 and len(series.years) == len(series.ppm) >= 46

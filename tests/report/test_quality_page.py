"""The page on the quality of the towers: figures, tables and where they stand in the report."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from tamrl.report.figures import drivers, seasons, stations
from tamrl.report.stage import write_report


@pytest.fixture
def kept():
    return pd.DataFrame(
        {
            "site": ["A", "B", "C", "D", "E"],
            "network": "fluxnet",
            "lat": 50.0,
            "lon": 10.0,
            "igbp": ["ENF", "ENF", "GRA", None, "CRO"],
            "n": [900, 800, 700, 600, 500],
            "also_in": ["fluxnet2015", None, None, None, None],
        }
    )


def test_the_longest_records_of_different_classes_are_shown(kept):
    assert stations.choose_fingerprints(kept) == ["A", "C", "D", "E"]
    assert stations.choose_fingerprints(kept[kept["igbp"] == "ENF"]) == ["A", "B"]


@pytest.mark.parametrize(("step", "width", "at"), [("day", 366, 59), ("month", 12, 1)])
def test_a_fingerprint_has_each_value_in_its_place(step, width, at):
    dates = pd.Series(pd.to_datetime(["2011-01-01", "2012-02-29" if step == "day" else "2012-02-01"]))
    found, first = stations.arrange_by_year(dates, pd.Series([1.0, 2.0]), step=step)
    assert (first, found.shape) == (2011, (2, width))
    assert found[0, 0] == 1.0 and found[1, at] == 2.0 and np.isfinite(found).sum() == 2


def test_networks_are_counted(kept):
    every = pd.concat([kept, kept.assign(network="fluxnet2015"), pd.DataFrame({"site": ["Z"], "network": ["fluxnet"]})])
    report = pd.DataFrame({"site": ["Q"], "test": ["set_aside"], "dropped": [0], "kept": [0], "note": ["x.zip: broken"]})
    table = stations.network_table(kept, every, report)
    assert table.rows == [["fluxnet", "6", "5", "1"], ["fluxnet2015", "5", "0", "0"]]
    assert "1 archives could not be read" in table.caption and "nan" not in table.caption
    said = every.assign(remark=every["network"].map({"fluxnet2015": "months were moved"}))
    assert stations.network_table(kept, said, report).caption.endswith(". fluxnet2015: months were moved")


@pytest.mark.parametrize("step", ["day", "month"])
def test_the_report_has_the_page(make_run, tmp_path, step):
    run = make_run(tmp_path, step=step, models=("tamrl",), labels=("2012",) if step == "day" else ("climatology",))
    sites = pd.read_csv(run.path("towers/towers.csv"), keep_default_na=False, na_values={"managed": [""]})
    dates = pd.date_range("2010-01-01", "2012-12-31", freq="D" if step == "day" else "MS")
    wave = np.cos(2 * np.pi * dates.day_of_year / 365)
    rows = [pd.DataFrame({"site": s, "date": dates, "gpp": 1.0, "reco": 1.0, "nee": wave, "nee_qc": 1.0}) for s in sites["site"]]
    pd.concat(rows).to_parquet(run.path("towers/towers.parquet"), index=False)
    sites.assign(n=len(dates)).to_csv(run.path("towers/towers.csv"), index=False)
    left_out = sites.iloc[:1].assign(site="XX-Irr", lat=-20.0)
    pd.concat([sites, left_out]).to_csv(run.path("towers/fluxnet2015_sites.csv"), index=False)
    write_report(**run.keywords())
    assert {"stations.png", "fingerprints.png", "quality.png"} <= {p.name for p in (tmp_path / "figures").iterdir()}
    text = (tmp_path / "report.html").read_text()
    assert "25</td>" in text and "24</td>" in text and "irrigated orchard" in text


@pytest.fixture
def comparison():
    rows = []
    for k, site in enumerate(("A", "B", "C")):
        for name, units in (("air_temperature", "K"), ("precipitation", "mm d-1")):
            values = {"n": 12, "bias": k - 1.0, "rmse": 2.0, "r": [0.9, 0.8, np.nan][k], "std_tower": 4.0, "std_grid": 4.0}
            rows.append({"site": site, "variable": name, "units": units, **values, "distance_km": float(k), "utc_offset": 1.0})
    return pd.DataFrame(rows).iloc[:-1]


def test_drivers_are_compared_in_numbers(comparison):
    table = drivers.driver_table(comparison)
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert [row[0] for row in table.rows] == ["2 m air temperature", "precipitation"] and first["towers"] == "3"
    assert (first["bias"], first["RMSE / std."], first["r"], first["in another cell"]) == ("0.00", "0.50", "0.85", "2")
    assert first["bias, 10th to 90th pct."] == "\u22120.80 to 0.80"


def test_nothing_to_compare_is_no_section(comparison):
    assert not drivers.has_biases(None) and not drivers.has_biases(comparison.iloc[:0]) and drivers.has_biases(comparison)


def test_the_report_shows_the_drivers(make_run, tmp_path, comparison):
    run = make_run(tmp_path, step="month", models=("tamrl",), labels=("climatology",))
    comparison.to_csv(run.path("drivers/comparison.csv"), index=False)
    write_report(**run.keywords())
    assert (tmp_path / "figures/drivers.png").is_file()
    assert "Drivers of the grid minus those measured at the towers" in (tmp_path / "report.html").read_text()


@pytest.fixture
def driven():
    """Twelve towers from 60° S to 60° N, whose drivers follow their sun."""
    towers = pd.DataFrame({"site": [f"T{k:02d}" for k in range(12)], "lat": np.linspace(-60, 60, 12)})
    dates = pd.date_range("2010-01-01", "2011-12-01", freq="MS")
    rows = []
    for site, lat in towers.itertuples(index=False):
        warm = -np.sign(lat) * np.cos(2 * np.pi * (dates.month - 0.5) / 12)
        growth = np.exp(4 * (warm - 1))  # a short season, as at many towers
        measured = {
            "gpp": 8 * growth,
            "air_temperature": 285 + 10 * warm,
            "shortwave_radiation": 200 + 90 * warm,
            "evi": 0.1 + 0.4 * growth,
        }
        rows.append(pd.DataFrame({"site": site, "date": dates, **measured}))
    return pd.concat(rows, ignore_index=True), towers


def test_towers_with_a_whole_year_are_chosen_from_south_to_north(driven):
    records, towers = driven
    chosen = seasons.choose_seasons(records, towers)
    assert len(chosen) == seasons.TOWERS and chosen["lat"].is_monotonic_increasing
    assert chosen["lat"].iloc[[0, -1]].tolist() == [-60, 60]
    without = records[~((records["site"] == "T00") & (records["date"].dt.month == 6))]
    assert "T00" not in set(seasons.choose_seasons(without, towers)["site"])


def test_the_seasons_of_drivers_are_drawn_and_judged(driven):
    records, towers = driven
    assert seasons.driver_names(records) == ["air_temperature", "shortwave_radiation", "evi"]
    figure = seasons.plot_seasons(records, seasons.choose_seasons(records, towers))
    lines = [len(axes.lines) for axes in figure.axes if axes.get_visible()]
    assert lines == [seasons.TOWERS] * 4
    assert all(axes.get_xticklabels()[0].get_text() == "Jan" for axes in figure.axes[:4])
    figure.draw_without_rendering()
    titles = [axes.title.get_window_extent() for axes in figure.axes[:4]]
    assert all(left.x1 < right.x0 for left, right in pairwise(titles)), "titles lie over each other"
    assert all(title.x1 < figure.bbox.x1 for title in titles)
    light = [sum(line.get_color()[:3]) for line in figure.axes[0].lines]
    assert light == sorted(light, reverse=True), "from south (light) to north (dark)"
    south, north = figure.axes[1].lines[0].get_ydata(), figure.axes[1].lines[-1].get_ydata()
    assert np.argmax(south) == 0 and np.argmax(north) in (5, 6)
    table = seasons.season_table(records, towers)
    assert [row[:3] for row in table.rows][-1][2] == "12" and {row[-1] for row in table.rows} == {"–"}
    order = np.argsort([str(month) for month in range(1, 13)])
    years = records.groupby(["site", records["date"].dt.year])["evi"]
    scrambled = records.assign(evi=years.transform(lambda values: values.to_numpy()[order]))
    assert "text order" in seasons.season_table(scrambled, towers).rows[-1][-1]

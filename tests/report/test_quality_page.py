"""The page on the quality of the towers: figures, tables and where they stand in the report."""

import numpy as np
import pandas as pd
import pytest

from tamrl.report.figures import drivers, stations
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

"""The same faults in the files of every network: refused by name, never read wrong, and never the end of the other towers."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tamrl import registry
from tamrl.errors import InputError, TamrlError
from tamrl.towers import geojson, sites, survey
from tamrl.towers.reader import records

NAMES = registry.names(registry.NETWORKS)
NO_SAMPLE = {"zarr_fluxnet2015": "half hours in Zarr", "shuttle": "the archives of `fluxnet`"}
STEPS = {"metaflux": "month"}
TABLES = [n for n in NAMES if n not in NO_SAMPLE]


def _spoiled(name, sample, change):
    """Options of a network of which `change` was applied to the text of the table (or the tables) of DE-Aaa."""
    step = STEPS.get(name, "day")
    options = getattr(sample, name)(step)
    path = Path(options["path"])
    if path.is_file():
        table = pd.read_parquet(path)
        path = path.with_suffix(".csv")
        path.write_bytes(change(table.to_csv(index=False)))
        return {**options, "path": str(path)}
    for file in path.rglob("*DE-Aaa*"):
        if file.suffix == ".csv":
            file.write_bytes(change(file.read_text()))
            continue
        with zipfile.ZipFile(file) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        tables = [n for n in members if "_DD_" in n and "ERA5" not in n and "BIF" not in n]
        sample.zip(file, members | {n: change(members[n].decode()) for n in tables})
    return options


def _read(name, options, **how):
    plugin = registry.load(registry.NETWORKS, name)
    chosen = plugin.Options(**options)
    wanted = survey.SurveyPlan(STEPS.get(name, "day"), **({"strict": True} | how))
    return survey.read_tables(plugin, [Path(p) for p in plugin.inputs(chosen)], chosen, wanted)


def _columns(change):
    """A change of the table as one of its text."""

    def changed(text):
        frame = change(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False))
        return frame.to_csv(index=False).encode()

    return changed


def _stamps(change):
    """A change of the dates, given as time stamps, to other text."""

    def changed(frame):
        column = "TIMESTAMP" if "TIMESTAMP" in frame and "date" not in frame else "date"
        days = pd.to_datetime(frame[column], format="%Y%m" if frame[column].str.len().eq(6).all() else None)
        return frame.assign(**{column: change(days)})

    return _columns(changed)


TEXT_FAULTS = {
    "semicolons and decimal commas": (lambda t: t.replace(",", ";").replace(".", ",").encode(), "separated by semicolons"),
    "trailing commas": (lambda t: t.replace("\n", ",\n").replace(",\n", "\n", 1).encode(), "saved by a spreadsheet"),
    "UTF-16": (lambda t: t.encode("utf-16"), "UTF-16"),
    "a web page": (lambda t: b"<!DOCTYPE html><html>Please log in</html>", "web page"),
    "nothing": (lambda t: b"", "empty"),
    "no rows": (lambda t: t.split("\n")[0].encode() + b"\n", "no rows"),
    "NUL bytes": (lambda t: (t[:3000] + "\0" * 100 + t[3100:]).encode(), "NUL bytes"),
    "cut within a row": (lambda t: t[: len(t) // 2].rpartition(",")[0].encode(), "breaks off"),
    "a short row": (lambda t: "\n".join([*t.split("\n")[:9], "DE-Aaa,1", *t.split("\n")[10:]]).encode(), "line 10"),
    "an open quote": (lambda t: t.replace("\n", '\n"', 1).encode(), "quote is opened"),
    "a name twice": (_columns(lambda f: f.set_axis([c.replace("VPD_F", "TA_F") for c in f], axis=1)), "'TA_F' occurs twice"),
    "#N/A": (_columns(lambda f: f.assign(TA_F=["#N/A", *f["TA_F"][1:]])), "column TA_F[\\s\\S]*#N/A"),
    "separators of thousands": (_columns(lambda f: f.assign(SW_IN_F=["1,160.0", *f["SW_IN_F"][1:]])), "1,160"),
}


@pytest.mark.parametrize("fault", TEXT_FAULTS)
@pytest.mark.parametrize("name", TABLES)
def test_faults_of_the_text_are_named_and_the_other_towers_are_read(name, fault, sample):
    change, message = TEXT_FAULTS[fault]
    options = _spoiled(name, sample, change)
    with pytest.raises(InputError, match=message):
        _read(name, options)
    if hasattr(registry.load(registry.NETWORKS, name), "archives"):
        table, places, aside = _read(name, options, strict=False)
        assert places["site"].tolist() == ["NA-Bbb"] and set(table["site"]) == {"NA-Bbb"}
        assert aside["site"].tolist() == ["DE-Aaa"]


@pytest.mark.parametrize("name", TABLES)
def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(name, sample):
    good = _read(name, _spoiled(name, sample, lambda t: t.encode()))
    other = _read(name, _spoiled(name, sample, lambda t: ("\ufeff" + t.replace("\n", "\r\n")).encode()))
    pd.testing.assert_frame_equal(good[0], other[0], check_exact=True)


DATES = {
    "year and day of year": (lambda d: d.dt.strftime("%Y%j"), None),
    "day/month/year": (lambda d: d.dt.strftime("%d/%m/%Y"), None),
    "month/day/year": (lambda d: d.dt.strftime("%m/%d/%Y"), None),
    "two digits of the year": (lambda d: d.dt.strftime("%d.%m.%y"), None),
    "days of a spreadsheet": (lambda d: ((d - pd.Timestamp("1899-12-30")).dt.days).astype(str), None),
    "with a decimal point": (lambda d: d.dt.strftime("%Y%m%d.0"), None),
    "with an exponent": (lambda d: d.dt.strftime("%Y%m%d").astype(float).map("{:.4E}".format), "spreadsheet"),
    "without zeros": (lambda d: d.dt.strftime("%Y-") + d.dt.month.astype(str) + "-" + d.dt.day.astype(str), None),
    "one missing": (lambda d: d.dt.strftime("%Y-%m-%d").where(d.index != 2, ""), "row 3"),
    "two formats": (lambda d: d.dt.strftime("%Y-%m-%d").where(d.index % 2 == 0, d.dt.strftime("%Y%m%d")), "row 2"),
}


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("name", TABLES)
def test_other_dates_are_refused_with_column_row_and_what_is_accepted(name, kind, sample):
    change, message = DATES[kind]
    with pytest.raises(InputError, match=r"column (TIMESTAMP|date)[\s\S]*in row \d+[\s\S]*YYYY") as error:
        _read(name, _spoiled(name, sample, _stamps(change)))
    assert message is None or name == "metaflux" or message in str(error.value)


def _flags(values):
    def changed(frame):
        column = next(c for c in ("NEE_VUT_REF_QC", "NEE_vUT_QC") if c in frame)
        return frame.assign(**{column: [str(v) for v in np.resize(values, len(frame))]})

    return _columns(changed)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("values", [[0, 1], [1] * 29 + [0], [0], [0, 1, -9999], [95, 100], ["True", "False"]])
def test_flags_and_percentages_are_no_shares(name, values, sample):
    if name == "japanflux":
        pytest.skip("there quality is a mean flag, by its publication")
    with pytest.raises(TamrlError, match=r"column NEE_VUT_REF_QC"):
        _read(name, _spoiled(name, sample, _flags(values)))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("values", [[1], [0.75], [0, 0.5, 1], [0, 1, 1, 0.98], [1, -9999]])
def test_shares_are_read_whole_ones_too(name, values, sample):
    table, _, aside = _read(name, _spoiled(name, sample, _flags(values)))
    assert aside.empty and table["nee_qc"].max() == pytest.approx(
        {"japanflux": 1 - values[0] / 2}.get(name, max(values)), abs=0.51
    )


@pytest.mark.parametrize("name", [n for n in TABLES if n not in ("table", "metaflux")])
@pytest.mark.parametrize(
    ("start", "days", "short"), [("2010-01-01", 365, True), ("2010-01-01", 366, False), ("2010-01-01", 900, False)]
)
def test_rows_that_end_before_the_years_of_the_name_are_a_short_file(name, start, days, short, sample):
    rows = sample.rows(days)
    names = {c: c.replace("VUT_REF", "vUT") for c in rows} if name == "japanflux" else {}
    options = _spoiled(name, sample, lambda _: rows.rename(columns=names).to_csv(index=False).encode())
    if not short:
        assert _read(name, options)[0].groupby("site").size()["DE-Aaa"] == days
        return
    with pytest.raises(InputError, match=r"short: its name declares the years 2010 to 2011[\s\S]*2010-12-31"):
        _read(name, options)


SHARED = ["fluxnet2015", "japanflux"]


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"SITE_ID;GROUP_ID\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", SHARED)
def test_a_bad_table_of_all_towers_is_one_error_that_names_it(name, content, strict, sample):
    options = getattr(sample, name)("day")
    path = next(Path(options["path"]).glob("*_AA-Flx_BIF*"))
    path.write_bytes(content)
    with pytest.raises(InputError, match=path.name):
        _read(name, options, strict=strict)


UNKNOWN = ["-9999", "-9999.0", "-6999", "-", "NA", "n/a", "", "9.97e36", "9.969209968386869e+36"]


@pytest.mark.parametrize("value", UNKNOWN)
@pytest.mark.parametrize("form", ["long", "wide", "table"])
def test_fill_values_of_places_are_missing_everywhere(form, value, sample):
    if form == "table":
        rows = pd.read_parquet(sample.table("day")["path"]).assign(elevation=value, utc_offset=value)
        path = sample.folder / "t.csv"
        rows.to_csv(path, index=False)
        plugin = registry.load(registry.NETWORKS, "table")
        names = plugin.Options().columns | {"elevation": "elevation", "utc_offset": "utc_offset"}
        _, places = records.check_network(
            *plugin.read([path], plugin.Options(path=str(path), columns=names), partitioning="NT", step="day"), where="t"
        )
    else:
        from tamrl.towers.reader import bif

        known = {"LOCATION_LAT": "35.0", "LOCATION_LONG": "135.5", "LOCATION_ELEV": value, "UTC_OFFSET": value}
        content = "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n" + "".join(
            f"JP-Aaa,1,,{k},{v}\n" for k, v in known.items()
        )
        if form == "wide":
            content = ",".join(["SITE_ID", *known]) + "\n" + ",".join(["JP-Aaa", *known.values()]) + "\n"
        places = sites.check_coordinates(bif.bif_sites(bif.read_bif(content.encode(), where="t"), where="t"), where="t")
    assert places[["elevation", "utc_offset"]].isna().all(axis=None) and places[["lat", "lon"]].notna().all(axis=None)
    assert "9999" not in geojson.point_features(places) and "e+36" not in geojson.point_features(places)


@pytest.mark.parametrize("value", UNKNOWN)
@pytest.mark.parametrize("name", ["lat", "lon"])
def test_fill_values_are_no_coordinates(name, value):
    row = {"site": "DE-Aaa", "lat": "51", "lon": "10.5"} | {name: value}
    with pytest.raises(InputError, match="DE-Aaa"):
        sites.check_coordinates(sites.site_table([row]), where="t")


def test_zero_is_a_place():
    row = sites.check_coordinates(
        sites.site_table([{"site": "GH-Aaa", "lat": 5.0, "lon": 0, "elevation": 0, "utc_offset": "0", "height": 0}]), where="t"
    )
    assert row[["lon", "elevation", "utc_offset", "height"]].iloc[0].tolist() == [0, 0, 0, 0]
    assert sites.check_coordinates(sites.site_table([{"site": "GA-Aaa", "lat": "0.0", "lon": 10}]), where="t")[
        "lat"
    ].tolist() == [0]


@pytest.mark.parametrize(
    ("name", "value"), [("utc_offset", 60), ("utc_offset", -14), ("elevation", 9999), ("elevation", "430 m"), ("height", -1)]
)
def test_numbers_that_cannot_be_are_missing_and_logged(name, value, caplog):
    found = sites.site_table([{"site": "JP-Aaa", "lat": 35, "lon": 135.5, name: value}])
    assert np.isnan(found[name][0]) and "JP-Aaa" in caplog.text and str(value) in caplog.text

"""The Zarr store of half hours, written with all its quirks."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.errors import InputError
from tamrl.towers import survey
from tamrl.towers.networks import zarr_fluxnet2015
from tamrl.towers.product import Product
from tamrl.towers.reader import records, zarr_store

MOLES = 12.011e-6 * 86400


def _tower(raw: pd.DataFrame, offset: float) -> xr.Dataset:
    """Stamps at the end, moved to UTC; kPa; no respiration."""
    end = pd.to_datetime(raw["TIMESTAMP_END"].astype(str), format="%Y%m%d%H%M") - pd.Timedelta(hours=offset)
    values = {
        "ta": raw["TA_F"],
        "sw_in": raw["SW_IN_F"],
        "vpd": raw["VPD_F"] / 10,
        "nee": raw["NEE_VUT_REF"],
        "nee_qc": raw["NEE_VUT_REF_QC"],
        "gpp_nt": raw["GPP_NT_VUT_REF"],
        "gpp_dt": raw["GPP_DT_VUT_REF"] * 2,
    }
    return xr.Dataset({name: ("time", v.to_numpy(float)) for name, v in values.items()}, {"time": end.to_numpy()})


def store(path, towers: dict[str, tuple[pd.DataFrame, float, float, float]]):
    """Write a store as the repository does: Zarr v2, one chunk a tower, 16 bits."""
    parts = [_tower(raw, offset).expand_dims(site=[site]) for site, (raw, offset, _, _) in towers.items()]
    ds = xr.concat(parts, "site", join="outer")
    ds["latitude"] = ("site", [lat for _, _, lat, _ in towers.values()])
    ds["longitude"] = ("site", [lon for _, _, _, lon in towers.values()])
    encoding = {}
    for name in ds.data_vars:
        low, high = float(ds[name].min()), float(ds[name].max())
        packed = {"dtype": "uint16", "scale_factor": (high - low) / 65532 or 1.0, "add_offset": low, "_FillValue": 65535}
        encoding[name] = packed | ({"chunks": (1, ds.sizes["time"])} if ds[name].ndim == 2 else {})
    ds.to_zarr(path, encoding=encoding, zarr_format=2, consolidated=True)
    return path


@pytest.fixture
def towers(sample):
    half, hourly = sample.fine(days=70), sample.fine(days=50, minutes=60)
    return {"DE-Aaa": (half, 1.0, 51.0, 10.5), "AU-Tum": (half, 11.0, -35.65, 148.15), "US-Xxx": (hourly, -5.0, 42.5, -72.2)}


def _read(path, step="day", partitioning="NT"):
    options = zarr_fluxnet2015.Options(path=str(path), bif=None)
    return survey.read_tables(zarr_fluxnet2015, [path], options, survey.SurveyPlan(step, partitioning))


def test_days_are_those_of_local_standard_time_whatever_the_clock(towers, tmp_path):
    table, places, _ = _read(store(tmp_path / "fluxnet.zarr", towers))
    assert places["site"].tolist() == ["AU-Tum", "DE-Aaa", "US-Xxx"]
    assert places["lat"].tolist() == pytest.approx([-35.65, 51.0, 42.5], abs=0.002)
    for site, (raw, _, _, _) in towers.items():
        here = table[table["site"] == site].reset_index(drop=True)
        day = pd.to_datetime(raw["TIMESTAMP_START"].astype(str).str[:8])
        assert here["date"].tolist() == sorted(day.unique())
        expected = raw.groupby(day)[["TA_F", "VPD_F", "NEE_VUT_REF", "GPP_NT_VUT_REF"]].mean()
        assert np.allclose(here["air_temperature"] - 273.15, expected["TA_F"], atol=0.001)
        assert np.allclose(here["vapour_pressure_deficit"], expected["VPD_F"], atol=0.001)
        assert np.allclose(here["nee"], expected["NEE_VUT_REF"] * MOLES, atol=0.001)
        assert np.allclose(here["reco"], here["nee"] + here["gpp"])
        assert np.allclose(here["nee_qc"], 0.5)


def test_day_time_partitioning_and_months(towers, tmp_path):
    path = store(tmp_path / "fluxnet.zarr", towers)
    night, day = (_read(path, partitioning=p)[0] for p in ("NT", "DT"))
    assert np.allclose(day["gpp"], 2 * night["gpp"], atol=0.002)
    months = _read(path, "month")[0]
    assert months["date"].dt.day.eq(1).all() and len(months) == 3 + 3 + 2


def test_a_record_that_begins_late_takes_the_hour_of_the_sun(towers, tmp_path, caplog):
    raw, _, lat, lon = towers["DE-Aaa"]
    path = store(tmp_path / "fluxnet.zarr", {"DE-Aaa": (raw.iloc[48 * 10 :], 1.0, lat, lon)})
    table, _, _ = _read(path)
    assert "tells no offset" in caplog.text and table["date"].iloc[0] == pd.Timestamp("2012-01-11")


def test_something_else_is_refused(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    with pytest.raises(InputError, match="the store cannot be read"):
        _read(tmp_path / "x.zarr")


def test_a_store_that_is_cut_or_damaged_is_refused_by_name(towers, tmp_path):
    path = store(tmp_path / "fluxnet.zarr", towers)
    for name in ("nee/1.0", "latitude/0", ".zmetadata"):
        content = (path / name).read_bytes()
        for length in (0, len(content) // 2, len(content) - 1):
            (path / name).write_bytes(content[:length])
            zarr_store._store.cache_clear()
            with pytest.raises(InputError, match=r"fluxnet\.zarr"):
                product = Product("AU-Tum", path)
                options = zarr_fluxnet2015.Options(path=str(path), bif=None)
                zarr_fluxnet2015.read_archive(
                    product, paths=[path], options=options, how=records.RecordChoice("day", "NT", "REF")
                )
        (path / name).write_bytes(content)
    zarr_store._store.cache_clear()


def test_a_flag_of_zero_is_a_value(towers, tmp_path):
    """Zarr 2 says `fill_value: 0` of arrays of which nothing is missing."""
    path = store(tmp_path / "fluxnet.zarr", towers)
    ds = xr.open_zarr(path).load().drop_encoding()
    ds["nee_qc"] = ds["nee_qc"].fillna(0).round().astype("uint16")
    ds["nee_qc"].attrs.clear()
    ds.to_zarr(tmp_path / "again.zarr", encoding={"nee_qc": {"_FillValue": 0}}, zarr_format=2, consolidated=True)
    tower = zarr_store._tower(Product("AU-Tum", tmp_path / "again.zarr"), "here")
    assert tower["nee_qc"].notnull().all() and (tower["nee_qc"] == 0).any()


def restamped(path, change, attrs):
    """A copy of a store whose times are written in another form; `change` gets seconds since 1970."""
    ds = xr.open_zarr(path, decode_times=False, mask_and_scale=False).load()
    with xr.open_zarr(path) as plain:
        seconds = plain["time"].values.astype("datetime64[s]").astype("int64")
    for name in ds.variables:
        ds[name].encoding = {}
    ds = ds.assign_coords(time=("time", change(seconds), attrs))
    ds.to_zarr(path.with_name("other.zarr"), zarr_format=2, consolidated=True)
    return path.with_name("other.zarr")


@pytest.mark.parametrize(
    ("change", "attrs"),
    [
        (lambda s: s - 0.005, {"units": "seconds since 1970-01-01"}),
        (lambda s: s / 86400, {"units": "days since 1970-01-01 00:00:00 UTC"}),
        (lambda s: s // 60 + 120, {"units": "minutes since 1970-01-01 00:00 +02:00"}),
        (lambda s: s * 1000, {"units": "milliseconds since 1970-01-01", "calendar": "proleptic_gregorian"}),
    ],
)
def test_times_in_other_forms_give_the_same_table(towers, tmp_path, change, attrs):
    path = store(tmp_path / "fluxnet.zarr", towers)
    pd.testing.assert_frame_equal(_read(restamped(path, change, attrs))[0], _read(path)[0])


@pytest.mark.parametrize(
    ("change", "attrs", "message"),
    [
        (lambda s: s, {"units": "seconds since 1970-01-01", "calendar": "noleap"}, "Gregorian"),
        (lambda s: s, {"units": "ticks since 1970-01-01"}, "unknown unit of time 'ticks'"),
        (lambda s: np.where(s == s[3], np.nan, s), {"units": "seconds since 1970-01-01"}, "a time is missing"),
        (lambda s: s, {}, "exactly 8 digits"),
    ],
)
def test_times_that_cannot_be_read_are_refused_by_the_true_reason(towers, tmp_path, change, attrs, message):
    path = restamped(store(tmp_path / "fluxnet.zarr", towers), change, attrs)
    with pytest.raises(InputError, match=message) as error:
        _read(path)
    assert "again" not in str(error.value)

"""Fluxes of any places through the interface for Python."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tamrl
from tamrl.errors import ContractError, InputError, UnitError
from tamrl.layout import File
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration, ScaleCalibration

FLUXES = ("gpp", "reco", "nee")
COLUMNS = ("predicted", "std", "q05", "q95")


@pytest.fixture(scope="module")
def model(tiny_run):
    return tamrl.load_model(tiny_run.folder, device="cpu")


def _predicted(ds: xr.Dataset, rows: pd.DataFrame, flux: str) -> np.ndarray:
    """Values of a dataset (site, time) at the rows of a table of predictions, as the columns `COLUMNS`."""
    at = {"site": xr.DataArray(rows["site"].to_numpy(object)), "time": xr.DataArray(rows["date"].to_numpy())}
    return np.stack([ds[flux + end].sel(at).values for end in ("", "_std", "_q05", "_q95")], axis=1)


def test_importing_the_package_is_light():
    code = "import sys, tamrl; sys.exit(bool({'torch', 'xarray', 'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'open_rum'"):
        tamrl.open_rum  # noqa: B018


@pytest.mark.parametrize("fold", ["0", "1"])
def test_held_out_towers_are_predicted_as_the_run_predicts_them(tiny_run, samples, fold):
    """With the calibration of the other folds, as the run takes it, the intervals are the same too."""
    stored = tamrl.open_run(tiny_run.folder).predictions
    members = pd.read_parquet(tiny_run(File.MEMBER_PREDICTIONS, model="tamrl", drivers="grid"))
    members["predicted"] = members["predicted"].astype("f8")
    spread = members.groupby(["site", "date", "flux"], observed=True)["predicted"].std().rename("spread").reset_index()
    frame = stored.merge(spread, on=["site", "date", "flux"]).merge(
        pd.DataFrame({"site": samples["site"].values, "igbp": samples["igbp_class"].values, "lat": samples["lat"].values})
    )
    frame = frame.assign(season=frame["date"].dt.month % 12 // 3)
    others = frame[frame["fold"] != fold]
    scale = ScaleCalibration(**{flux: conformal.fit_table(others, flux) for flux in FLUXES})
    model = tamrl.load_model(
        tiny_run.folder, fold=fold, calibration=Calibration(step="month", scales={"month": scale}), device="cpu"
    )
    ds = model.predict(samples.isel(site=slice(int(fold), None, 2)), interval_of="measurement")
    for flux in FLUXES:
        rows = stored[(stored["fold"] == fold) & (stored["flux"] == flux)]
        assert len(rows) > 400
        np.testing.assert_allclose(_predicted(ds, rows, flux), rows[list(COLUMNS)].to_numpy(), rtol=1e-6, atol=1e-7)


def test_a_table_gives_the_numbers_of_a_dataset(model, samples, table):
    one, two = model.predict(samples), model.predict(table)
    assert two["site"].values.tolist() == samples["site"].values.tolist()
    for name in ("gpp", "nee_q05", "dissimilarity"):
        np.testing.assert_allclose(two[name], one[name], rtol=2e-4, atol=2e-4)
    kelvin = table.assign(t=table.pop("TA_F") + 273.15).rename(columns={"EVI": "evi"})
    other = model.predict(kelvin, columns={"air_temperature": "t"}, units={"air_temperature": "K"})
    np.testing.assert_allclose(other["gpp"], one["gpp"], rtol=2e-4, atol=2e-4)


def test_the_balance_and_the_calibrated_interval(model, samples, tiny_run):
    ds = model.predict(samples)
    np.testing.assert_array_equal(ds["nee"], ds["reco"] - ds["gpp"])
    given = ds["gpp"].notnull()  # the interval of so short a training need not hold its mean
    assert (ds["gpp_q05"] < ds["gpp_q95"]).where(given, True).all() and (ds["gpp_std"] > 0).where(given, True).all()
    assert "without the noise" in ds["gpp_std"].attrs["interval_of"] and "month" in ds["gpp_std"].attrs["interval_tested_on"]
    noisy = model.predict(samples, interval_of="measurement")
    share = Calibration.read(tiny_run(File.CALIBRATION)).at("month", "gpp").calibration.flux_share
    np.testing.assert_allclose(ds["gpp_std"], share * noisy["gpp_std"])
    assert noisy["gpp_std"].attrs["interval_of"].startswith("what a tower")


def test_missing_drivers_are_missing_fluxes(model, samples):
    ds = model.predict(samples)
    assert np.isnan(ds["gpp"].values[3]).nonzero()[0].tolist() == [30, 31]
    assert np.isfinite(np.delete(ds["gpp"].values, 3, axis=0)).all()


def test_a_place_has_the_same_numbers_alone_and_in_company(model, samples):
    together = model.predict(samples)
    alone = model.predict(samples.isel(site=[7]))
    np.testing.assert_allclose(alone["gpp"].values[0], together["gpp"].values[7], atol=1e-6)
    assert model.predict(samples.isel(site=7))["site"].values.tolist() == ["XX-007"]
    without = model.predict(samples.isel(site=7, drop=True).assign_coords(lat=samples["lat"][7], lon=samples["lon"][7]))
    np.testing.assert_array_equal(without["gpp"].values[0], alone["gpp"].values[0])


def test_places_unlike_the_towers_have_numbers_and_a_flag(model, samples):
    ds = samples.copy(deep=True)
    ds["air_temperature"][0] += 30
    found = model.predict(ds)
    assert found["applicability"].values[0] == 0 and found["applicability"].values[1:].all()
    assert found["applicability"].attrs["flag_meanings"] == "outside inside" and np.isfinite(found["gpp"].values[0]).all()
    short = model.predict(samples.isel(time=slice(6)))
    assert (short["applicability"] == -1).all(), "half a year says nothing of a season"


def test_fluxes_that_are_missing_are_told_with_the_drivers(model, table, caplog):
    one = table[table["site"] == "XX-004"].drop(columns=["site", "lat", "lon", "igbp"])
    place = {"lat": 44.2, "lon": 19.0}
    model.predict(one, place=tamrl.Place(**place, igbp="EBF"))
    assert "no flux" not in caplog.text
    model.predict(one.assign(TA_F=one["TA_F"].where(one.index != one.index[3])), place=tamrl.Place(**place, igbp="EBF"))
    assert "1 of 48 months have no flux, for want of air_temperature" in caplog.messages
    caplog.clear()
    model.predict(one, place=tamrl.Place(**place))
    assert "48 of 48 months have no flux, for want of igbp_fraction (igbp)" in caplog.messages


def test_a_table_of_one_place_and_steps_that_it_lacks(model, table):
    one = table[table["site"] == "XX-004"].drop(columns=["site", "lat", "lon", "igbp"])
    place = tamrl.Place(lat=44.2, lon=19.0, igbp="EBF")
    complete, gap = (model.predict(rows, place=place) for rows in (one, one.drop(one.index[20])))
    assert complete.sizes == {"site": 1, "time": 48} and complete["site"].item() == "place"
    assert np.flatnonzero(np.isnan(gap["gpp"].values[0])).tolist() == [20]
    unknown = model.predict(one, place=tamrl.Place(lat=44.2, lon=19.0))
    assert np.isnan(unknown["gpp"]).all(), "the class of the place is a driver of the model"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.drop(columns="EVI"), InputError, ["lack evi", "EVI or mm_EVI"]),
        (lambda t: t.drop(columns="igbp"), InputError, None),
        (lambda t: t.assign(TA_F=t["TA_F"] + 273.15), UnitError, ["air_temperature", "TA_F"]),
        (lambda t: t.assign(TA_F=t["TA_F"].where(t.index != 5, 90.0)), UnitError, ["air_temperature", "XX-000", "2005-06-01"]),
        (lambda t: t.assign(igbp="forest"), InputError, ["no igbp class named 'forest'", "XX-000", "ENF"]),
        (lambda t: t.assign(date="01/02/2010"), InputError, ["dates cannot be read"]),
        (lambda t: t.drop(columns="lat"), InputError, ["the table lacks lat"]),
        (lambda t: t.assign(lat=95.0), InputError, ["latitude", "XX-000"]),
        (lambda t: t.assign(EVI=t["EVI"].astype(object).where(t.index != 3, "high")), InputError, ["EVI", "'high' in row 4"]),
        (lambda t: t.iloc[:0], InputError, ["no rows"]),
        (lambda t: pd.concat([t, t[["TA_F"]] + 5], axis=1), InputError, ["'TA_F' occurs twice"]),
        (lambda t: pd.concat([t, t.assign(EVI=0.1)]), InputError, ["same site and date differ"]),
    ],
)
def test_what_a_table_has_wrong_is_named(model, table, change, error, words):
    if words is None:
        assert np.isnan(model.predict(change(table))["gpp"]).all()
        return
    with pytest.raises(error) as raised:
        model.predict(change(table))
    assert all(word in str(raised.value) for word in words), str(raised.value)


def _without_units(ds):
    ds = ds.copy()
    ds["evi"].attrs.pop("units")
    return ds


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_without_units, UnitError, ["evi does not say its unit", "'1'"]),
        (lambda d: d.assign(evi=d["evi"].assign_attrs(units="kg")), UnitError, ["the drivers, evi", "cannot convert 'kg'"]),
        (lambda d: d.assign(evi=d["evi"] * 5).assign(evi=lambda x: x["evi"].assign_attrs(units="1")), UnitError, ["XX-0", "evi"]),
        (lambda d: d.drop_vars("air_temperature"), InputError, ["lack air_temperature", "(K)"]),
        (lambda d: d.drop_vars("lat"), InputError, ["the places have no lat"]),
        (lambda d: d.isel(time=slice(None, None, -1)), InputError, ["time must increase"]),
        (lambda d: d.assign_coords(time=d["time"] + np.timedelta64(3, "D")), InputError, ["starts of a month", "2005-01-04"]),
        (lambda d: d.assign_coords(site=["a"] * 20), InputError, ["a place stands twice"]),
        (lambda d: d.assign_attrs(time_step="day"), InputError, ["steps of a month"]),
        (lambda d: d.rename(site="x"), InputError, ["lat"]),
        (lambda d: d.assign_coords(lat=d["lat"] + 70), InputError, ["no possible coordinates", "place XX-000", "110"]),
    ],
)
def test_what_a_dataset_has_wrong_is_named(model, samples, change, error, words):
    with pytest.raises(error) as raised:
        model.predict(change(samples))
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_places_in_blocks_have_the_same_numbers(model, samples, monkeypatch):
    from tamrl.api import prediction

    together = model.predict(samples)
    monkeypatch.setattr(prediction, "MEMORY", 1)
    monkeypatch.setattr(prediction, "LEAST_PLACES", 7)
    apart = model.predict(samples)
    for name in ("gpp", "nee_q95"):
        np.testing.assert_allclose(apart[name], together[name], rtol=1e-3, atol=1e-4)


def test_variables_of_a_dataset_may_have_the_names_of_tower_files(model, samples):
    renamed = samples.rename(evi="EVI", air_temperature="TA_F")
    xr.testing.assert_identical(model.predict(renamed), model.predict(samples))


def test_units_of_a_dataset_are_converted(model, samples):
    celsius = samples.assign(air_temperature=(samples["air_temperature"].astype(float) - 273.15).assign_attrs(units="degC"))
    np.testing.assert_allclose(model.predict(celsius)["gpp"], model.predict(samples)["gpp"], atol=1e-3)


def test_models_are_opened_from_run_fold_and_member(tiny_run, samples, model, tmp_path):
    folder = tiny_run(File.MODEL, model="tamrl", fold="all", member=0)
    fold = tamrl.load_model(folder.rpartition("/")[0], device="cpu")
    assert repr(fold) == repr(model) and "2 members of fold all" in repr(model) and "evi (1)" in repr(model)
    xr.testing.assert_identical(fold.predict(samples), model.predict(samples))
    alone = tamrl.load_model(folder, device="cpu").predict(samples)
    assert np.isfinite(alone["gpp_std"].values[0]).all(), "the residuals alone give an interval to a single member"
    with pytest.raises(InputError, match="no fold '7'"):
        tamrl.load_model(tiny_run.folder, fold="7")
    with pytest.raises(InputError, match="no such model"):
        tamrl.load_model(tiny_run.folder, model="lightgbm")
    with pytest.raises(InputError, match="no such run"):
        tamrl.load_model(tmp_path / "nothing")


def test_a_model_without_its_run_says_what_it_cannot_know(tiny_run, samples, tmp_path):
    import shutil

    member = tmp_path / "member-0"
    shutil.copytree(tiny_run(File.MODEL, model="tamrl", fold="all", member=0), member)
    with pytest.raises(InputError, match="no calibration beside the model"):
        tamrl.load_model(member)
    bare = tamrl.load_model(member, intervals=False, device="cpu").predict(samples)
    assert "gpp_std" not in bare and (bare["applicability"] == -1).all() and "not known" in bare["applicability"].attrs["comment"]
    calibrated = tamrl.load_model(member, calibration=tiny_run(File.CALIBRATION), device="cpu").predict(samples)
    assert np.isfinite(calibrated["gpp_q95"].values[0]).all()
    (member / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(ContractError):
        tamrl.load_model(member, intervals=False)

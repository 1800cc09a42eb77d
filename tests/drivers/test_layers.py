"""Layers of real and made HDF4 and HDF5 files, and the indices made from them."""

import netCDF4
import numpy as np
import pytest
from pyhdf.SD import SD, SDC

from tamrl.calendar import TimeAxis
from tamrl.drivers import indices
from tamrl.drivers.formats import cmg, hdf4
from tamrl.drivers.sources import mcd43c4, modis
from tamrl.errors import InputError
from tamrl.twin import modis as twin

GRANULE = "MOD09GA.A2008296.h14v17.006.2015181011753.hdf"
"""Coast of Antarctica, 22 October 2008."""


@pytest.fixture
def granule(shared_data):
    return shared_data / "modis" / GRANULE


def test_a_real_granule_scales_by_division(granule):
    raw = hdf4.hdf4_layer(granule, "sur_refl_b01_1")
    assert raw.shape == (2400, 2400) and raw.dims == ("YDim", "XDim") and raw.attrs["scale_factor"] == 10000.0
    values = cmg.scale_layer(raw.values, raw.attrs)
    assert np.isfinite(values).sum() == 14_643, "the rest is -28672"
    assert values[0, 2101] == pytest.approx(0.6504)
    assert np.nanmax(values) == pytest.approx(1.4516) and np.nanmin(values) == pytest.approx(0.0281), "ice and open water"


def test_indices_of_a_real_granule(granule):
    bands = {}
    for name, band in (("red", 1), ("nir", 2), ("blue", 3), ("swir", 6)):
        raw = hdf4.hdf4_layer(granule, f"sur_refl_b{band:02d}_1")
        bands[name] = cmg.scale_layer(raw.values, raw.attrs)
    row, column = np.argwhere(np.isfinite(sum(bands.values())))[1000]
    red, nir, blue, swir = (float(bands[n][row, column]) for n in ("red", "nir", "blue", "swir"))
    ndvi = indices.ndvi(red=bands["red"], nir=bands["nir"])
    assert ndvi[row, column] == pytest.approx((nir - red) / (nir + red), rel=1e-5)
    assert indices.lswi(nir=bands["nir"], swir=bands["swir"])[row, column] == pytest.approx((nir - swir) / (nir + swir), rel=1e-5)
    assert np.nanmedian(ndvi) < 0.1, "nothing grows there"
    evi = indices.evi(red=bands["red"], nir=bands["nir"], blue=bands["blue"])[row, column]
    expected = 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)
    assert np.isnan(evi) if not -0.2 <= expected <= 1 else evi == pytest.approx(expected, rel=1e-4)


def test_a_tile_is_not_taken_for_a_global_grid(granule):
    with pytest.raises(InputError, match="cover the globe"):
        hdf4.require_global(granule)
    with pytest.raises(InputError, match="cover the globe"):
        cmg.cmg_layer(granule, "sur_refl_b01_1")


def test_what_is_refused(granule, tmp_path):
    with pytest.raises(InputError, match="no layer 'NDVI'"):
        hdf4.hdf4_layer(granule, "NDVI")
    content = granule.read_bytes()
    for share in (0.01, 0.5):
        (tmp_path / "cut.hdf").write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"cut\.hdf"):
            hdf4.hdf4_layer(tmp_path / "cut.hdf", "sur_refl_b01_1")


INDEX = np.array([[0.1, 0.8, 0.5, -0.1], [0.2, 0.3, np.nan, 0.6]])
RANK = np.array([[0, 1, 2, 3], [0, 0, -1, 0]])


def stored(values):
    return np.where(np.isnan(values), -3000, np.round(np.nan_to_num(values) * 10000)).astype("int16")


def write_hdf4(folder, day):
    values = {twin.NDVI: stored(INDEX), twin.EVI: stored(INDEX / 2), twin.RELIABILITY: RANK.astype("int8")}
    path = folder / f"MOD13C1.A2011{day:03d}.061.2020123123456.hdf"
    twin.write_hdf4(path, values, start="2011-01-01", end="2011-01-16")
    return path


def read(folder, name="ndvi", **options):
    return modis.open_dynamic(modis.Options(path=str(folder), **options), names=(name,), axis=TimeAxis.of_years("day", (2011,)))[
        name
    ].load()


def test_hdf4_composites_in_subfolders(tmp_path):
    (tmp_path / "2011").mkdir()
    write_hdf4(tmp_path / "2011", 1), write_hdf4(tmp_path, 17)
    found = read(tmp_path)
    np.testing.assert_allclose(found[0].values, INDEX, atol=1e-6)
    assert found["lat"].values.tolist() == [45, -45] and found["lon"].values.tolist() == [-135, -45, 45, 135]
    np.testing.assert_allclose(found["weight"][1].values, [[1, 0.5, 0.1, 0], [1, 1, 0, 1]])
    np.testing.assert_allclose(read(tmp_path, "kndvi")[0].values, np.tanh(INDEX**2), atol=1e-6)


def test_a_grid_that_lies_elsewhere_is_refused(tmp_path):
    path = write_hdf4(tmp_path, 1)
    file = SD(str(path), SDC.WRITE)
    file.attr("StructMetadata.0").set(SDC.CHAR8, "UpperLeftPointMtrs=(0.0,90000000.0)\nLowerRightMtrs=(180000000.0,-90000000.0)")
    file.end()
    with pytest.raises(InputError, match="cover the globe"):
        read(tmp_path)


def test_viirs_nests_its_layers_and_ranks_otherwise(tmp_path):
    with netCDF4.Dataset(tmp_path / "VNP13C1.A2011001.002.2020123123456.h5", "w") as file:
        group = file.createGroup("HDFEOS/GRIDS/VIIRS_Grid_16Day_VI_CMG/Data Fields")
        group.createDimension("y", 2), group.createDimension("x", 4)
        for name, values, kind in (
            ("NDVI", stored(INDEX), "i2"),
            ("pixel reliability", [[0, 4, 8, 9], [2, 7, 6, 1]], "i1"),
        ):
            layer = group.createVariable(f"CMG 0.05 Deg 16 days {name}", kind, ("y", "x"))
            layer[:] = values
            if kind == "i2":
                layer.setncatts({"scale_factor": 10000.0, "valid_range": np.array([-10000, 10000], "i2")})
                layer.set_auto_maskandscale(False)
                layer[:] = values
    found = read(tmp_path, product="VNP13C1")
    np.testing.assert_allclose(found[0].values, np.where(np.isnan(INDEX), np.nan, INDEX), atol=1e-6)
    np.testing.assert_allclose(found["weight"][0].values, [[1, 0.5, 0.1, 0], [1, 0, 0, 1]])
    with pytest.raises(InputError, match="no composites of 2011"):
        read(tmp_path)


def test_indices_by_hand():
    red, nir, blue, swir = (np.array([v], "float32") for v in (0.05, 0.35, 0.03, 0.2))
    ndvi = indices.ndvi(red=red, nir=nir)
    assert ndvi == pytest.approx(0.75)
    assert indices.evi(red=red, nir=nir, blue=blue) == pytest.approx(2.5 * 0.3 / (0.35 + 0.3 - 0.225 + 1))
    assert indices.nirv(ndvi=ndvi, nir=nir) == pytest.approx(0.2625)
    assert indices.kndvi(ndvi=ndvi) == pytest.approx(np.tanh(0.5625))
    assert indices.lswi(nir=nir, swir=swir) == pytest.approx(0.15 / 0.55)
    assert np.isnan(indices.ndvi(red=np.float32([0.02]), nir=np.float32([0.005]))), "water"
    assert np.isnan(indices.evi(red=np.float32([0.9]), nir=np.float32([0.85]), blue=np.float32([1.0]))), "a bright cloud"


def test_nadir_reflectance(write, tmp_path):
    quality = np.array([[0, 2, 5, 255], [1, 1, 1, 1]])
    snow = np.array([[0, 0, 0, 0], [80, 255, 10, 0]])
    bands = {1: np.full((2, 4), 0.05), 2: np.full((2, 4), 0.35), 3: np.full((2, 4), 0.03), 6: np.full((2, 4), 0.2)}
    bands[2][1, 3] = np.nan
    for day in (1, 2, 9):
        write.save(write.nadir(bands, quality, snow), tmp_path / f"MCD43C4.A2011{day:03d}.061.2020.nc")
    names = ("ndvi", "evi", "nirv", "kndvi", "lswi")
    found = mcd43c4.open_dynamic(mcd43c4.Options(path=str(tmp_path)), names=names, axis=TimeAxis.of_years("day", (2011,)))
    assert found["ndvi"].sizes["time"] == 2, "every eighth day"
    values = {name: da[0, 0, 0].values.item() for name, da in found.items()}
    assert values == pytest.approx({"ndvi": 0.75, "evi": 0.526316, "nirv": 0.2625, "kndvi": 0.509830, "lswi": 0.272727}, rel=1e-5)
    assert found["ndvi"][0, 1, 3].isnull()
    np.testing.assert_allclose(found["ndvi"]["weight"][0].values, [[1, 0.5, 0.1, 0], [0.1, 1, 1, 1]])

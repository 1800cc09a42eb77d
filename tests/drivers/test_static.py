"""Static maps: codes become positions in the class lists, numbers keep their missing values."""

import numpy as np
import pytest
from pyhdf.SD import SD, SDC

from tamrl.classes import IGBP, KOPPEN
from tamrl.drivers.formats import static_maps
from tamrl.drivers.sources import static
from tamrl.errors import InputError


def read(folder, *names):
    return static.open_static(static.Options(path=str(folder)), names=names)


def test_land_cover_codes(write, tmp_path):
    codes = np.zeros((18, 36), "uint8")
    codes[0, :18] = np.arange(18)
    codes[1] = 255
    write.write_tif(tmp_path / "land_cover.tif", codes, nodata=255)
    found = read(tmp_path, "igbp_fraction", "land_fraction")
    names = [IGBP[i] for i in found["igbp_fraction"][0, :18].values]
    assert names[0] == "WAT" and names[17] == "WAT" and names[1:17] == list(IGBP[:16])
    assert (found["igbp_fraction"][1] == -1).all()
    assert found["land_fraction"][0, :18].values.tolist() == [0] + [1] * 16 + [0]
    assert found["land_fraction"][1].isnull().all() and found["land_fraction"].attrs["grid"] == "pixels"


def test_koppen_groups(write, tmp_path):
    codes = np.zeros((18, 36), "uint8")
    codes[0, :6] = np.arange(6)
    write.write_tif(tmp_path / "koppen.tif", codes, nodata=0)
    found = read(tmp_path, "koppen_fraction")["koppen_fraction"]
    assert found[0, 0] == -1 and [KOPPEN[i] for i in found[0, 1:6].values] == list(KOPPEN)


def _thirty(shape):
    """Aw, BWh, Cfb, Dfb and ET by latitude."""
    bands = np.select([np.abs(90 - (np.arange(shape[0]) + 0.5) * 10)[:, None] < y for y in (20, 30, 50, 70)], [3, 4, 15, 26], 29)
    return np.broadcast_to(bands, shape)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float32"])
def test_a_koppen_map_of_30_classes_gives_the_main_groups(write, tmp_path, kind):
    codes = np.where(np.arange(36) < 20, _thirty((18, 36)), 0).astype(kind)
    write.write_tif(tmp_path / "koppen.tif", codes)
    found = read(tmp_path, "koppen_fraction")["koppen_fraction"].values
    assert (found[:, 20:] == -1).all()
    assert [KOPPEN[k] for k in found[[9, 11, 13, 15, 17], 0]] == list(KOPPEN)


@pytest.mark.parametrize("name", ["igbp_fraction", "koppen_fraction", "land_fraction"])
def test_codes_of_another_legend_are_refused_with_the_file(write, tmp_path, name):
    codes = np.where(np.arange(36) < 20, 200, 10).astype("uint8")[None].repeat(18, 0)
    for file in ("land_cover", "koppen"):
        write.write_tif(tmp_path / f"{file}.tif", codes)
    with pytest.raises(InputError, match=r"do not fit(.|\n)*\.tif(.|\n)*200 on"):
        read(tmp_path, name)


def test_elevation_keeps_missing(write, tmp_path):
    values = np.full((18, 36), 100.0, "float32")
    values[2, 3], values[4, 5] = -9999, np.nan
    write.write_tif(tmp_path / "elevation.tif", values, nodata=-9999)
    found = read(tmp_path, "elevation")["elevation"].load()
    assert found.isnull().sum() == 2 and found.attrs["units"] == "m"
    assert found["lat"].values[0] == 85 and found["lon"].values[0] == -175


def test_what_is_refused(write, tmp_path):
    with pytest.raises(InputError, match="no map of elevation"):
        read(tmp_path, "elevation")
    (tmp_path / "elevation.tif").write_bytes(b"II*\0 nothing")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path, "elevation")
    (tmp_path / "elevation.tif").unlink()
    write.write_tif(tmp_path / "elevation.tif", np.zeros((18, 30), "float32"))
    with pytest.raises(InputError, match="cover the globe"):
        read(tmp_path, "elevation")
    write.write_tif(tmp_path / "land_cover.tif", np.full((18, 36), 1.5, "float32"))
    with pytest.raises(InputError, match="whole numbers"):
        read(tmp_path, "igbp_fraction")


def delivered(path, codes, corners="UpperLeftPointMtrs=(-180000000.0,90000000.0)\nLowerRightMtrs=(180000000.0,-90000000.0)"):
    """A file of MCD12C1 with the layers that matter, as NASA delivers it."""
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    file.attr("StructMetadata.0").set(SDC.CHAR8, corners)
    layer = file.create(static_maps.LAYER, SDC.UINT8, codes.shape)
    layer.attr("_FillValue").set(SDC.UINT8, 255)
    layer[:] = codes
    layer.endaccess()
    file.end()


def test_land_cover_as_nasa_delivers_it_gives_the_map_of_the_geotiff(write, tmp_path):
    codes = (np.arange(18 * 36).reshape(18, 36) % 18).astype("uint8")
    codes[5] = 255
    (tmp_path / "tif").mkdir()
    (tmp_path / "hdf").mkdir()
    write.write_tif(tmp_path / "tif/land_cover.tif", codes, nodata=255)
    delivered(tmp_path / "hdf/MCD12C1.A2019001.061.2022170020638.hdf", codes)
    for name in ("igbp_fraction", "land_fraction"):
        one, two = (read(tmp_path / kind, name)[name].load() for kind in ("tif", "hdf"))
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_allclose(one["lat"], two["lat"])
        np.testing.assert_allclose(one["lon"], two["lon"])
        assert one.attrs["grid"] == two.attrs["grid"] and two.attrs["source"].startswith("MCD12C1.A2019001")
    assert static.version(static.Options(path=str(tmp_path / "hdf")))["files"] == 1


def test_land_cover_of_several_years_or_of_a_tile_is_refused(tmp_path):
    codes = np.zeros((18, 36), "uint8")
    delivered(tmp_path / "MCD12C1.A2019001.061.2022170020638.hdf", codes, "UpperLeftPointMtrs=(0.0,90000000.0)\n")
    with pytest.raises(InputError, match="cover the globe"):
        read(tmp_path, "igbp_fraction")
    delivered(tmp_path / "MCD12C1.A2020001.061.2022170020638.hdf", codes)
    with pytest.raises(InputError, match="keep one"):
        read(tmp_path, "igbp_fraction")

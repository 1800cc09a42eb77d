"""Static maps: codes become positions in the class lists, numbers keep their missing values."""

import numpy as np
import pytest

from tamrl.classes import IGBP, KOPPEN
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
    write.write_tif(tmp_path / "land_cover.tif", np.zeros((18, 36), "float32"))
    with pytest.raises(InputError, match="8-bit"):
        read(tmp_path, "igbp_fraction")

"""Surface reflectance at 500 m: a real granule by hand, and one made around a tower."""

import shutil

import numpy as np
import pandas as pd
import pytest
from pyhdf.SD import SD, SDC

from tamrl.drivers import granules, indices
from tamrl.drivers.formats import cmg, hdf4
from tamrl.errors import InputError

REAL = "MOD09GA.A2008296.h14v17.006.2015181011753.hdf"
"""Coast of Antarctica, 22 October 2008."""
HAINICH = {"site": "DE-Hai", "lat": 51.0792, "lon": 10.4522}


def test_the_corner_of_the_real_granule_is_where_its_metadata_say(shared_data):
    text = hdf4.structure(shared_data / "modis" / REAL)
    x, y = -4447802.078667, -8895604.157333  # UpperLeftPointMtrs
    assert f"UpperLeftPointMtrs=({x:f},{y:f})" in text
    radius = 6371007.181  # ProjParams
    lat = np.rad2deg(y / radius) - 0.001
    inside = {"lat": lat, "lon": np.rad2deg(x / radius / np.cos(np.deg2rad(lat))) + 0.005}
    assert granules.sinusoidal_position(**inside) == (14, 17, 0, 0)


@pytest.mark.parametrize(
    ("lat", "lon", "tile"),
    [(51.0792, 10.4522, (18, 3)), (45.9459, -90.2723, (11, 4)), (-12.4943, 131.1523, (30, 10)), (0, 0, (18, 9))],
)
def test_tiles_of_towers(lat, lon, tile):
    assert granules.sinusoidal_position(lat=lat, lon=lon)[:2] == tile


def test_real_pixels_by_hand(shared_data, monkeypatch):
    """The sea ice of the real granule: nearly all under cloud, so nothing is said; without the flags, the numbers as stored."""
    path = shared_data / "modis" / REAL
    red, nir = (cmg.scale_layer((raw := hdf4.hdf4_layer(path, f"sur_refl_b{b:02d}_1")).values, raw.attrs) for b in (1, 2))
    row, column = np.argwhere(np.isfinite(sum(red[r:][:2398, c:][:, :2398] for r in range(3) for c in range(3))))[100] + 1
    assert granules.indices_around(path, row=row, column=column) is None
    monkeypatch.setattr(granules, "_CLEAR", 0)
    found = granules.indices_around(path, row=row, column=column)
    window = slice(row - 1, row + 2), slice(column - 1, column + 2)
    r, n = (values[window].astype("float64").mean() for values in (red, nir))
    assert found["ndvi"] == pytest.approx((n - r) / (n + r), abs=1e-5) and abs(found["ndvi"]) < 0.2, "ice and water"


def granule(path, *, row, column, cloud=()):
    """A granule of one reflectance around a pixel; pixels of `cloud` (row, column of 1 km) are cloudy."""
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    values = {1: 500, 2: 4000, 3: 300, 6: 2000}
    for band, value in values.items():
        layer = file.create(f"sur_refl_b{band:02d}_1", SDC.INT16, (2400, 2400))
        for name, kind, what in (
            ("_FillValue", SDC.INT16, -28672),
            ("valid_range", SDC.INT16, [-100, 16000]),
            ("scale_factor", SDC.FLOAT64, 10000.0),
        ):
            layer.attr(name).set(kind, what)
        body = np.full((2400, 2400), -28672, "int16")
        body[row - 3 : row + 4, column - 3 : column + 4] = value
        layer[:] = body
        layer.endaccess()
    state = np.zeros((1200, 1200), "uint16")
    for place in cloud:
        state[place] = 1
    for name, kind, body in (("state_1km_1", SDC.UINT16, state), ("QC_500m_1", SDC.UINT32, np.zeros((2400, 2400), "uint32"))):
        layer = file.create(name, kind, body.shape)
        layer[:] = body
        layer.endaccess()
    file.end()


def test_a_day_at_a_tower(tmp_path):
    h, v, row, column = granules.sinusoidal_position(lat=HAINICH["lat"], lon=HAINICH["lon"])
    granule(tmp_path / f"MOD09GA.A2011182.h{h:02d}v{v:02d}.061.2021200000000.hdf", row=row, column=column)
    every = [(r // 2, c // 2) for r in (row - 1, row, row + 1) for c in (column - 1, column, column + 1)]
    granule(tmp_path / f"MOD09GA.A2011183.h{h:02d}v{v:02d}.061.2021200000000.hdf", row=row, column=column, cloud=every)
    sites = pd.DataFrame([HAINICH, {"site": "AU-How", "lat": -12.4943, "lon": 131.1523}])
    found = granules.granules_at_towers(tmp_path, sites)
    assert found["site"].tolist() == ["DE-Hai"] and found["date"].tolist() == [pd.Timestamp("2011-07-01")]
    assert found["ndvi"][0] == pytest.approx((0.4 - 0.05) / 0.45, abs=1e-6)
    assert found["evi"][0] == pytest.approx(2.5 * 0.35 / (0.4 + 6 * 0.05 - 7.5 * 0.03 + 1), abs=1e-6)
    assert found["lswi"][0] == pytest.approx(0.2 / 0.6, abs=1e-6) and tuple(found.columns[2:]) == indices.NAMES
    shutil.copy(next(tmp_path.glob("*A2011182*")), tmp_path / f"MYD09GA.A2011182.h{h:02d}v{v:02d}.061.2021200000001.hdf")
    with pytest.raises(InputError, match="two granules of one day"):
        granules.granules_at_towers(tmp_path, sites)


def test_a_folder_without_granules_says_nothing(tmp_path):
    assert granules.granules_at_towers(tmp_path, pd.DataFrame([HAINICH])).empty

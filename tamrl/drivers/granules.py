"""Daily surface reflectance at 500 m around towers: MOD09GA or MYD09GA granules (doi 10.5067/MODIS/MOD09GA.061), HDF4.

A granule is a tile of 10° on the sinusoidal grid. Around a tower the pixels of a small window count that were observed,
clear by the state flags and of ideal quality by those of the bands; days with too few of them say nothing.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from tamrl.drivers import indices
from tamrl.drivers.formats import cmg, hdf4
from tamrl.errors import InputError
from tamrl.intake import stored

NAME = re.compile(r"^M[OY]D09GA\.A(?P<day>\d{7})\.h(?P<h>\d{2})v(?P<v>\d{2})\.\d{3}(\.\d+)?\.hdf$")
BANDS = {"red": 1, "nir": 2, "blue": 3, "swir": 6}

PIXELS = 2400
"""Pixels of 500 m (463.3 m exactly) along the side of a tile."""

AROUND = 1
"""Pixels around the tower's own to each side: a window of 1.4 km, about what a tower sees."""
FEWEST = 5
"""Of the nine pixels, how many must be good."""

FILL, LIMITS = -28672, (-0.01, 1.6)
"""Fill value and valid range of reflectance, where the file does not say them."""

_CLEAR, _IDEAL = 0b0010010000000111, 0b11
"""Bits that must be 0: of the state cloudy or mixed (0-1), shadow (2), cloud (10), beside a cloud (13); of the quality both."""


def sinusoidal_position(*, lat: float, lon: float) -> tuple[int, int, int, int]:
    """Tile (h, v) and pixel (row, column) of a place on the sinusoidal grid of MODIS, x = λ cos φ and y = φ (Snyder
    1987, doi 10.3133/pp1395, equations 30-1 and 30-2).
    """
    # a tile is 10° of a great circle, so both coordinates come in tiles without the radius
    x, y = 18 + lon / 10 * float(np.cos(np.deg2rad(lat))), 9 - lat / 10
    h, v = min(int(x), 35), min(int(y), 17)
    row, column = (min(int((along - k) * PIXELS), PIXELS - 1) for along, k in ((y, v), (x, h)))
    return h, v, row, column


def indices_around(path: Path, *, row: int, column: int) -> dict[str, float] | None:
    """Indices of the mean reflectances of the good pixels around a pixel, or None where there are too few.

    Raise `InputError` if the granule cannot be read.
    """
    rows, columns = (slice(max(at - AROUND, 0), at + AROUND + 1) for at in (row, column))
    state, quality = _flags(path, "state_1km_1"), _flags(path, "QC_500m_1")[rows, columns]
    state = np.kron(state, np.ones((2, 2), state.dtype))[rows, columns]
    good = (state >= 0) & ((state & _CLEAR) == 0) & (state != 65535) & (quality >= 0) & ((quality & _IDEAL) == 0)
    bands = {}
    for name, band in BANDS.items():
        raw = hdf4.hdf4_layer(path, f"sur_refl_b{band:02d}_1")
        where = f"{path} ({raw.name})"
        bands[name] = cmg.scale_layer(raw.values[rows, columns], raw.attrs, where=where, limits=LIMITS, fill=FILL)
    good &= np.isfinite(np.stack(list(bands.values()))).all(0)
    if good.sum() < FEWEST:
        return None
    means = {name: values[good].mean(keepdims=True) for name, values in bands.items()}
    return {name: float(values[0]) for name, values in indices.indices_of_bands(**means).items()}


def _flags(path: Path, name: str) -> np.ndarray:
    """Bits of a layer of flags; negative where they are missing."""
    raw = hdf4.hdf4_layer(path, name)
    return stored.decode_codes(raw.values, raw.attrs, where=f"{path} ({name})", rule="hdf4")


def granules_at_towers(folder: str | Path, sites: pd.DataFrame) -> pd.DataFrame:
    """Vegetation at the towers whose tiles a folder holds: site, date, ndvi, evi, nirv, kndvi, lswi; empty without granules.

    `sites` is a table with site, lat and lon.
    """
    places = {s.site: sinusoidal_position(lat=s.lat, lon=s.lon) for s in sites.itertuples()}
    rows = []
    for path in sorted(Path(folder).rglob("*.hdf")):
        if not (match := NAME.match(path.name)):
            continue
        day, tile = pd.Timestamp(cmg.first_day(match["day"][:4], match["day"][4:], path)), (int(match["h"]), int(match["v"]))
        for site, (h, v, row, column) in places.items():
            values = indices_around(path, row=row, column=column) if (h, v) == tile else None
            if values:
                rows.append({"site": site, "date": day, **values})
    table = pd.DataFrame(rows, columns=["site", "date", *indices.NAMES])
    if (again := table.duplicated(["site", "date"])).any():
        raise InputError("two granules of one day hold the same tower", where=folder, found=table[again].iloc[0].to_dict())
    return table

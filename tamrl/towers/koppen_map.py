"""Climate of towers whose metadata have none: the Köppen-Geiger group of their pixel in a map."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.windows import Window

from tamrl import classes
from tamrl.errors import InputError
from tamrl.intake import border, completeness, legends, rasters

_log = logging.getLogger(__name__)

REACH = 0.1
"""Degrees: a tower on a pixel of sea or lake takes the nearest land pixel within this distance, because coasts are coarse."""

STRIP = 600
"""Rows of pixels that are read at once."""


def fill_koppen(places: pd.DataFrame, path: str | Path | None) -> pd.DataFrame:
    """Fill missing climates (`koppen`) of sites from a map, and log the sites. Without a map, return the sites unchanged.

    The map at `path` is a global GeoTIFF in degrees, north up, with main groups 1 to 5 or the 30 classes, and 0 for sea
    (`tamrl.intake.legends`). Raises `InputError` if it cannot be read or its codes are of another legend.
    """
    if path is None:
        return places
    lacking = places.index[places["koppen"].isna()]
    groups = koppen_groups(Path(path), lat=places.loc[lacking, "lat"].tolist(), lon=places.loc[lacking, "lon"].tolist())
    koppen = places["koppen"].astype(object).copy()
    koppen.loc[lacking] = groups
    known = [site for site, group in zip(places.loc[lacking, "site"], groups, strict=True) if group]
    _log.info("climate taken from %s at %d towers: %s", path, len(known), ", ".join(known))
    return places.assign(koppen=koppen)


def koppen_groups(path: Path, *, lat: Sequence[float], lon: Sequence[float]) -> list[str | None]:
    """Return the main group at each place (degrees), None if there is no land within `REACH`."""
    completeness.check_complete(path)
    with (
        border.reading("the map of climates cannot be read", where=path, todo=completeness.INSIDE),
        rasters.open_geotiff(path) as file,
    ):
        if (file.scales[0], file.offsets[0]) != (1.0, 0.0):
            packing = f"scale {file.scales[0]:g}, offset {file.offsets[0]:g}"
            raise InputError("class codes have no scale and offset", where=path, found=packing, todo="unpack the map")
        if not lat:
            return []
        parts = (Window(0, top, file.width, min(STRIP, file.height - top)) for top in range(0, file.height, STRIP))
        counts = legends.count_codes((file.read(1, window=part) for part in parts), where=path)
        table = legends.class_table("koppen", counts, nodata=file.nodata, where=path)
        return [_group(file, table, lat=y, lon=x) for y, x in zip(lat, lon, strict=True)]


def _group(file: rasterio.DatasetReader, table: np.ndarray, *, lat: float, lon: float) -> str | None:
    """Return the group of the nearest pixel that has one; `table` has the position in `classes.KOPPEN` of each code."""
    row, column = (min(int(k), size - 1) for k, size in zip(file.index(lon, lat), file.shape, strict=True))
    reach = int(np.ceil(REACH / file.res[0]))
    top, left = max(row - reach, 0), max(column - reach, 0)
    window = Window(left, top, min(column + reach + 1, file.width) - left, min(row + reach + 1, file.height) - top)
    positions = legends.class_positions(file.read(1, window=window), table)
    rows, columns = np.nonzero(positions >= 0)
    # distance of pixel centres in degrees; columns shrink towards the poles
    y, x = file.transform.f + (rows + top + 0.5) * file.transform.e, file.transform.c + (columns + left + 0.5) * file.transform.a
    away = np.hypot(y - lat, (x - lon) * np.cos(np.deg2rad(lat)))
    near = away <= max(REACH, file.res[0])
    if not near.any():
        return None
    best = int(np.argmin(np.where(near, away, np.inf)))
    return classes.KOPPEN[int(positions[rows[best], columns[best]])]

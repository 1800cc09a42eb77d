"""Global GeoTIFFs as lazy arrays, and class codes as positions in the class lists."""

from pathlib import Path

import dask.array as da
import numpy as np
import rasterio
import xarray as xr
from rasterio.windows import Window

from tamrl import classes, variables
from tamrl.drivers.formats import lazy
from tamrl.errors import InputError
from tamrl.intake import border, completeness, legends, rasters, stored

STRIP = 600
"""Pixel rows read at once."""

CACHE_MB = 64
"""Memory for blocks that GDAL keeps; its default is a share of the machine's."""

WATER = classes.IGBP.index("WAT")

LEGENDS: dict[str, legends.Legend] = {"igbp_fraction": "igbp", "koppen_fraction": "koppen", "land_fraction": "igbp"}
"""Variables that are made of class codes, and their legend."""


def open_map(path: Path) -> xr.DataArray:
    """A north-up global GeoTIFF in degrees as (lat, lon), lazy, values as stored, attribute `grid` = `pixels`.

    Raise `InputError` if the file is missing, cut short, unreadable, or does not cover the globe.
    """
    completeness.check_complete(path)
    with border.reading("the map cannot be read", where=path, todo=completeness.INSIDE), rasters.open_geotiff(path) as file:
        shape, transform, kind, nodata = file.shape, tuple(file.transform)[:6], file.dtypes[0], file.nodata
        packing = {"scale_factor": file.scales[0], "add_offset": file.offsets[0]}
    (rows, columns), size = shape, 180.0 / shape[0]
    if columns != 2 * rows or np.abs(np.subtract(transform, (size, 0, -180, 0, -size, 90))).max() > 1e-6:
        raise InputError("the map must cover the globe, north-up from -180°", where=path, found=f"{shape}, {transform}")
    strips = [(top, min(STRIP, rows - top)) for top in range(0, rows, STRIP)]
    parts = [lazy.read_later(_read_strip, path, *s, shape=(s[1], columns), dtype=kind) for s in strips]
    lat, lon = 90 - (np.arange(rows) + 0.5) * size, -180 + (np.arange(columns) + 0.5) * size
    attrs = {"grid": "pixels", "nodata": nodata, "source": path.name}
    attrs |= packing if packing != {"scale_factor": 1.0, "add_offset": 0.0} else {}
    return xr.DataArray(da.concatenate(parts), dims=("lat", "lon"), coords={"lat": lat, "lon": lon}, attrs=attrs)


def _read_strip(path: Path, top: int, rows: int) -> np.ndarray:
    where = f"{path}, rows {top} to {top + rows - 1}"
    reading = border.reading("the map cannot be read", where=where, todo=completeness.INSIDE)
    with reading, rasterio.Env(GDAL_CACHEMAX=CACHE_MB), rasters.open_geotiff(path) as file:
        strip: np.ndarray = file.read(1, window=Window(0, top, file.width, rows))
        return strip


def open_variable(path: Path, *, name: str, units: str) -> xr.DataArray:
    """The map of a static variable, lazy: positions in its class list, or numbers in canonical units from `units`."""
    raw = open_map(path)
    return class_map(raw, name=name) if name in LEGENDS else number_map(raw, name=name, units=units)


def class_map(codes: xr.DataArray, *, name: str) -> xr.DataArray:
    """Class codes (whole numbers of any type) as positions in the class list of variable `name`, lazily, -1 where unknown.

    `land_fraction` is 1 on land, 0 on water and missing where unknown. The codes are counted before, so that a map of another
    legend is refused (`tamrl.intake.legends`: `InputError`).
    """
    where = codes.attrs["source"]
    if "scale_factor" in codes.attrs:
        packing = {k: codes.attrs[k] for k in ("scale_factor", "add_offset")}
        raise InputError("class codes have no scale and offset", where=where, found=packing, todo="unpack the map")
    strips = (codes.data[top : top + STRIP] for top in range(0, codes.sizes["lat"], STRIP))
    counts = legends.count_codes((strip.compute(scheduler="synchronous") for strip in strips), where=where)
    table = legends.class_table(LEGENDS[name], counts, nodata=codes.attrs["nodata"], where=where)
    if name == "land_fraction":
        table = np.where(table < 0, np.nan, table != WATER).astype("float32")
    values = codes.data.map_blocks(legends.class_positions, table, dtype=table.dtype, meta=np.empty((0, 0), table.dtype))
    return codes.copy(data=values).rename(name).assign_attrs(variables.attributes(name))


def number_map(raw: xr.DataArray, *, name: str, units: str) -> xr.DataArray:
    """A map of numbers in canonical units by its tags (nodata, scale, offset), fill values missing, lazily."""
    attrs = {k: v for k, v in raw.attrs.items() if k in stored.ATTRIBUTES} | {"_FillValue": raw.attrs["nodata"]}
    how = stored.make_decoder(attrs, raw.dtype, where=raw.attrs["source"])

    def clean(block: np.ndarray) -> np.ndarray:
        return variables.mask_fill(how.values(block))[0].astype("float32")

    values = raw.data.map_blocks(clean, dtype="float32", meta=np.empty((0, 0), "float32"))
    done = variables.canonical(raw.copy(data=values), name=name, source_units=units, where=raw.attrs["source"])
    return done.assign_attrs(grid="pixels")

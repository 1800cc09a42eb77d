"""Static maps on the cells of the maps. Reads through the arrays it is given, strip by strip."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr

from tamrl import classes, variables
from tamrl.drivers import plausible, regrid
from tamrl.errors import InputError
from tamrl.grid import Grid

_log = logging.getLogger(__name__)

WATER = classes.IGBP.index("WAT")


def static_cells(da: xr.DataArray, *, name: str, grid: Grid, threads: int) -> np.ndarray:
    """A static map on the cells: float32 (lat, lon), or (class, lat, lon) fractions of the land where it has classes.

    Parameters
    ----------
    da : map (lat, lon) of a source, of values or of codes of classes
    name : of the variable
    grid : of the result
    threads : that read blocks side by side
    """
    members = variables.get(name).members
    native = Grid.from_dataset(da)
    if native.resolution > grid.resolution and not members:
        values = np.asarray(da.data.compute(scheduler="synchronous"))
        variables.check_range(values, name=name, where=da.attrs.get("source"))
        return regrid.centres_to_cells(values, target=grid)
    k = regrid.native_per_cell(target=grid.resolution, native=native.resolution, name=name)
    area = native.area()

    def cells(rows: slice) -> tuple[np.ndarray, ...]:
        """Sums over the pixels of each cell in some rows of cells."""
        pixels = slice(rows.start * k, rows.stop * k)
        values = da.isel(lat=pixels).data.compute(scheduler="synchronous")
        if members:
            return (regrid.class_areas(values, area[pixels], k, len(members)),)
        variables.check_range(values, name=name, where=da.attrs.get("source"))
        return regrid.pixel_sums(values, area[pixels], k)

    with ThreadPoolExecutor(threads) as pool:
        strips = list(pool.map(cells, regrid.consecutive_blocks(grid.shape[0], max(1, 600 // k))))
    sums = [np.concatenate(parts, axis=-2) for parts in zip(*strips, strict=True)]
    if members:
        return regrid.fractions(sums[0], without=WATER if name == "igbp_fraction" else None)
    return regrid.mean(*sums)


def statics_on_cells(maps: dict[str, xr.DataArray], grid: Grid, threads: int) -> dict[str, np.ndarray]:
    """Static maps on the cells, missing over sea; logs how many cells of land they miss.

    Raise `InputError` or `UnitError` if fractions do not sum to one, or a mean over land cannot be right
    (`tamrl.drivers.plausible`).
    """
    fields = {name: static_cells(da, name=name, grid=grid, threads=threads) for name, da in maps.items()}
    share = fields["land_fraction"]
    land = share > 0
    _log.info("land_fraction: %d of %d cells hold land, %d are unknown", land.sum(), land.size, np.isnan(share).sum())
    for name, values in fields.items():
        if name == "land_fraction":
            continue
        present = np.isfinite(values).all(0) if values.ndim == 3 else np.isfinite(values)
        lacking, dropped = (land & ~present).sum(), (~land & present).sum()
        _log.info("%s: %d land cells missing; values of %d cells without land dropped (islands, lakes)", name, lacking, dropped)
        values[..., ~land] = np.nan
        if variables.get(name).members:
            total = values.sum(0)
            off = np.abs(total[np.isfinite(total)] - 1)
            if off.size and off.max() > 1e-5:
                raise InputError(f"{name} does not sum to one", found=f"off by {off.max():.2g}")
        else:
            plausible.check_static(name, values, grid, where=maps[name].attrs.get("source"))
    return fields

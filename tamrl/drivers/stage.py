"""The stage: sources to `cube.zarr`, and the cube at the towers."""

import logging
import shutil
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import xarray as xr
import zarr

from tamrl import contracts, files, provenance, registry, stores, variables
from tamrl.drivers import co2 as co2_series
from tamrl.drivers import collocate, compare, derived, granules, places, store
from tamrl.drivers import cube as cubes
from tamrl.drivers import subsets as subset_tables
from tamrl.drivers.cells import Cells
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.log import progress

log = logging.getLogger(__name__)


def build_cube(
    *,
    paths: list[str],
    cube: str,
    drivers: dict[str, Any],
    time: dict[str, Any],
    resolution: float,
    threads: int,
    parts: list[str] | None = None,
) -> None:
    """Bring all drivers onto the grid of the maps.

    Parameters
    ----------
    paths : list of str
        Files or folders that the sources need; must exist.
    cube : str
        The Zarr store to write (`contracts.cube`); appears only when whole.
    drivers, time : dict
        The configuration's section `drivers`, and `step` and `years` of `time`.
    resolution : float
        Degrees.
    parts : list of str, optional
        What `build_driver` made of each dynamic variable, in their order; without, they are made here.

    Raises
    ------
    ConfigError, InputError, UnitError, ContractError
    """
    names, statics, cells = _opened(paths, drivers, time, resolution, threads)
    with files.atomic(cube) as part:
        frame = store.template(statics, cells.axis.time, cells.grid, time["step"], not time["years"])
        frame.to_zarr(part, zarr_format=3, consolidated=False, mode="w")
        known: dict[str, dict[str, Any]] = {}
        with _limited(threads):
            for k, name in enumerate(progress(names, "drivers")):
                if parts:
                    known |= store.take(part, Path(parts[k]))
                else:
                    store.write_dynamic(part, name, cells, statics["land_fraction"] > 0)
        modules = [f"{registry.SOURCES}.{source}" for source in drivers["sources"]]
        about = {"sources": _versions(drivers), "code": provenance.code_digest(__name__, *modules)}
        stores.seal(part, about=about, known=known)
        stores.open_cube(part)


def build_driver(
    *, paths: list[str], part: str, name: str, drivers: dict[str, Any], time: dict[str, Any], resolution: float, threads: int
) -> None:
    """Bring one dynamic variable onto the grid of the maps, for `build_cube` to take; other keywords as there.

    The store `part` holds it as the cube will, and `filled_drivers` where it comes as composites.
    """
    _, statics, cells = _opened(paths, drivers, time, resolution, threads, only=name)
    with files.atomic(part) as building:
        zarr.create_group(building, zarr_format=3)
        with _limited(threads):
            store.write_dynamic(building, name, cells, statics["land_fraction"] > 0)
        stores.seal(building, about={})  # the cube tells the sources, whose files are read through for that


def _opened(
    paths: list[str], drivers: dict[str, Any], time: dict[str, Any], resolution: float, threads: int, *, only: str | None = None
) -> tuple[tuple[str, ...], dict[str, np.ndarray], Cells]:
    """Names of the dynamic variables, statics on the cells, and the cells; `only` one variable, with the land alone."""
    for path in paths:
        if not Path(path).exists():
            raise InputError("an input of the drivers is missing", where=path)
    sources, years = tuple(drivers["sources"]), tuple(time["years"])
    dynamic, static = ((only,), ()) if only else (tuple(drivers["variables"][role]) for role in ("dynamic", "static"))
    grid, axis = Grid(resolution), cubes.steps(time["step"], years)
    maps = _open_static(sources, drivers, tuple(dict.fromkeys(("land_fraction", *static))))
    arrays = _open_dynamic(sources, drivers, dynamic, years, time["step"])
    where = derived.Axis(axis, time["step"], grid.lat, _co2(drivers.get("co2")))
    cells = Cells(grid, where, arrays, lambda: maps["land_fraction"].values, threads)
    return dynamic, _statics(maps, grid, threads), cells


def _limited(threads: int) -> Any:
    """Zarr keeps to the threads of the job."""
    return zarr.config.set({"threading.max_workers": threads, "async.concurrency": threads})


def download_drivers(*, folder: str, source: str, item: str, year: int, options: dict[str, Any]) -> None:
    """Fetch one item of a source for one year into a folder that appears only when all its files are whole.

    What has arrived is kept beside the folder (`.<name>.part`) when something fails, so that the next call fetches the rest.

    Raises
    ------
    DownloadError
        Names the file, its address and what happened.
    """
    target = Path(folder)
    part = target.with_name(f".{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    plugin = registry.load(registry.SOURCES, source)
    plugin.fetch(registry.options(registry.SOURCES, source)(**options), item=item, year=year, folder=part)
    if target.is_dir():
        shutil.rmtree(target)
    part.replace(target)


def _co2(path: str | None) -> co2_series.Series | None:
    return co2_series.series(pd.read_csv(path, comment="#"), where=path) if path else None


def _options(source: str, drivers: dict[str, Any]) -> Any:
    return registry.options(registry.SOURCES, source)(**drivers.get(source, {}))


def _versions(drivers: dict[str, Any]) -> dict[str, Any]:
    return {s: registry.load(registry.SOURCES, s).version(_options(s, drivers)) for s in drivers["sources"]}


def _open_static(sources: tuple[str, ...], drivers: dict[str, Any], names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    found: dict[str, xr.DataArray] = {}
    for source, wanted in cubes.plan(names, sources).items():
        found |= registry.load(registry.SOURCES, source).open_static(_options(source, drivers), names=wanted)
    return found


def _open_dynamic(
    sources: tuple[str, ...], drivers: dict[str, Any], names: tuple[str, ...], years: tuple[int, ...], step: str
) -> dict[str, xr.DataArray]:
    found: dict[str, xr.DataArray] = {}
    for source, wanted in cubes.plan(names, sources).items():
        plugin = registry.load(registry.SOURCES, source)
        found |= plugin.open_dynamic(_options(source, drivers), names=wanted, years=years, step=step)
    placed = {name: cubes.on_globe(da) for name, da in found.items()}
    return {name: dask.optimize(da)[0] for name, da in placed.items()}  # once here instead of once per block


def _statics(maps: dict[str, xr.DataArray], grid: Grid, threads: int) -> dict[str, np.ndarray]:
    """Static maps on the cells, missing over sea, and the log of what is missing on land."""
    found = {name: cubes.static_cells(da, name=name, grid=grid, threads=threads) for name, da in maps.items()}
    share = found["land_fraction"]
    land = share > 0
    log.info("land_fraction: %d of %d cells hold land, %d are unknown", land.sum(), land.size, np.isnan(share).sum())
    for name, values in found.items():
        if name == "land_fraction":
            continue
        there = np.isfinite(values).all(0) if values.ndim == 3 else np.isfinite(values)
        log.info(
            "%s: %d land cells missing; values of %d cells without land dropped (islands, lakes)", name, *_counts(there, land)
        )
        values[..., ~land] = np.nan
        if variables.get(name).members:
            _check_fractions(values, name)
    return found


def _counts(there: np.ndarray, land: np.ndarray) -> tuple[int, int]:
    return int((land & ~there).sum()), int((~land & there).sum())


def _check_fractions(values: np.ndarray, name: str) -> None:
    total = values.sum(0)
    off = np.abs(total[np.isfinite(total)] - 1)
    if off.size and off.max() > 1e-5:
        raise InputError(f"{name} does not sum to one", found=f"off by {off.max():.2g}")


def collocate_drivers(*, cube: str, towers: str, drivers: str, max_distance_km: float) -> None:
    """Take the drivers at the towers from the cube.

    Each tower takes its cell, or the nearest one with land and drivers within `max_distance_km`; a tower without such
    a cell is left out, and the log says so. Writes dims (site, time) with `distance_km` (to the nearest point of the cell used),
    `cell_lat`, `cell_lon` and the tower's own `lat`, `lon`.

    Raises
    ------
    ContractError
        If the cube or the table of towers breaks its contract.
    InputError
        If no tower is left.
    """
    ds = stores.open_cube(cube)
    sites = contracts.read_csv(towers, contracts.SITES)
    grid = Grid(ds.attrs["resolution"])
    series = collocate.Series(ds)
    places = [
        collocate.candidates(series.usable, lat=s.lat, lon=s.lon, grid=grid, max_distance_km=max_distance_km)
        for s in sites.itertuples()
    ]
    chosen = collocate.choose(places, series.has_drivers)
    for site, place in zip(sites["site"], chosen, strict=True):
        if place is None:
            log.warning("%s is left out: no cell with land and drivers within %g km", site, max_distance_km)
        elif place[2] > 0:
            log.info("%s takes a cell %.1f km away", site, place[2])
    kept = [k for k, place in enumerate(chosen) if place is not None]
    if not kept:
        raise InputError("no tower lies on or near land of the cube", where=towers, todo="raise drivers.max_distance_km")
    found = collocate.at_towers(series, sites.iloc[kept], [chosen[k] for k in kept], grid)
    with files.atomic(drivers) as part:
        found.to_netcdf(part, engine="netcdf4", encoding={n: {"zlib": True, "complevel": 1} for n in series.dynamic})


def place_drivers(*, table: str, towers: str, drivers: str, names: dict[str, Any], step: str, co2: str | None = None) -> None:
    """Write what place and date tell of the drivers at the towers, for a run without grids.

    Parameters
    ----------
    table, towers : tables of `contracts.TOWERS` and `contracts.SITES`
    drivers : output, in the form of collocated drivers; the measured ones join in `samples`
    names : `dynamic` and `static` variables
    step : "day" or "month"
    co2 : CSV of annual means, for the driver `co2`
    """
    sites = contracts.read_csv(towers, contracts.SITES)
    dates = pd.read_parquet(table, columns=["date"])["date"]
    first = dates.min() - pd.DateOffset(years=1)
    time = pd.date_range(first, dates.max(), freq="D" if step == "day" else "MS")
    dynamic, static = (tuple(names[role]) for role in ("dynamic", "static"))
    found = places.at_places(sites, time, dynamic=dynamic, static=static, step=step, co2=_co2(co2))
    with files.atomic(drivers) as part:
        found.to_netcdf(part, engine="netcdf4", encoding={n: {"zlib": True, "complevel": 1} for n in dynamic})
    log.info("%d towers, %d steps", *(found.sizes[name] for name in ("site", "time")))


def compare_drivers(*, drivers: str, table: str, towers: str, comparison: str, subsets: str | None = None) -> None:
    """Compare the drivers of the cube with those measured at the towers, per tower and variable (`contracts.COMPARISON`).

    Parameters
    ----------
    subsets : path or None
        Folder of MODIS subsets (`tamrl.drivers.subsets`) or granules (`tamrl.drivers.granules`), which speak for the
        vegetation around towers.

    Raises
    ------
    ContractError
        If a table breaks its contract.
    """
    measured = contracts.table(pd.read_parquet(table), contracts.TOWERS, where=table)
    with xr.open_dataset(drivers) as gridded:
        sites = contracts.read_csv(towers, contracts.SITES)
        found = compare.compare(gridded, measured, sites)
        if subsets:
            around = _vegetation(subsets, sites, gridded.attrs["time_step"])
            found = pd.concat([found, compare.compare(gridded, around, sites)], ignore_index=True)
            found = found.drop_duplicates(["site", "variable"], keep="last")
    for name, rows in found.groupby("variable"):
        middle = rows[["bias", "r"]].median()
        log.info(
            "%s: %d towers, median bias %.3g %s, median r %.3f",
            name,
            len(rows),
            middle["bias"],
            rows["units"].iloc[0],
            middle["r"],
        )
    with files.atomic(comparison) as part:
        contracts.table(found, contracts.COMPARISON, where=comparison).to_csv(part, index=False)


def _vegetation(folder: str, sites: pd.DataFrame, step: str) -> pd.DataFrame:
    """Vegetation around towers from granules where the folder holds some, else from subsets."""
    daily = granules.at_towers(folder, sites)
    return subset_tables.at_towers(folder, step=step) if daily.empty else subset_tables.on_steps(daily, step=step)

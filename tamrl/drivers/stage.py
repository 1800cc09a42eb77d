"""The stage: sources to `cube.zarr`, and the cube at the towers."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
import zarr

from tamrl import contracts, escaping, files, provenance, registry, simulated, stores, temporary
from tamrl.calendar import Step
from tamrl.drivers import collocate, compare, granules, places, store
from tamrl.drivers import kept as keeping
from tamrl.drivers import subsets as subset_tables
from tamrl.drivers.making import Making, limited
from tamrl.drivers.opening import Opening, co2_series
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.sections import Drivers
from tamrl.sections.inputs import DriverTime, DriverVariables
from tamrl.workflow import stage

log = logging.getLogger(__name__)


@stage
def build_cube(
    *,
    paths: list[str],
    cube: str,
    drivers: Drivers,
    time: DriverTime,
    resolution: float,
    threads: int,
    parts: list[str] | None = None,
    kept: str | None = None,
) -> None:
    """Bring all drivers onto the grid of the maps.

    Parameters
    ----------
    paths : list of str
        Files or folders that the sources need; must exist.
    cube : str
        The Zarr store to write (`contracts.cube`); appears only when whole.
    resolution : float
        Degrees.
    parts : list of str, optional
        What `build_driver` made of each dynamic variable, in their order; without, they are made here.
    kept : str, optional
        Folder that keeps the cube by hard links, so that a longer one goes on from it (`tamrl.drivers.kept`).

    Raises
    ------
    ConfigError, InputError, UnitError, ContractError
    """
    opening = _opening(paths, drivers, time, resolution, threads)
    names = drivers.variables.dynamic
    statics = opening.statics(drivers.variables.static)
    about = {"code": _code(drivers)}
    making = None if parts else _making(opening, names, about["code"], kept, checksums=True)
    with files.atomic(cube) as part:
        frame = store.template(statics, opening.axis, opening.grid)
        frame.to_zarr(part, zarr_format=3, consolidated=False, mode="w")
        with limited(threads):
            if making:
                known, records = making.write(part, statics["land_fraction"] > 0)
            else:
                known, records = _taken(part, names, parts or [], opening, kept)
        stores.seal(part, about=about | {"sources": opening.versions()}, known=known)
        stores.open_cube(part)
    keeping.keep(kept, cube, records)


@stage
def build_driver(
    *,
    paths: list[str],
    part: str,
    variable: str,
    drivers: Drivers,
    time: DriverTime,
    resolution: float,
    threads: int,
    kept: str | None = None,
) -> None:
    """Bring one dynamic variable onto the grid of the maps, for `build_cube` to take; other keywords as there.

    The store `part` holds it as the cube will, and `filled_drivers` where it comes as composites.
    """
    opening = _opening(paths, drivers, time, resolution, threads)
    land = opening.statics(())["land_fraction"] > 0
    making = _making(opening, (variable,), _code(drivers), kept, checksums=False)
    with files.atomic(part) as building:
        zarr.create_group(building, zarr_format=3)
        with limited(threads):
            known, records = making.write(building, land)
        # the cube tells the sources, whose files are read through for that
        stores.seal(
            building, about={"record": records.get(variable), "went on": making.starts[variable] is not None}, known=known
        )


def _opening(paths: list[str], drivers: Drivers, time: DriverTime, resolution: float, threads: int) -> Opening:
    for path in paths:
        if not Path(path).exists():
            raise InputError("an input of the drivers is missing", where=path)
    return Opening(drivers, time, Grid(resolution), threads)


def _code(drivers: Drivers) -> str:
    return provenance.code_digest(__name__, *(f"{registry.SOURCES}.{source}" for source in drivers.sources))


def _making(opening: Opening, names: tuple[str, ...], code: str, kept: str | None, *, checksums: bool) -> Making:
    return Making.planned(opening, names, code=code, kept=keeping.newest(kept), keeps=kept is not None, checksums=checksums)


def _taken(
    part: Path, names: tuple[str, ...], parts: list[str], opening: Opening, kept: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take what was made apart into the cube: manifest entries of its files, and records of what is worth keeping."""
    known, records, before = {}, {}, keeping.records(keeping.newest(kept))
    for name, path in zip(names, parts, strict=True):
        known |= store.take(part, Path(path))
        about = stores.manifest(path)["about"]
        if kept and about["record"]:
            record = about["record"]
            old = before[name]["files"] if about["went on"] else {}
            records[name] = keeping.confirmed(record, old, opening.listed(record.get("files", ())), name=name)
    return known, records


@stage
def download_drivers(*, folder: str, source: str, item: str, year: int, options: dict[str, Any]) -> None:
    """Fetch one item of a source for one year into a folder that appears only when all its files are whole.

    What has arrived is kept beside the folder (`.<name>.part`) when something fails, so that the next call fetches the rest; by
    hard links also while the year is unfinished, so that its earlier months stay the files they are.

    Parameters
    ----------
    options : dict
        Of the source; `months` among them where only the first of the year are to be fetched.

    Raises
    ------
    DownloadError
        Names the file, its address and what happened.
    """
    target = Path(folder)
    part = temporary.begun(target)
    plugin = registry.load(registry.SOURCES, source)
    given = {k: v for k, v in options.items() if k != "months"}
    months = options.get("months", 12)
    plugin.fetch(registry.options(registry.SOURCES, source)(**given), item=item, year=year, folder=part, months=months)
    if months < 12:
        with files.atomic(target) as whole:
            shutil.copytree(part, whole, copy_function=store.link)
        return
    temporary.sync(part)
    temporary.put(part, target)
    files.seal(target)


@stage
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


@stage
def place_drivers(
    *, records: str, towers: str, drivers: str, variables: DriverVariables, step: Step, co2: str | None = None
) -> None:
    """Write what place and date tell of the drivers at the towers, for a run without grids.

    Parameters
    ----------
    records, towers : tables of `contracts.TOWERS` and `contracts.SITES`
    drivers : output, in the form of collocated drivers; the measured ones join in `samples`
    co2 : CSV of annual means, for the driver `co2`
    """
    sites = contracts.read_csv(towers, contracts.SITES)
    dates = pd.read_parquet(files.verified(records), columns=["date"])["date"]
    first = dates.min() - pd.DateOffset(years=1)
    time = pd.date_range(first, dates.max(), freq="D" if step == "day" else "MS")
    dynamic, static = variables.dynamic, variables.static
    found = places.at_places(sites, time, dynamic=dynamic, static=static, step=step, co2=co2_series(co2))
    with files.atomic(drivers) as part:
        found.to_netcdf(part, engine="netcdf4", encoding={n: {"zlib": True, "complevel": 1} for n in dynamic})
    log.info("%d towers, %d steps", *(found.sizes[name] for name in ("site", "time")))


@stage
def compare_drivers(
    *, drivers: str, records: str, towers: str, comparison: str, subsets: str | None = None, virtual: bool = False
) -> None:
    """Compare the drivers of the cube with those measured at the towers, per tower and variable (`contracts.COMPARISON`).

    Parameters
    ----------
    subsets : path or None
        Folder of MODIS subsets (`tamrl.drivers.subsets`) or granules (`tamrl.drivers.granules`), which speak for the
        vegetation around towers.
    virtual : bool
        Whether the inputs of the run were simulated; the table says so then (`simulated.COLUMN`).

    Raises
    ------
    ContractError
        If a table breaks its contract.
    """
    measured = contracts.table(pd.read_parquet(files.verified(records)), contracts.TOWERS, where=records)
    with xr.open_dataset(files.verified(drivers)) as gridded:
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
        escaping.write_csv(contracts.table(simulated.table(found, virtual), contracts.COMPARISON, where=comparison), part)


def _vegetation(folder: str, sites: pd.DataFrame, step: str) -> pd.DataFrame:
    """Vegetation around towers from granules where the folder holds some, else from subsets."""
    daily = granules.at_towers(folder, sites)
    return subset_tables.at_towers(folder, step=step) if daily.empty else subset_tables.on_steps(daily, step=step)

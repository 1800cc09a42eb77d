"""The stage: sources to `cube.zarr`, and the cube at the towers."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
import zarr

from tamrl import calendar, contracts, files, plugins, provenance, registry, stores, temporary
from tamrl.calendar import Step, TimeAxis
from tamrl.drivers import co2 as annual_co2
from tamrl.drivers import collocate, compare, granules, places
from tamrl.drivers import sensors as sensor_tables
from tamrl.drivers import subsets as subset_tables
from tamrl.drivers.cube import append, write
from tamrl.drivers.cube.access import SourceAccess
from tamrl.drivers.cube.build import CubeJob, Entries, limited_threads
from tamrl.drivers.mapped import MappedRegion
from tamrl.errors import ConfigError, InputError
from tamrl.grid import Bounds, Grid
from tamrl.sections.inputs import DriverTime, DriverVariables
from tamrl.sections.run import Drivers
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def build_cube(
    *,
    paths: list[str],
    cube: str,
    drivers: Drivers,
    time: DriverTime,
    resolution: float,
    threads: int,
    bounds: Bounds = None,
    countries: Sequence[str] = (),
    parts: list[str] | None = None,
    kept_cubes: str | None = None,
) -> None:
    """Bring all drivers onto the grid of the maps.

    Raise `ConfigError`, `InputError`, `UnitError`, `ContractError`.

    Parameters
    ----------
    paths : files or folders that the sources need; must exist
    cube : the Zarr store to write (`contracts.check_cube`); appears only when it is complete
    resolution : degrees
    bounds, countries : what the run maps; the cube states it, and holds the globe as towers anywhere take their drivers from it
    parts : what `build_driver` made of each dynamic variable, in their order; without, they are made here
    kept_cubes : folder that keeps the cube by hard links, so that a longer one goes on from it (`tamrl.drivers.cube.append`)
    """
    access, code = _access(paths, drivers, time, resolution, threads), _code(drivers)
    names = drivers.variables.dynamic
    statics, region = access.statics(drivers.variables.static), MappedRegion.of(bounds, access.grid, countries)
    if region:
        region.require_land(statics["land_fraction"])
    job = None if parts else CubeJob.plan(access, names, code=code, folder=kept_cubes, checksums=True)
    with files.atomic(cube) as building:
        template = write.cube_without_fields(statics, access.axis, access.grid, region)
        template.to_zarr(building, zarr_format=3, consolidated=False, mode="w")
        with limited_threads(threads):
            if job:
                entries, records = job.write(building, statics["land_fraction"] > 0)
            else:
                entries, records = _take_parts(building, names, parts or [], access, kept_cubes)
        stores.seal_store(building, origin={"code": code, "sources": access.versions()}, known=entries)
        stores.open_cube(building)
    append.keep_cube(kept_cubes, cube, records)


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
    kept_cubes: str | None = None,
) -> None:
    """Bring one dynamic variable onto the grid of the maps, for `build_cube` to take; other parameters as there.

    The store `part` holds it as the cube will, and `filled_drivers` where it comes as composites.

    Parameters
    ----------
    paths : raw files of the variable, which Snakemake watches
    part : output, a store that holds the variable as the cube will, and `filled_drivers` where it comes as composites
    variable : name in the vocabulary
    drivers, time, resolution, threads, kept_cubes : as for `build_cube`
    """
    access = _access(paths, drivers, time, resolution, threads)
    land = access.statics(())["land_fraction"] > 0
    job = CubeJob.plan(access, (variable,), code=_code(drivers), folder=kept_cubes, checksums=False)
    with files.atomic(part) as building:
        zarr.create_group(building, zarr_format=3)
        with limited_threads(threads):
            entries, records = job.write(building, land)
        # the cube names the sources, whose files are read through for that
        record = append.record_to_json(records[variable]) if kept_cubes else None
        stores.seal_store(building, origin={"record": record, "continued": job.starts[variable] is not None}, known=entries)


def _access(paths: list[str], drivers: Drivers, time: DriverTime, resolution: float, threads: int) -> SourceAccess:
    for path in paths:
        if not Path(path).exists():
            raise InputError("an input of the drivers is missing", where=path)
    return SourceAccess(drivers, time, Grid(resolution), threads)


def _code(drivers: Drivers) -> str:
    return provenance.code_digest(__name__, *(f"{registry.SOURCES}.{source}" for source in drivers.sources))


def _take_parts(
    cube: Path, names: tuple[str, ...], parts: list[str], access: SourceAccess, folder: str | None
) -> tuple[Entries, dict[str, append.Record]]:
    """Take the variables that other jobs made into the cube: manifest entries of its files, and records to keep."""
    previous = append.KeptCube.newest(folder)
    entries: Entries = {}
    records = {}
    for name, path in zip(names, parts, strict=True):
        entries |= write.take_part(cube, Path(path))
        made = stores.read_manifest(path).origin
        if folder and made["record"]:
            record = append.record_from_json(made["record"])
            before = previous.records[name] if previous and made["continued"] else None
            paths = access.listed_files(record.files if isinstance(record, append.VariableRecord) else ())
            records[name] = append.confirm_record(record, before, paths, name=name)
    return entries, records


@stage
def download_drivers(*, folder: str, source: str, item: str, year: int, options: dict[str, Any]) -> None:
    """Fetch one item of a source for one year into a folder that appears only when all its files are complete.

    What has arrived is kept beside the folder (`.<name>.part`) when something fails, so that the next call fetches the rest; by
    hard links also while the year is unfinished, so that its earlier months stay the files they are. Raise `ConfigError` if the
    source does not download; `DownloadError` with the file, its address and what happened.

    Parameters
    ----------
    options : of the source, checked here by its own model; `months` among them where only the first of the year are to be fetched
    """
    target = Path(folder)
    part = temporary.begun(target)
    plugin = registry.load_source(source)
    if not plugins.downloads(plugin):
        raise ConfigError(f"{source} does not download", where=f"drivers.{source}.download")
    months = options.get("months", calendar.MONTHS)
    chosen = plugin.Options(**{name: value for name, value in options.items() if name != "months"})
    plugin.fetch(chosen, item=item, year=year, folder=part, months=months)
    if months < calendar.MONTHS:
        with files.atomic(target) as linked:
            shutil.copytree(part, linked, copy_function=write.link)
        return
    temporary.sync(part)
    temporary.move_into_place(part, target)
    files.write_seal(target)


@stage
def collocate_drivers(*, cube: str, towers: str, drivers: str, max_distance_km: float) -> None:
    """Take the drivers at the towers from the cube.

    Each tower takes its cell, or the nearest one with land and drivers within `max_distance_km`; a tower without such a cell is
    left out, and the log says so. Writes dims (site, time) with `distance_km` (to the nearest point of the cell used),
    `cell_lat`, `cell_lon` and the tower's own `lat`, `lon`. Raise `ContractError` if the cube or the table of towers breaks its
    contract; `InputError` if no tower is left.

    Parameters
    ----------
    cube : drivers on the grid
    towers : table of `contracts.SITES`
    drivers : output
    max_distance_km : from a tower to the nearest point of the cell that it takes
    """
    ds = stores.open_cube(cube, globe=True)
    sites = contracts.read_csv(towers, contracts.SITES)
    grid = Grid.from_dataset(ds)
    series = collocate.CellSeries(ds)
    places = [
        collocate.candidate_cells(series.usable, lat=s.lat, lon=s.lon, grid=grid, max_distance_km=max_distance_km)
        for s in sites.itertuples()
    ]
    chosen = collocate.choose_cells(places, series.has_drivers)
    for site, cell in zip(sites["site"], chosen, strict=True):
        if cell is None:
            _log.warning("%s is left out: no cell with land and drivers within %g km", site, max_distance_km)
        elif cell.distance_km > 0:
            _log.info("%s takes a cell %.1f km away", site, cell.distance_km)
    cells = {k: cell for k, cell in enumerate(chosen) if cell is not None}
    if not cells:
        raise InputError("no tower lies on or near land of the cube", where=towers, todo="raise drivers.max_distance_km")
    collocated = collocate.drivers_at_towers(series, sites.iloc[list(cells)], list(cells.values()), grid)
    with files.atomic(drivers) as part:
        collocated.to_netcdf(part, engine="netcdf4", encoding={n: {"zlib": True, "complevel": 1} for n in series.dynamic})


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
    placed = places.at_places(
        sites, time, dynamic=dynamic, static=static, step=step, co2=annual_co2.read_co2(co2) if co2 else None
    )
    with files.atomic(drivers) as part:
        placed.to_netcdf(part, engine="netcdf4", encoding={n: {"zlib": True, "complevel": 1} for n in dynamic})
    _log.info("%d towers, %d steps", *(placed.sizes[name] for name in ("site", "time")))


@stage
def compare_drivers(
    *, drivers: str, records: str, towers: str, comparison: str, subsets: str | None = None, virtual: bool = False
) -> None:
    """Compare the drivers of the cube with those measured at the towers, per tower and variable (`contracts.COMPARISON`).

    Raise `ContractError` if a table breaks its contract.

    Parameters
    ----------
    subsets : path or None, folder of MODIS subsets (`tamrl.drivers.subsets`) or granules (`tamrl.drivers.granules`), which speak
        for the vegetation around towers
    virtual : whether the inputs of the run were simulated; the table says so then (`simulated.COLUMN`)
    """
    measured = contracts.check_table(pd.read_parquet(files.verified(records)), contracts.TOWERS, where=records)
    with xr.open_dataset(files.verified(drivers)) as gridded:
        sites = contracts.read_csv(towers, contracts.SITES)
        table = compare.compare_with_towers(gridded, measured, sites)
        if subsets:
            around = _vegetation(subsets, sites, TimeAxis.of(gridded).step)
            table = pd.concat([table, compare.compare_with_towers(gridded, around, sites)], ignore_index=True)
            table = table.drop_duplicates(["site", "variable"], keep="last")
    for name, rows in table.groupby("variable"):
        middle = rows[["bias", "r"]].median()
        _log.info(
            "%s: %d towers, median bias %.3g %s, median r %.3f",
            name,
            len(rows),
            middle["bias"],
            rows["units"].iloc[0],
            middle["r"],
        )
    contracts.write_table(comparison, table, contracts.COMPARISON, virtual=virtual)


@stage
def compare_sensors(
    *, paths: list[str], sensors: str, drivers: Drivers, time: DriverTime, resolution: float, threads: int, virtual: bool = False
) -> None:
    """Compare a later sensor with the earlier one that it follows (`contracts.SENSORS`); other parameters as of `build_cube`.

    Raise `ConfigError` or `InputError` if they have no time in common, `ContractError` if the table breaks its contract.

    Parameters
    ----------
    sensors : table to write
    virtual : whether the inputs of the run were simulated
    """
    access = _access(paths, drivers, time, resolution, threads)
    land = access.statics(())["land_fraction"] > 0
    with limited_threads(threads):
        table = sensor_tables.sensor_differences(access.sensor_pairs(drivers.variables.dynamic), access.grid, land)
    _log.info("%d of %d comparisons of sensors are jumps", table["jump"].sum(), len(table))
    contracts.write_table(sensors, table, contracts.SENSORS, virtual=virtual)


def _vegetation(folder: str, sites: pd.DataFrame, step: Step) -> pd.DataFrame:
    """Vegetation around towers from granules where the folder holds some, else from subsets."""
    daily = granules.granules_at_towers(folder, sites)
    return (
        subset_tables.subsets_at_towers(folder, step=step) if daily.empty else subset_tables.vegetation_on_steps(daily, step=step)
    )

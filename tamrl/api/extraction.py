"""Series of the maps at places, with their uncertainty: the cell in which each place lies."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import xarray as xr

from tamrl.api.run import Run
from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.intake import border, text
from tamrl.polygons.features import NAMES
from tamrl.polygons.kinds import ACCEPTED, is_read
from tamrl.polygons.reading import read_features
from tamrl.polygons.shares import Polygons

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlacesOfFile:
    """Points and polygons of a file."""

    points: pd.DataFrame
    """site, lat, lon: one row a point."""
    polygons: Polygons = field(default_factory=dict)


def read_places(path: str | Path) -> PlacesOfFile:
    """Read places from a CSV with `lat`, `lon` and perhaps `site`, or points and polygons from GeoJSON or a shapefile.

    Raises `InputError`, which names the line or feature at fault.
    """
    file = Path(path)
    if is_read(file.name):
        features = read_features(file)
        places = PlacesOfFile(pd.DataFrame(features.points, columns=["site", "lat", "lon"]), features.polygons)
    else:
        with border.reading("the places cannot be read", where=file, todo=f"give a CSV with lat and lon, {ACCEPTED}"):
            places = _of_csv(file)
    check_points(places.points, where=file)
    return places


def check_points(points: pd.DataFrame, *, where: object) -> None:
    """Refuse a table of points without coordinates, with impossible ones, or with a name that stands twice."""
    if absent := [name for name in ("site", "lat", "lon") if name not in points]:
        shown = ", ".join(map(str, points))
        raise InputError(f"the places lack {', '.join(absent)}", where=where, found=shown, todo="give site, lat and lon")
    wrong = ~(points["lat"].abs() <= 90) | ~(points["lon"].abs() <= 360)
    if wrong.any():
        row = points[wrong].iloc[0]
        todo = "give lat in degrees north and lon in degrees east"
        raise InputError(
            f"{row['site']} has no possible coordinates", where=where, found=f"{row['lat']}, {row['lon']}", todo=todo
        )
    if twice := sorted(points.loc[points["site"].duplicated(), "site"]):
        raise InputError("a place stands twice", where=where, found=twice[:5], todo="name each place once")


def series_at(
    run: Run,
    points: pd.DataFrame,
    *,
    fluxes: Sequence[str] = FLUXES,
    period: str = "daily",
    year: int | Iterable[int] | None = None,
) -> xr.Dataset:
    """Series (site, time) of the cells in which points lie.

    Parameters
    ----------
    run : with the maps
    points : table with site, lat and lon
    fluxes, period, year : as of `Run.maps`

    Returns
    -------
    Dataset
        `<flux>`, `<flux>_std`, `<flux>_q05`, `<flux>_q95` in the unit of the maps, `applicability` (site), and the centres of the
        cells (`cell_lat`, `cell_lon`). Cells without land are missing; the log names them.
    """
    check_points(points, where="the places")
    years = list(year) if isinstance(year, Iterable) else year
    parts = [_of_flux(run.maps(flux, period, years), flux, points) for flux in fluxes]
    ds = xr.merge(parts, compat="override", combine_attrs="override", join="exact").load()
    empty = ds[fluxes[0]].isnull().all("time").values
    if empty.any():
        _log.warning("no land with fluxes in the cells of %s", ", ".join(ds["site"].values[empty][:10]))
    attributes = {name: ds.attrs[name] for name in ("source", "references", "license", "comment") if name in ds.attrs}
    return ds.assign_attrs({}).assign_attrs(attributes | {"title": f"{period} series of cells of the run {run.folder.name}"})


def _of_flux(maps: xr.Dataset, flux: str, points: pd.DataFrame) -> xr.Dataset:
    grid, places = Grid.of_cells(maps), {name: points[name].to_numpy(float) for name in ("lat", "lon")}
    if outside := points["site"][~grid.contains(**places)].tolist():
        todo = "leave them out, or map a larger region (grid.bounds)"
        raise InputError("places outside of the mapped region", where="the places", found=outside[:5], todo=todo)
    row, column = grid.index(**places)
    names = [str(name) for name in maps if str(name) == "applicability" or str(name).startswith(flux)]
    cells = maps[names].isel(lat=xr.DataArray(row, dims="site"), lon=xr.DataArray(column, dims="site"))
    cells = cells.rename(lat="cell_lat", lon="cell_lon").transpose("site", "time", ...)
    of_site = {name: ("site", values) for name, values in places.items()}
    return cells.assign_coords({"site": points["site"].to_numpy(object)} | of_site)


def _of_csv(file: Path) -> PlacesOfFile:
    table = text.read_small_table(file.read_bytes(), where=file, separators=",;\t")
    lower = table.rename(columns=str.lower).rename(columns={"latitude": "lat", "longitude": "lon"})
    if absent := [name for name in ("lat", "lon") if name not in lower]:
        todo = "give lat and lon in degrees, and perhaps site"
        raise InputError(f"the places lack {', '.join(absent)}", where=file, found=", ".join(table), todo=todo)
    named = next((name for name in NAMES if name in lower), None)
    ids = lower[named] if named else pd.Series([f"place-{k + 1}" for k in range(len(lower))])
    numbers = {name: text.parse_numbers(lower[name], where=f"{file}, column {name}") for name in ("lat", "lon")}
    return PlacesOfFile(pd.DataFrame({"site": ids.astype(str), **numbers}))

"""Totals of polygons, PgC of each mapped year, with the errors that belong together (`tamrl.uncertainty.aggregate`)."""

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.path import Path as Outline

from tamrl import stores
from tamrl.api.extraction import Ring
from tamrl.api.run import Run
from tamrl.calendar import TimeAxis
from tamrl.errors import InputError
from tamrl.layout import File
from tamrl.maps import blocks
from tamrl.maps.budgets import tables
from tamrl.maps.budgets.errors import MonthlyDeviations, TotalErrors
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.stage import read_blocks
from tamrl.maps.budgets.totals import MonthlyTotals
from tamrl.maps.land import Land, describe_land
from tamrl.predictions import open_predictions
from tamrl.run_record import Provenance
from tamrl.uncertainty.calibration import Scale

POINTS = 10
"""Points per side of a cell that say how much of it lies in a polygon."""

PREFIX = "polygon "
"""Before names of polygons while they are summed: one may be called like a class of land cover."""

Shares = Mapping[str, np.ndarray]
"""Share of each cell (lat, lon) that lies in a polygon, by name."""


def polygon_totals(run: Run, polygons: Mapping[str, Sequence[Ring]], *, years: Sequence[int] | None = None) -> pd.DataFrame:
    """Totals of polygons over the mapped years, in the columns of `contracts.BUDGETS` without `region`, and `polygon`.

    Parameters
    ----------
    run : with its predictions, cube and calibration
    polygons : outlines by name, degrees east and north; a point within an even number of outlines is outside
    years : by default all mapped years, or the mean year

    Returns PgC (of a year) with `std`, `q05` and `q95` of the total itself. Raises `InputError` if the run lacks what is needed,
    or a polygon has no land with fluxes.
    """
    if not polygons:
        raise InputError("there are no polygons", where=run.folder, todo="give polygons or multipolygons")
    _check_outlines(polygons, run)
    labels = _labels(run, years)
    path = run.path(File.CUBE)
    cube = stores.open_cube(path)
    land = describe_land(cube, vegetated_only=_vegetated_only(run))
    shares = {PREFIX + name: polygon_share(rings, land.lat, land.lon) for name, rings in polygons.items()}
    _check_land(shares, land, run)
    touched = np.flatnonzero(np.any([share.any(axis=1) for share in shares.values()], axis=0))
    rows = slice(int(touched[0]), int(touched[-1]) + 1)
    parts = {name: share[rows] for name, share in shares.items()}
    frames = []
    for label in labels:
        ds = open_predictions(run.path(File.MANIFEST, label=label), label=label, cube=path).ds
        axis = TimeAxis(ds["time"].values, TimeAxis.of(cube).step)
        scale: Scale = "mean month" if TimeAxis.of(cube).climatology else "month"
        deviations = MonthlyDeviations(land.rows(rows), run.calibration, scale)
        frames.append(_label_totals(ds.isel(lat=rows), axis, parts, deviations, label))
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "polygon", table.pop("region").str.removeprefix(PREFIX))
    return table


def polygon_share(rings: Sequence[Ring], lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Share of each cell (lat, lon) that lies within outlines, of a raster of points.

    Parameters
    ----------
    rings : outlines (corner, 2), degrees east and north
    lat, lon : centres of the cells of a regular grid
    """
    size = abs(float(lat[1] - lat[0]))
    offsets = ((np.arange(POINTS) + 0.5) / POINTS - 0.5) * size
    share = np.zeros((lat.size, lon.size))
    low, high = (np.array([f(ring, axis=0) for ring in rings]) for f in (np.min, np.max))
    ends = ((lat, low[:, 1].min(), high[:, 1].max()), (lon, low[:, 0].min(), high[:, 0].max()))
    inside = [np.flatnonzero((axis + size / 2 > first) & (axis - size / 2 < last)) for axis, first, last in ends]
    if not (inside[0].size and inside[1].size):
        return share
    lines = [(axis[cells][:, None] + offsets).ravel() for axis, cells in zip((lat, lon), inside, strict=True)]
    y, x = np.meshgrid(*lines, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    odd = np.zeros(len(points), dtype=bool)
    for ring in rings:
        odd ^= Outline(ring).contains_points(points)
    cells = odd.reshape(inside[0].size, POINTS, inside[1].size, POINTS).mean(axis=(1, 3))
    share[np.ix_(*inside)] = cells
    return share


def _labels(run: Run, years: Sequence[int] | None) -> list[str]:
    """Labels of the predictions of the run."""
    present = [parts["label"] for parts, _ in run.layout.present(File.MANIFEST)]
    if not present:
        raise run.lacks("predictions to sum up")
    if absent := [str(year) for year in years or () if str(year) not in present]:
        asked, todo = f"the run has no predictions of {', '.join(absent)}", "choose among these years"
        raise InputError(asked, where=run.folder, found=", ".join(present), todo=todo)
    return [str(year) for year in years] if years else present


def _vegetated_only(run: Run) -> bool:
    """Whether land without vegetation carries no flux in the maps of the run, as its record says."""
    maps = Provenance.read(Path(run.path(File.PROVENANCE))).config["maps"]
    return bool(maps["vegetated_only"])


def _check_outlines(polygons: Mapping[str, Sequence[Ring]], run: Run) -> None:
    """Refuse outlines that are none, or of which a part would be lost beyond the edge of the maps."""
    for name, rings in polygons.items():
        if not rings or any(ring.ndim != 2 or len(ring) < 3 for ring in rings):
            raise InputError(f"{name} has no outline", where=run.folder, todo="give three corners or more of each ring")
        corners = np.concatenate(rings)
        if wrong := [tuple(corner) for corner in corners.tolist() if not (abs(corner[0]) <= 180 and abs(corner[1]) <= 90)]:
            todo = "give degrees east within -180 and 180 and degrees north; cut polygons at 180° (RFC 7946)"
            raise InputError(f"{name} has impossible corners", where=run.folder, found=wrong[0], todo=todo)


def _check_land(shares: Shares, land: Land, run: Run) -> None:
    """Refuse polygons without land that carries flux."""
    carrying = land.fraction * np.nan_to_num(land.share)
    if empty := [name.removeprefix(PREFIX) for name, share in shares.items() if not (share * carrying).any()]:
        todo = "give outlines as degrees east and north, within -180 to 180"
        raise InputError("polygons without land that carries flux", where=run.folder, found=", ".join(empty[:5]), todo=todo)


def _regions(land: Land, shares: Shares) -> Regions:
    area = land.area * land.fraction
    return Regions.of({name: (area * share, area * land.share * share) for name, share in shares.items()})


def _label_totals(ds: xr.Dataset, axis: TimeAxis, shares: Shares, deviations: MonthlyDeviations, label: str) -> pd.DataFrame:
    """Totals of a label over a band of rows."""
    months = MonthlyTotals(axis.month)
    for rows in blocks.strips(ds["gpp"]):
        regions = _regions(deviations.land.rows(rows), {name: share[rows] for name, share in shares.items()})
        for _ in months.add(read_blocks(ds.isel(lat=rows), axis), regions, partial(deviations.add, rows=rows)):
            pass
    outside = ~np.any([share > 0 for share in shares.values()], axis=0)
    for std in deviations.std.values():  # cells of no polygon add nothing, and cost time
        std[outside] = np.nan
    errors = TotalErrors.of(deviations, _regions(deviations.land, shares))
    total = reduce(add, months.totals.values())
    return tables.budget_table(total, errors, label=label, days=float(axis.days.sum()))

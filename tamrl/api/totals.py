"""Totals of polygons, PgC of each mapped year, with the errors that belong together (`tamrl.uncertainty.aggregate`)."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import stores
from tamrl.api.run import Run
from tamrl.calendar import TimeAxis
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.layout import File
from tamrl.maps import blocks
from tamrl.maps.budgets import tables
from tamrl.maps.budgets.errors import MonthlyDeviations, TotalErrors
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.stage import read_blocks
from tamrl.maps.budgets.totals import MonthlyTotals
from tamrl.maps.land import Land, describe_land
from tamrl.polygons.shares import Ring, check_outlines, polygon_share
from tamrl.predictions import open_predictions
from tamrl.run_record import Provenance
from tamrl.uncertainty.calibration import Scale

_log = logging.getLogger(__name__)

COMPLETE = 0.999
"""Share of a polygon that is mapped from which on nothing is said of the rest."""

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

    Returns
    -------
    DataFrame
        PgC (of a year) with `std`, `q05` and `q95` of the total itself.

    Raises
    ------
    InputError
        If the run lacks what is needed, or a polygon has no land with fluxes.
    """
    if not polygons:
        raise InputError("there are no polygons", where=run.folder, todo="give polygons or multipolygons")
    check_outlines(polygons, where=run.folder)
    labels = _labels(run, years)
    path = run.path(File.CUBE)
    cube = stores.open_cube(path)
    land = describe_land(cube, vegetated_only=_vegetated_only(run))
    shares = {PREFIX + name: polygon_share(rings, land.lat, land.lon) for name, rings in polygons.items()}
    _check_land(shares, land, run)
    if land.region:
        _warn_of_rest(polygons, cube)
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


def _check_land(shares: Shares, land: Land, run: Run) -> None:
    """Refuse polygons without land that carries flux."""
    carrying = land.fraction * np.nan_to_num(land.share)
    if empty := [name.removeprefix(PREFIX) for name, share in shares.items() if not (share * carrying).any()]:
        todo = "give outlines as degrees east and north, within -180 to 180"
        raise InputError("polygons without land that carries flux", where=run.folder, found=", ".join(empty[:5]), todo=todo)


def _warn_of_rest(polygons: Mapping[str, Sequence[Ring]], cube: xr.Dataset) -> None:
    """Say in the log which share of each polygon a regional run maps, where it is not all."""
    grid = Grid.of_cells(cube)
    mapped = grid.on_globe(cube[stores.MAPPED].values > 0, fill=False)
    for name, rings in polygons.items():
        area = polygon_share(rings, grid.globe.lat, grid.globe.lon) * grid.globe.area()
        if (inside := area[mapped].sum() / area.sum()) < COMPLETE:
            _log.warning("%s leaves the mapped region: its totals are of %.1f %% of its area", name, 100 * inside)


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

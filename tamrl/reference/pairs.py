"""A run and a product on one grid: monthly fluxes over land, on the cells of the coarser of the two."""

import logging
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import calendar, carbon
from tamrl.classes import GLOBE, LATITUDE_BANDS
from tamrl.errors import InputError
from tamrl.reference.checks import full_years
from tamrl.reference.layouts import LAND_OF_RUN, PIXELS, QUANTITIES, GriddedLayout
from tamrl.reference.maps import RunMaps
from tamrl.reference.regrid import CellGrid, Regridder, coarser

_log = logging.getLogger(__name__)

MIN_LAND = 0.5
"""Cells of the common grid with a smaller share of land are not compared: a flux per cell says little of so little land."""

MIN_COVER = 0.5
"""Share of a cell's land that run and product must each cover."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A quantity of a product beside the flux of the run, gC m-2 d-1 of land, on the compared cells of a common grid."""

    quantity: str
    grid: CellGrid
    cells: np.ndarray
    """Array of bool (lat, lon): compared cells, those with values of both at all times."""
    area: np.ndarray
    """Array (cell): land, m2."""
    run: np.ndarray
    """Array (year, month, cell), float32; one mean year of a climatology."""
    product: np.ndarray
    """The same of the product; all its full years where the run is a climatology."""
    years: tuple[int, ...]
    """Years of the product."""
    climatology: bool
    totals: dict[str, np.ndarray]
    """Totals of the product over each year by region, PgC yr-1, from its own cells and not from the compared ones alone."""
    land: np.ndarray
    """Array (lat): land of the run in each row of the common grid, m2."""

    @property
    def flux(self) -> str:
        """The flux of the run."""
        return QUANTITIES[self.quantity]

    def band_shares(self) -> dict[str, np.ndarray]:
        """Share of each compared cell (cell) that lies in the globe and in each latitude band."""
        rows = np.nonzero(self.cells)[0]
        return {name: shares[rows] for name, shares in band_rows(self.grid).items()}

    def share(self, regridder: Regridder, shares: np.ndarray, land: np.ndarray) -> np.ndarray:
        """Return shares of the land of run cells (lat, lon) as shares of the land of the compared cells (cell).

        Parameters
        ----------
        regridder : from the grid of the run to the common grid
        shares, land : (lat, lon) of the run
        """
        return np.asarray(np.nan_to_num(regridder.mean(shares, land)[self.cells]))


def pair_up(ds: xr.Dataset, layout: GriddedLayout, quantity: str, maps: RunMaps) -> Pair:
    """Bring a product (`open_product`) and the maps of a run to the coarser of both grids, month by month.

    Parameters
    ----------
    ds : the opened product
    layout : how it is published
    quantity : its variable
    maps : the run

    Raises `InputError` if they have no full year, or no cells, in common.
    """
    field = ds[quantity]
    available = full_years(field["time"].values)
    years = [int(y) for y in available if maps.climatology or y in maps.years]
    if not years:
        shown = f"{available[0]} to {available[-1]}; the run maps {', '.join(maps.labels)}"
        raise InputError("product and run have no full year in common", where=ds[quantity].attrs["product"], found=shown)
    theirs = CellGrid(field["lat"].values, field["lon"].values)
    common = coarser(maps.grid, theirs)
    side = _ProductSide.of(ds, layout, maps, theirs, common)
    labels = maps.labels if maps.climatology else [str(year) for year in years]
    run = _RunSide(maps, Regridder(maps.grid, common))
    flux = QUANTITIES[quantity]
    mine = np.stack([[run.on_common(month) for month in maps.months(flux, label)] for label in labels])
    theirs_by_year = np.stack([side.year(field, year) for year in years])
    cells = run.land_share >= MIN_LAND
    for fields in (mine, theirs_by_year):
        cells &= np.isfinite(fields).all((0, 1))
    if not cells.any():
        raise InputError("product and run have no cells in common", where=field.attrs["product"], found=f"{common.shape} cells")
    _log.info("%s: %d years, %d cells of %d x %d", quantity, len(years), cells.sum(), *common.shape)
    totals = {name: np.array([side.totals[year][name] for year in years]) for name in side.bands}
    return Pair(
        quantity=quantity,
        grid=common,
        cells=cells,
        area=run.land_area[cells],
        run=mine[..., cells],
        product=theirs_by_year[..., cells],
        years=tuple(years),
        climatology=maps.climatology,
        totals=totals,
        land=run.land_area.sum(1),
    )


class _RunSide:
    """Maps of the run on the common grid."""

    def __init__(self, maps: RunMaps, regridder: Regridder) -> None:
        self.regridder, self.fraction = regridder, maps.land.fraction
        self.land_area = regridder.sums(np.ones(maps.grid.shape), self.fraction)[1]
        self.land_share = self.land_area / regridder.target.area

    def on_common(self, values: np.ndarray) -> np.ndarray:
        """Mean over land (lat, lon), float32, missing where too little of the land has values."""
        total, weight = self.regridder.sums(values, self.fraction)
        return np.where(weight >= MIN_COVER * self.land_area, total / np.where(weight > 0, weight, 1), np.nan).astype("float32")


@dataclass(frozen=True, eq=False)
class _ProductSide:
    """A product on its own and on the common grid."""

    grid: CellGrid
    regridder: Regridder
    weight: np.ndarray
    """Array (lat, lon): share of each cell that the flux is of."""
    per_cell: bool
    land_area: np.ndarray
    """Array (lat, lon) of the common grid: land of the run, m2."""
    bands: dict[str, np.ndarray]
    """Share of each row (lat) of the product's grid within latitude bands."""
    totals: dict[int, dict[str, float]]
    """By year and region, filled while years are read."""

    @classmethod
    def of(cls, ds: xr.Dataset, layout: GriddedLayout, maps: RunMaps, grid: CellGrid, common: CellGrid) -> "_ProductSide":
        """Weights and overlaps of an opened product."""
        per_cell, weight = layout.per != "land", np.ones(grid.shape)
        if not per_cell and layout.land == LAND_OF_RUN:
            weight = np.nan_to_num(Regridder(maps.grid, grid).mean(maps.land.fraction, np.ones(maps.grid.shape)))
        elif not per_cell and layout.land != PIXELS:
            weight = np.nan_to_num(ds["land_fraction"].values)
        land = Regridder(maps.grid, common).sums(np.ones(maps.grid.shape), maps.land.fraction)[1]
        return cls(grid, Regridder(grid, common), weight, per_cell, land, band_rows(grid), {})

    def year(self, field: xr.DataArray, year: int) -> np.ndarray:
        """Months of a year on the common grid (12, lat, lon), float32; adds to the totals."""
        inside = np.flatnonzero(calendar.year(field["time"].values) == year)
        months, rows = [], np.zeros(self.grid.lat.size)
        for position, length in zip(inside, month_days(year), strict=True):
            values = field.isel(time=position).values
            carried = np.where(np.isfinite(values), values, 0.0) * self.weight
            rows += (carried * self.grid.area).sum(1, dtype="float64") * length
            months.append(self._on_common(values))
        self.totals[year] = {n: float((rows * s).sum()) / carbon.GRAMS_PER_PETAGRAM for n, s in self.bands.items()}
        return np.stack(months)

    def _on_common(self, values: np.ndarray) -> np.ndarray:
        """Mean over land: a flux per cell is that of all the land in the cell."""
        total, weight = self.regridder.sums(values, self.weight)
        needed = self.regridder.target.area if self.per_cell else self.land_area
        shared = self.land_area if self.per_cell else weight
        mean = np.divide(total, shared, out=np.full(total.shape, np.nan), where=shared > 0)
        return np.where(weight >= MIN_COVER * needed, mean, np.nan).astype("float32")


def band_rows(grid: CellGrid) -> dict[str, np.ndarray]:
    """Shares of the rows (lat) of a grid within the globe and the latitude bands of the budgets, by area."""
    ends = np.sin(np.deg2rad(grid.lat_edges))
    low, high = np.minimum(ends[:-1], ends[1:]), np.maximum(ends[:-1], ends[1:])
    shares = {GLOBE: np.ones(grid.lat.size)}
    for name, (south, north) in LATITUDE_BANDS.items():
        inside = np.minimum(high, np.sin(np.deg2rad(north))) - np.maximum(low, np.sin(np.deg2rad(south)))
        shares[name] = np.clip(inside, 0.0, None) / (high - low)
    return shares


def month_days(year: int) -> np.ndarray:
    """Days of the months of a year (12), float64."""
    starts = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]")
    return np.asarray(np.diff(calendar.bounds(starts, "month"), axis=1)[:, 0].astype("float64"))


def month_weights() -> np.ndarray:
    """Shares of the months in the days of a mean year (12)."""
    days = month_days(2001)
    return np.asarray(days / days.sum())

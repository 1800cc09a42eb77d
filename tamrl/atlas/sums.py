"""What the page needs to sum any polygon with its interval: monthly means of the members, predictive deviations, land, classes.

The page repeats `tamrl.api.totals` with them, in the browser (`site/totals.ts`).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tamrl import calendar, classes, stores
from tamrl.atlas import pack
from tamrl.atlas.cells import ShownCells
from tamrl.atlas.chunks import write_numbers
from tamrl.atlas.layers import Layer
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.grid import EARTH_RADIUS
from tamrl.layout import File, RunLayout
from tamrl.maps import blocks
from tamrl.maps.budgets.errors import MonthlyDeviations, vegetated_shares
from tamrl.maps.budgets.regions import Regions
from tamrl.maps.budgets.stage import read_blocks
from tamrl.maps.budgets.totals import Block, MonthlyTotals
from tamrl.maps.land import Land, describe_land
from tamrl.polygons.shares import POINTS
from tamrl.predictions import STORED_FLUXES, open_predictions
from tamrl.uncertainty import aggregate
from tamrl.uncertainty.calibration import Calibration, Scale
from tamrl.uncertainty.conformal import LEVELS
from tamrl.uncertainty.error_model import FluxErrors, SpatialErrors

COARSER = 2
"""Members are stored this many times coarser than the maps: a sum over cells and months averages the rounding."""

FRACTION = 1e-4
"""Quantum of the share of a cell that is land, and of the shares of the classes."""

Towers = tuple[tuple[float, float], ...]
"""Latitude and longitude of the towers that trained; several fluxes may have the same."""


@dataclass(frozen=True, eq=False)
class CellMonths:
    """Numbers of a label by cell and month, as they are stored; filled band by band of rows."""

    land: Land
    deviations: MonthlyDeviations
    quantum: float
    """gC m-2 d-1 of land."""
    members: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays (month, member, lat, lon) of int16 by stored flux: mass over the length of the month, in `COARSER` quanta."""

    def add(self, month: int, part: Block, rows: slice) -> None:
        """Take the members of all steps of a month in a band of rows."""
        self.deviations.add(month, part, rows)
        # a missing step adds no mass, as in `Block.sum_over`
        known = np.isfinite(part.gpp).all(0) & np.isfinite(part.reco).all(0)
        for flux, steps in zip(STORED_FLUXES, (part.gpp, part.reco), strict=True):
            mass = np.einsum("mtyx,t->myx", np.where(known, steps, 0.0), part.days / part.days.sum())
            values = np.where(known.any(0), mass, np.nan) * self.land.share[rows]
            shape = (calendar.MONTHS, len(values), *self.land.share.shape)
            stored = self.members.setdefault(flux, np.full(shape, pack.FILL, "i2"))
            stored[month - 1, :, rows] = pack.quantise(values, COARSER * self.quantum, name=f"members of {flux}")

    def layers(self) -> Iterator[tuple[Layer, np.ndarray]]:
        """Yield each layer with its numbers (step, lat, lon)."""
        for flux, stored in self.members.items():
            numbers = stored.reshape(-1, *stored.shape[2:])
            yield _layer(f"{flux}.members", COARSER * self.quantum, len(numbers)), numbers
        for flux in FLUXES:
            months = range(1, calendar.MONTHS + 1)
            std = [self.deviations.std.get((flux, m), np.full(self.land.share.shape, np.nan)) for m in months]
            name = f"{flux}.month_std"
            numbers = pack.quantise(np.stack(std) * self.land.share, self.quantum, name=name)
            yield _layer(name, self.quantum, calendar.MONTHS), numbers


def write_sums(
    data: Path, layout: RunLayout, labels: tuple[str, ...], cells: ShownCells, *, quantum: float, vegetated_only: bool
) -> dict[str, Any]:
    """Write the scripts that sums of polygons need; return what the index says of them.

    Parameters
    ----------
    data : folder of the scripts
    layout : of the run
    labels : years of the maps, or `climatology`
    cells : the cells of the atlas
    quantum : gC m-2 d-1
    vegetated_only : whether land without vegetation carries no flux
    """
    path = layout(File.CUBE)
    cube = stores.open_cube(path)
    land, calibration = describe_land(cube, vegetated_only=vegetated_only), Calibration.read(layout(File.CALIBRATION))
    made: dict[str, Layer] = {}
    days: dict[str, list[float]] = {}
    scale: Scale = "mean month" if TimeAxis.of(cube).climatology else "month"
    for label in labels:
        months = CellMonths(land, MonthlyDeviations(land, calibration, scale), quantum)
        ds = open_predictions(layout(File.MANIFEST, label=label), label=label, cube=path).ds
        axis = TimeAxis(ds["time"].values, TimeAxis.of(cube).step)
        for rows in blocks.strips(ds["gpp"]):
            strip = read_blocks(ds.isel(lat=rows), axis)
            for _ in MonthlyTotals(axis.month).add(strip, _everything(land.rows(rows)), partial(months.add, rows=rows)):
                pass
        for layer, numbers in months.layers():
            made[layer.name] = layer
            write_numbers(data / label, layer, cells.pick(numbers), cells)
        days[label] = [months.deviations.days.get(month, 0.0) for month in range(1, calendar.MONTHS + 1)]
    for layer, values in _static(land, cells):
        made[layer.name] = layer
        write_numbers(data / "static", layer, pack.quantise(values, layer.quantum, name=layer.name), cells)
    return _describe(made, days, calibration)


def _layer(name: str, quantum: float, steps: int, group: str = "sum", kinds: tuple[str, ...] = ()) -> Layer:
    return Layer(name, name, "", group, quantum, "density", 0.0, 1.0, steps, kinds)


def _everything(land: Land) -> Regions:
    area = land.area * land.fraction
    return Regions.of({land.name_of_all: (area, area * land.share)})


def _static(land: Land, cells: ShownCells) -> Iterator[tuple[Layer, np.ndarray]]:
    """Yield the share of each cell that is land, and the shares of the classes in its vegetated land (step, cell)."""
    yield _layer("land", FRACTION, 1, "land"), cells.pick(land.fraction)[None]
    shares = vegetated_shares(land, np.ones(land.fraction.shape, bool))
    if shares:
        stacked = np.stack([share.reshape(land.fraction.shape) for share in shares.values()])
        yield _layer("classes", FRACTION, len(shares), "land", tuple(shares)), cells.pick(stacked)


def _describe(made: dict[str, Layer], days: dict[str, list[float]], calibration: Calibration) -> dict[str, Any]:
    """Return layers, lengths of the months and the error model in the form that the page reads."""
    errors = {flux: calibration.error_model.of_flux(flux) for flux in FLUXES}
    towers = list(dict.fromkeys(of_flux.towers for of_flux in errors.values()))
    return {
        "layers": [asdict(layer) for layer in made.values()],
        "days": days,
        "errors": {flux: _errors(of_flux, towers) for flux, of_flux in errors.items()},
        "towers": towers,
        "radius_m": EARTH_RADIUS,
        "joined": aggregate.JOINED,
        "beyond": aggregate.BEYOND,
        "points": POINTS,
    }


def _errors(errors: FluxErrors, towers: list[Towers]) -> dict[str, Any]:
    def space(part: SpatialErrors) -> dict[str, float]:
        return part.model_dump(exclude={"correlogram"})

    return {
        "level": errors.level,
        "season": errors.season,
        "short": errors.short,
        "decay_months": errors.decay_months,
        "place": space(errors.place),
        "weather": space(errors.weather),
        "towers": towers.index(errors.towers),
        "quantile": errors.quantile(LEVELS[1]),
        "common": {name: errors.common(name) for name in classes.IGBP},
    }

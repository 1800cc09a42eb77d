"""The maps of a run for the atlas: cells with values, and monthly means of each flux."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import calendar, files
from tamrl.atlas import layers
from tamrl.atlas.cells import ShownCells
from tamrl.calendar import Step, TimeAxis
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.report.map_sums import cut_reference, open_reference, unit_factor
from tamrl.simulated import Attributes

FluxFiles = Mapping[tuple[str, str], str]
"""Paths by flux and label."""


class FluxMaps:
    """Maps of a run.

    Parameters
    ----------
    labels : years, or `climatology`
    step : of the maps
    maps : the map of each flux and label
    reference : the fluxes that the maps are compared with; may be empty

    Raises `ContractError` if a map is missing.
    """

    def __init__(self, labels: Sequence[str], *, step: Step, maps: FluxFiles, reference: FluxFiles) -> None:
        self.labels, self._step, self._maps, self._reference = tuple(labels), step, maps, reference
        for path in (*maps.values(), *reference.values()):
            if not Path(path).exists():
                raise ContractError(f"{Path(path).name} is missing", where=path)
        with xr.open_dataset(files.verified(maps["gpp", self.labels[0]])) as ds:
            self.attributes: Attributes = {str(name): value for name, value in ds.attrs.items()}
            shown = np.isfinite(layers.by_month(ds["gpp"])).any(0)
            grid, self._axes = Grid.of_cells(ds), ds[["lat", "lon"]].load()
        self.cells = ShownCells(grid, shown)

    @property
    def has_reference(self) -> bool:
        """Whether the run has fluxes to compare with."""
        return bool(self._reference)

    def compared_months(self, flux: str, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Return reference and estimate in each month (12, lat, lon), gC m-2; the reference is missing where the estimate is.

        Steps of the reference are as long as those of the maps.
        """
        with (
            open_reference(self._reference[flux, label]) as opened,
            xr.open_dataset(files.verified(self._maps[flux, label])) as ds,
        ):
            axis = TimeAxis(ds["time"].values, self._step)
            days = np.bincount(axis.month, axis.days, calendar.MONTHS + 1)[1:, None, None]
            known, estimate = (
                layers.by_month(part[flux]) * unit_factor(part[flux]) * days for part in (cut_reference(opened, self._axes), ds)
            )
            return np.where(np.isfinite(estimate), known, np.nan), estimate

    def monthly_fields(self, flux: str, label: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the quantities of a flux with their monthly means (12, cell), gC m-2 d-1.

        Raises `ContractError` if a file lacks a quantity, or lies on another grid.
        """
        fields = [(quantity, flux + ending, self._maps) for quantity, ending in layers.QUANTITIES.items()]
        fields += [("truth", flux, self._reference)] if self._reference else []
        for quantity, name, paths in fields:
            path = paths[flux, label]
            with open_reference(path) if quantity == "truth" else xr.open_dataset(files.verified(path)) as opened:
                ds = cut_reference(opened, self._axes) if quantity == "truth" else opened
                if name not in ds or ds[name].shape[-2:] != self.cells.shown.shape:
                    raise ContractError(f"no {name} on the grid of the maps", where=path, found=f"{list(ds)}, {dict(ds.sizes)}")
                yield quantity, layers.by_month(ds[name], self.cells.pick) * unit_factor(ds[name])
        if self._reference and self._step == "day" and (share := self._share_inside(flux, label)) is not None:
            yield layers.INSIDE, share

    def _share_inside(self, flux: str, label: str) -> np.ndarray | None:
        """Return the share of the days of each month (12, cell) whose reference lies in the 90 % range; None without days."""
        with (
            open_reference(self._reference[flux, label]) as opened,
            xr.open_dataset(files.verified(self._maps[flux, label])) as ds,
        ):
            known = cut_reference(opened, self._axes)[flux]
            if not np.array_equal(known["time"].values, ds["time"].values):
                return None
            low, high = (ds[flux + layers.QUANTITIES[quantity]] for quantity in ("q05", "q95"))
            month, shares = calendar.month(ds["time"].values), []
            for m in range(1, calendar.MONTHS + 1):
                value, least, most = (
                    self.cells.pick(part.isel(time=month == m).values) * unit_factor(part) for part in (known, low, high)
                )
                within = np.where(np.isnan(value + least + most), np.nan, (value >= least) & (value <= most))
                shares.append(within.mean(0) if len(within) else np.full(within.shape[1:], np.nan))
            return np.stack(shares)

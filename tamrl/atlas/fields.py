"""The maps of a run for the atlas: cells with values, and monthly means of each flux."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import files, units
from tamrl.atlas import layers
from tamrl.atlas.cells import ShownCells
from tamrl.carbon import CF_UNITS, UNITS
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.simulated import Attributes

FluxFiles = Mapping[tuple[str, str], str]
"""Paths by flux and label."""


class FluxMaps:
    """Maps of a run.

    Parameters
    ----------
    labels : years, or `climatology`
    maps : the map of each flux and label
    reference : the fluxes that the maps are compared with; may be empty

    Raises
    ------
    ContractError
        If a map is missing.
    """

    def __init__(self, labels: Sequence[str], *, maps: FluxFiles, reference: FluxFiles) -> None:
        self.labels, self._maps, self._reference = tuple(labels), maps, reference
        for path in (*maps.values(), *reference.values()):
            if not Path(path).exists():
                raise ContractError(f"{Path(path).name} is missing", where=path)
        with xr.open_dataset(files.verified(maps["gpp", self.labels[0]])) as ds:
            self.attributes: Attributes = {str(name): value for name, value in ds.attrs.items()}
            shown = np.isfinite(layers.by_month(ds["gpp"])).any(0)
            grid = Grid.from_dataset(ds)
        self.cells = ShownCells(grid, shown)

    def monthly_fields(self, flux: str, label: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the quantities of a flux with their monthly means (12, cell), gC m-2 d-1.

        Raises
        ------
        ContractError
            If a file lacks a quantity, or lies on another grid.
        """
        fields = [(quantity, flux + ending, self._maps) for quantity, ending in layers.QUANTITIES.items()]
        fields += [("truth", flux, self._reference)] if self._reference else []
        for quantity, name, paths in fields:
            path = paths[flux, label]
            with xr.open_dataset(files.verified(path)) as ds:
                if name not in ds or ds[name].shape[-2:] != self.cells.shown.shape:
                    raise ContractError(f"no {name} on the grid of the maps", where=path, found=f"{list(ds)}, {dict(ds.sizes)}")
                yield quantity, self._monthly(ds[name])

    def _monthly(self, values: xr.DataArray) -> np.ndarray:
        """Return monthly means (12, cell) in gC m-2 d-1."""
        source = values.attrs.get("units", UNITS)
        factor = units.convert(1.0, source=CF_UNITS if source == UNITS else source, target=CF_UNITS)
        return layers.by_month(values, self.cells.pick) * np.float32(factor)

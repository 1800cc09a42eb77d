"""The maps of a run for the atlas: cells with values, and monthly means of each flux."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import files
from tamrl.atlas import layers
from tamrl.atlas.cells import ShownCells
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.report.map_sums import unit_factor
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

    Raises `ContractError` if a map is missing.
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

        Raises `ContractError` if a file lacks a quantity, or lies on another grid.
        """
        fields = [(quantity, flux + ending, self._maps) for quantity, ending in layers.QUANTITIES.items()]
        fields += [("truth", flux, self._reference)] if self._reference else []
        for quantity, name, paths in fields:
            path = paths[flux, label]
            with xr.open_dataset(files.verified(path)) as ds:
                if name not in ds or ds[name].shape[-2:] != self.cells.shown.shape:
                    raise ContractError(f"no {name} on the grid of the maps", where=path, found=f"{list(ds)}, {dict(ds.sizes)}")
                yield quantity, layers.by_month(ds[name], self.cells.pick) * unit_factor(ds[name])

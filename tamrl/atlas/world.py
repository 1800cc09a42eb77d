"""The maps of a run as the atlas reads them: which cells have values, and monthly means of each flux."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import files, units
from tamrl.atlas import layers
from tamrl.atlas.cells import Cells
from tamrl.carbon import CF_UNITS, UNITS
from tamrl.errors import ContractError
from tamrl.grid import Grid


class World:
    """Files of a run.

    Parameters
    ----------
    labels : years, or `climatology`
    maps, reference : lists of paths
        `{flux}_{label}.nc` of all fluxes and labels; `reference` may be empty.
    """

    def __init__(self, labels: Sequence[str], *, maps: Sequence[str], reference: Sequence[str]):
        self.labels, self._places = list(labels), {"map": maps, "reference": reference}
        with xr.open_dataset(files.verified(self.path("map", "gpp", self.labels[0]))) as ds:
            self.attributes = dict(ds.attrs)
            shown = np.isfinite(layers.by_month(ds["gpp"])).any(0)
            self.cells = Cells(Grid.from_dataset(ds), shown)

    def path(self, kind: str, flux: str, label: str) -> str:
        """The one file of a flux and label.

        Raises
        ------
        ContractError
            If there is none, or more than one.
        """
        name = f"{flux}_{label}.nc"
        matches = [p for p in self._places[kind] if Path(p).name == name]
        if len(matches) != 1:
            raise ContractError(f"there must be one {kind} named {name}", found=[Path(p).name for p in self._places[kind]])
        return matches[0]

    def fluxes(self, flux: str, label: str) -> Iterator[tuple[str, np.ndarray]]:
        """Quantity and its monthly means (12, cell), gC m-2 d-1.

        Raises
        ------
        ContractError
            If a file lacks a quantity, or lies on another grid.
        """
        wanted = [("map", quantity, flux + ending) for quantity, ending in layers.QUANTITIES.items()]
        wanted += [("reference", "truth", flux)] if self._places["reference"] else []
        for kind, quantity, name in wanted:
            path = self.path(kind, flux, label)
            with xr.open_dataset(files.verified(path)) as ds:
                if name not in ds or ds[name].shape[-2:] != self.cells.shown.shape:
                    raise ContractError(f"no {name} on the grid of the maps", where=path, found=f"{list(ds)}, {dict(ds.sizes)}")
                yield quantity, self._monthly(ds[name])

    def _monthly(self, values: xr.DataArray) -> np.ndarray:
        source = values.attrs.get("units", UNITS)
        factor = units.convert(1.0, source=CF_UNITS if source == UNITS else source, target=CF_UNITS)
        return layers.by_month(values, self.cells.pick) * np.float32(factor)

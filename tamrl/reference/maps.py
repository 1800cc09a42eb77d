"""Monthly maps of a run, and its land."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from tamrl import calendar, carbon, stores, units
from tamrl.calendar import CLIMATOLOGY, MONTHS
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError, InputError
from tamrl.files import verified
from tamrl.layout import File, RunFiles, RunLayout
from tamrl.maps.land import Land, describe_land
from tamrl.reference.regrid import CellGrid

Paths = Mapping[tuple[str, str], str]
"""Files of maps by flux and label: a year, or `climatology`."""


def monthly_paths(run: RunFiles, labels: Iterable[str]) -> dict[tuple[str, str], str]:
    """Maps of months among the declared files of a run; the main maps where it has no others.

    Raises `ContractError` if a map is not declared.
    """
    return {
        (flux, label): run.find(File.PERIOD, period="monthly", flux=flux, label=label) or run(File.MAP, flux=flux, label=label)
        for flux in FLUXES
        for label in labels
    }


def paths_of_run(layout: RunLayout) -> dict[tuple[str, str], str]:
    """Maps of months of a finished run, or its main maps where it has no others.

    Raises `InputError` if a flux has none.
    """
    paths: dict[tuple[str, str], str] = {}
    for flux in FLUXES:
        main = {parts["label"]: str(path) for parts, path in layout.present(File.MAP, flux=flux)}
        monthly = {parts["label"]: str(path) for parts, path in layout.present(File.PERIOD, period="monthly", flux=flux)}
        if not main | monthly:
            raise InputError(f"the run has no maps of {flux}", where=layout.folder, todo="finish it: make maps CONFIG=...")
        paths |= {(flux, label): path for label, path in (main | monthly).items()}
    return paths


@dataclass(frozen=True, eq=False)
class RunMaps:
    """Maps of a run with steps of days or months."""

    paths: Paths
    land: Land

    @classmethod
    def read(cls, paths: Paths, cube: str) -> "RunMaps":
        """Read the land of the cube of the run; maps are read month by month.

        Raises `InputError` for a run of a region: products are compared with maps of the globe.
        """
        land = describe_land(stores.open_cube(cube), vegetated_only=False)
        if land.region:
            todo = "compare a run of the globe (grid.bounds: null)"
            raise InputError("the run maps a region alone", where=cube, found=land.region, todo=todo)
        return cls(paths, land)

    @cached_property
    def grid(self) -> CellGrid:
        """Grid of the maps."""
        return CellGrid(self.land.lat, self.land.lon)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Years of the maps in order, or `climatology` alone."""
        return tuple(sorted({label for _, label in self.paths}))

    @property
    def climatology(self) -> bool:
        """Whether the maps are those of a mean year."""
        return self.labels == (CLIMATOLOGY,)

    @property
    def years(self) -> tuple[int, ...]:
        """Mapped years; none of a mean year."""
        return () if self.climatology else tuple(map(int, self.labels))

    def months(self, flux: str, label: str) -> np.ndarray:
        """Monthly means of a flux over the land of each cell (12, lat, lon), gC m-2 d-1, float32, NaN where missing.

        Raises `ContractError` if the map does not hold the twelve months of a year.
        """
        path = self.paths[flux, label]
        with xr.open_dataset(verified(path)) as ds:
            month = calendar.month(ds["time"].values)
            if not np.array_equal(np.unique(month), np.arange(1, MONTHS + 1)):
                raise ContractError("a map does not hold the months of a year", where=path, found=np.unique(month))
            unit = str(ds[flux].attrs["units"])
            fields = [ds[flux].isel(time=np.flatnonzero(month == m)).values.mean(0) for m in range(1, MONTHS + 1)]
        return np.asarray(units.convert(np.stack(fields), source=unit, target=carbon.UNITS, where=path), dtype="float32")

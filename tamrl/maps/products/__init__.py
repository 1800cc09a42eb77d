"""Products: one file here is one kind of map file.

A product is a module with

``build(members, context) -> xr.Dataset``
    its fields for a block of cells and steps, float32, first dimension `time`, last two (`lat`, `lon`), each with the
    attributes that `cf.flux_attributes` gives. `members` is (member, time, lat, lon), gC m-2 d-1 of vegetated land; values
    must pass through `context.deliver`, which converts them to the land of the cell and to the unit of the files.
``TITLE: str``
    title of the file; `{flux}` and `{label}` are filled in.
``SUMMARY: str``
    one sentence about the product.

`build` must work point by point in (time, lat, lon): it sees the map in blocks of any size. `ensemble` is written by rule
`write_map`, `members` by `write_members`; every further one that `maps.products` names by `write_product`, as
`maps/<product>/{flux}_{label}.nc`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from tamrl import carbon, units
from tamrl.maps import rounding
from tamrl.uncertainty.calibration import TestedCalibration


@dataclass(frozen=True)
class Context:
    """Inputs of a product besides the members."""

    flux: str
    """gpp, reco or nee."""
    units: str
    """CF unit of the files."""
    share: np.ndarray
    """Array (lat, lon): vegetated share of the land of the block's cells."""
    calibration: TestedCalibration | None
    """Calibration of this flux at the scale of the file; None for a product that is not calibrated."""
    attributes: Mapping[str, str]
    """CF attributes common to all fields of the flux (cell methods, grid mapping, comment, ...)."""
    igbp: np.ndarray | None = None
    """Array (class, lat, lon) or None: share of the land per class of `classes.IGBP`."""
    parts: Mapping[str, xr.DataArray] = field(default_factory=dict)
    """For NEE the members of `gpp` and `reco`, whose difference it is; empty for other fluxes."""
    bits: int | None = None
    """Significant bits of delivered values; None for all."""

    def deliver(self, values: np.ndarray) -> np.ndarray:
        """Flux of vegetated land (..., lat, lon), gC m-2 d-1, to flux of all land in `units`, float32, rounded."""
        per_land = values * self.share
        converted = units.convert(per_land, source=carbon.CF_UNITS, target=self.units)
        return rounding.significant(converted, self.bits)

    def balanced(self, members: xr.DataArray, central: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Deliver `central` of the members, such as their mean; NEE as the difference of delivered RECO and GPP.

        So the files of the three fluxes close for any rounding.
        """
        if not self.parts:
            return self.deliver(central(members.values))
        gpp, reco = (self.deliver(central(self.parts[name].values)) for name in ("gpp", "reco"))
        return carbon.nee(gpp=gpp, reco=reco)

    def field(self, members: xr.DataArray, delivered: np.ndarray, **attributes: object) -> xr.DataArray:
        """Return delivered values (time, lat, lon) on the coordinates of `members`, with CF attributes."""
        template = members.isel(member=0, drop=True)
        return template.copy(data=delivered).assign_attrs(dict(self.attributes) | attributes)

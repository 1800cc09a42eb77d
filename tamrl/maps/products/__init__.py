"""Products: one file here is one kind of map file.

A product is a module with

``build(members, context) -> xr.Dataset``
    its fields for a block of cells and steps, float32, first dimension `time`, last two (`lat`, `lon`), each with the
    attributes that `cf.flux_attributes` gives. `members` is (member, time, lat, lon), gC m-2 d-1 of vegetated land; what is
    delivered must pass through `context.deliver`, which brings it to the cell's land and to the unit of the files.
``TITLE: str``
    what the file is called in its title; `{flux}` and `{label}` are filled in.
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
from tamrl.uncertainty.calibration import FluxCalibration


@dataclass(frozen=True)
class Context:
    """What a product needs besides the members.

    Attributes
    ----------
    flux : str
        gpp, reco or nee.
    units : str
        CF unit of the files.
    share : array (lat, lon)
        Vegetated share of the land of the block's cells.
    calibration : FluxCalibration or None
        Of this flux; None for a product that is not calibrated.
    attributes : mapping
        CF attributes common to all fields of the flux (cell methods, grid mapping, comment, ...).
    igbp : array (class, lat, lon) or None
        Share of the land per class of `classes.IGBP`.
    parts : mapping
        For NEE the members of `gpp` and `reco`, whose difference it is; empty for other fluxes.
    bits : int or None
        Significant bits kept of what is delivered; None for all.
    """

    flux: str
    units: str
    share: np.ndarray
    calibration: FluxCalibration | None
    attributes: Mapping[str, str]
    igbp: np.ndarray | None = None
    parts: Mapping[str, xr.DataArray] = field(default_factory=dict)
    bits: int | None = None

    def deliver(self, values: np.ndarray) -> np.ndarray:
        """Flux of vegetated land (..., lat, lon), gC m-2 d-1, to flux of all land in `units`, float32, rounded."""
        per_land = values * self.share
        converted = units.convert(per_land, source=carbon.CF_UNITS, target=self.units)
        return rounding.significant(converted, self.bits)

    def balanced(self, members: xr.DataArray, central: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Deliver `central` of the members, such as their mean; NEE as the difference of what is delivered of RECO and GPP.

        So the files of the three fluxes close however they are rounded.
        """
        if not self.parts:
            return self.deliver(central(members.values))
        gpp, reco = (self.deliver(central(self.parts[name].values)) for name in ("gpp", "reco"))
        return carbon.nee(gpp=gpp, reco=reco)

    def field(self, members: xr.DataArray, delivered: np.ndarray, **attributes: object) -> xr.DataArray:
        """What was delivered (time, lat, lon) on the coordinates of `members`, with CF attributes."""
        template = members.isel(member=0, drop=True)
        return template.copy(data=delivered).assign_attrs(dict(self.attributes) | attributes)

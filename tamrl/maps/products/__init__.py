"""Products: one file here is one kind of map file.

A product is a module with

``build(members, context) -> xr.Dataset``
    its fields for a block of cells and steps, float32, first dimension `time`, last two (`lat`, `lon`), each with the
    attributes that `cf.flux_attributes` gives. `members` is (member, time, lat, lon), gC m-2 d-1 of vegetated land; what is
    delivered must pass through `context.deliver`, which brings it to the cell's land and to the unit of the files.
``TITLE: str``
    what the file is called in its title; `{flux}` and `{label}` are filled in.

`build` must work point by point in (time, lat, lon): it sees the map in blocks of any size. `ensemble` is written by rule
`write_map`, `members` by `write_members`; every further one that `maps.products` names by `write_product`, as
`maps/<product>/{flux}_{label}.nc`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from tamrl import carbon, units


@dataclass(frozen=True)
class Context:
    """What a product must know besides the members.

    Attributes
    ----------
    flux : str
        gpp, reco or nee.
    units : str
        CF unit of the files.
    share : array (lat, lon)
        Vegetated share of the land of the block's cells.
    calibration : dict or None
        What `conformal.fit` returned for this flux; None where the rule reads none.
    attributes : dict
        CF attributes common to all fields of the flux (cell methods, grid mapping, comment, ...).
    igbp : array (class, lat, lon) or None
        Share of the land per class of `classes.IGBP`.
    """

    flux: str
    units: str
    share: np.ndarray
    calibration: dict[str, Any] | None
    attributes: dict[str, Any]
    igbp: np.ndarray | None = None

    def deliver(self, values: np.ndarray) -> np.ndarray:
        """Flux of vegetated land (..., lat, lon), gC m-2 d-1, to flux of all land in `units`, float32."""
        per_land = values * self.share
        return units.convert(per_land, source=carbon.CF_UNITS, target=self.units).astype("float32")

    def field(self, members: xr.DataArray, values: np.ndarray, **attributes: object) -> xr.DataArray:
        """Deliver `values` (time, lat, lon) on the coordinates of `members`, with CF attributes."""
        template = members.isel(member=0, drop=True)
        return template.copy(data=self.deliver(values)).assign_attrs(self.attributes | attributes)

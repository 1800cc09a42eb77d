"""CF-1.11 metadata of the products: time and its bounds, names and units of the fluxes."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from tamrl import calendar, carbon, georeference, variables
from tamrl.uncertainty.calibration import Scale

FILL = np.float32(9.969209968386869e36)
"""Default of NetCDF, which every tool reads; some tools cannot read NaN here."""

UNITS = {carbon.UNITS: carbon.CF_UNITS, "kg m-2 s-1": "kg m-2 s-1"}
"""Units of CF by `maps.units`. CF lacks 'gC'; the long names say that the mass is of carbon."""

METHODS = {
    "day": "time: mean area: mean where land",
    "month": "time: mean area: mean where land",
    "year": "time: mean area: mean where land",
    "8 days": "time: mean area: mean where land",
    "climatology": "time: mean within years time: mean over years (area mean where land)",
}
"""Cell methods. CF 7.4 and its checkers want a climatology's to end with the years, so there the area is a comment."""

NAMING = {
    "gpp": "The standard name says productivity of biomass expressed as carbon; the flux is that of CO2 taken up, as carbon. "
    "In winter it may be slightly negative: the GPP of towers scatters around zero there, and nothing is clipped.",
    "reco": "CF has standard names for plant and for heterotrophic respiration but none for their sum, so none is given. "
    "Positive towards the atmosphere.",
    "nee": "NEE = RECO - GPP, positive towards the atmosphere. CF has no standard name for it (its negative is "
    "net_ecosystem_production_expressed_as_carbon_per_unit_area), so none is given. "
    "Fire, harvest and lateral fluxes are not in it.",
}


@dataclass(frozen=True, eq=False)
class FileAxis:
    """The time axis of a file."""

    starts: np.ndarray
    """Array of datetime64 (time): starts of the steps."""
    period: calendar.Period
    """Length of the steps."""
    years: str | None = None
    """Averaged years of a climatology, such as `2000-2025`."""

    @property
    def resolution(self) -> str:
        """The period, or `climatology`: a key of `METHODS` and `acdd.DURATIONS`."""
        return self.period if self.years is None else calendar.CLIMATOLOGY

    @property
    def scale(self) -> Scale:
        """What one value is the mean of."""
        return self.period if self.years is None else "mean month"

    @cached_property
    def bounds(self) -> np.ndarray:
        """First and last instant of each step, datetime64[D] (time, 2).

        Those of a climatology span its first to its last year (CF 7.4); without two years in `years` they are those of the steps.
        """
        bounds = calendar.bounds(self.starts, self.period)
        named = [int(year) for year in re.findall(r"\b(?:1[89]|20|21)\d\d\b", self.years or "")]
        if len(named) < 2:
            return bounds
        shift = np.array([min(named), max(named)]) - int(calendar.year(bounds[0, 0]))
        return np.asarray(bounds.astype("datetime64[M]") + shift * calendar.MONTHS, dtype="datetime64[D]")

    def dataset(self) -> xr.Dataset:
        """The coordinate `time` and its bounds as CF writes them; `climatology_bnds` takes the place of `time_bnds`."""
        kind, name = ("bounds", "time_bnds") if self.years is None else ("climatology", "climatology_bnds")
        origin = calendar.bounds(self.starts, self.period)[0, 0].astype("datetime64[Y]")
        attributes = {
            "standard_name": "time",
            "long_name": "start of the step (UTC)",
            "axis": "T",
            "units": f"days since {origin}-01-01",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            kind: name,
        }
        days = (self.starts.astype("datetime64[D]") - origin.astype("datetime64[D]")).astype(float)
        ends = (self.bounds - origin.astype("datetime64[D]")).astype(float)
        ds = xr.Dataset({name: (("time", "bnds"), ends)}, coords={"time": ("time", days, attributes)})
        return georeference.without_fill(ds)


def flux_names(flux: str) -> dict[str, str]:
    """Return the long name and, if CF has one, the standard name of a flux."""
    entry = variables.get(flux)
    return {"long_name": entry.long_name} | ({"standard_name": entry.standard_name} if entry.standard_name else {})


def flux_attributes(flux: str, *, units: str, resolution: str, note: str) -> dict[str, str]:
    """Return the attributes of every field of a flux.

    Parameters
    ----------
    units : a key of `UNITS`
    resolution : a key of `METHODS`
    note : relation of the flux to that of all land (`Land.note`)
    """
    return {
        "units": UNITS[units],
        "cell_methods": METHODS[resolution],
        "cell_measures": "area: cell_area",
        "grid_mapping": georeference.MAPPING,
        "comment": f"Mass of carbon per area of the cell's land. {NAMING[flux]} Given is {note}.",
    }

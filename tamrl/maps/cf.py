"""CF-1.11 metadata of the products: time and its bounds, names and units of the fluxes, static fields, global attributes."""

import re
from typing import Any

import numpy as np
import xarray as xr

from tamrl import calendar, carbon, georeference, variables
from tamrl.maps import acdd
from tamrl.maps.land import Land

CONVENTIONS = "CF-1.11, ACDD-1.3"
FILL = np.float32(9.969209968386869e36)
"""NetCDF's own default, which every tool knows; a NaN would puzzle some of them."""

UNITS = {carbon.UNITS: carbon.CF_UNITS, "kg m-2 s-1": "kg m-2 s-1"}
"""`maps.units` as people write it: as CF writes it. 'gC' is no CF unit; the long names say that the mass is of carbon."""

METHODS = {
    "day": "time: mean area: mean where land",
    "month": "time: mean area: mean where land",
    "year": "time: mean area: mean where land",
    "8 days": "time: mean area: mean where land",
    "climatology": "time: mean within years time: mean over years (area mean where land)",
}
"""Cell methods. CF 7.4 and its checkers want a climatology's to end with the years, so there the area is a comment."""

NAMING = {
    "gpp": "The standard name says productivity of biomass expressed as carbon; the flux is that of CO2 taken up, as carbon.",
    "reco": "CF has standard names for plant and for heterotrophic respiration but none for their sum, so none is given. "
    "Positive towards the atmosphere.",
    "nee": "NEE = RECO - GPP, positive towards the atmosphere. CF has no standard name for it (its negative is "
    "net_ecosystem_production_expressed_as_carbon_per_unit_area), so none is given. "
    "Fire, harvest and lateral fluxes are not in it.",
}

REFERENCES = (
    "TAM-RL: https://doi.org/10.48550/arXiv.2603.09974; intervals: https://doi.org/10.48550/arXiv.1905.03222; "
    "area of applicability: https://doi.org/10.1111/2041-210X.13650"
)
LICENSE = "CC-BY-4.0; the inputs keep their own terms (see the report of the run)"


def time_axis(time: np.ndarray, *, step: str, period: str | None = None) -> xr.Dataset:
    """The coordinate `time` and its bounds as CF writes them.

    Parameters
    ----------
    time : array of datetime64 (time)
        Starts of the steps.
    step : str
        A period of `calendar.bounds`.
    period : str, optional
        Given for a climatology: the years it is the mean of, such as `2000-2025`; then `climatology_bnds` takes the place of
        `time_bnds` (CF 7.4). Without two years in it, the bounds are those of the axis itself.
    """
    bounds = calendar.bounds(time, step)
    origin = bounds[0, 0].astype("datetime64[Y]")
    name = "time_bnds"
    if period is not None:
        name = "climatology_bnds"
        bounds = _over_years(bounds, period)
    days = (time.astype("datetime64[D]") - origin.astype("datetime64[D]")).astype(float)
    attributes = {
        "standard_name": "time",
        "long_name": "start of the step (UTC)",
        "axis": "T",
        "units": f"days since {origin}-01-01",
        "calendar": "standard",
        "units_metadata": "leap_seconds: none",
        ("climatology" if period is not None else "bounds"): name,
    }
    ends = (bounds - origin.astype("datetime64[D]")).astype(float)
    return georeference.without_fill(xr.Dataset({name: (("time", "bnds"), ends)}, coords={"time": ("time", days, attributes)}))


def _over_years(bounds: np.ndarray, period: str) -> np.ndarray:
    """Bounds of monthly means within the first to the last year of `period`."""
    years = [int(year) for year in re.findall(r"\b(?:1[89]|20|21)\d\d\b", period)]
    if len(years) < 2:
        return bounds
    axis = int(calendar.year(bounds[0, 0]))
    months = bounds.astype("datetime64[M]")
    shift = np.array([min(years) - axis, max(years) - axis]) * 12
    return (months + shift).astype("datetime64[D]")


def names(flux: str, modifier: str | None = None) -> dict[str, str]:
    """Long name and, where CF has one, standard name (with its modifier) of a flux."""
    entry = variables.get(flux)
    found = {"long_name": entry.long_name}
    if entry.standard_name:
        found["standard_name"] = " ".join(filter(None, (entry.standard_name, modifier)))
    return found


def flux_attributes(flux: str, *, units: str, step: str, land: Land, skill: str | None) -> dict[str, Any]:
    """Attributes that every field of a flux carries; `units` as in the configuration, `step` a key of `METHODS`."""
    attributes = {
        "units": UNITS[units],
        "cell_methods": METHODS[step],
        "cell_measures": "area: cell_area",
        "grid_mapping": georeference.MAPPING,
        "comment": f"Mass of carbon per area of the cell's land. {NAMING[flux]} Given is {land.note}.",
    }
    return attributes | ({"skill": skill} if skill else {})


def frame(*, lat: np.ndarray, lon: np.ndarray, axis: xr.Dataset, land: Land, quality: xr.Dataset | None) -> xr.Dataset:
    """Everything of a file but its fields: axes, bounds, `crs`, `land_fraction`, `cell_area` and, if given, fields of `quality`.

    `quality` is `maps/applicability.nc` opened without decoding (`mask_and_scale=False`), so that flags stay flags, and may hold
    further fields (lat, lon) that say how good a cell is.
    """
    ds = georeference.horizontal(lat=lat, lon=lon).merge(axis)
    mapping = {"grid_mapping": georeference.MAPPING}
    fraction = variables.attributes("land_fraction") | mapping | {"cell_methods": "area: mean"}
    area = {"standard_name": "cell_area", "long_name": "area of the whole cell", "units": "m2"} | mapping
    ds["land_fraction"] = ("lat", "lon"), land.fraction.astype("float32"), fraction
    ds["cell_area"] = ("lat", "lon"), land.area.astype(float), area
    for name in ("land_fraction", "cell_area"):
        ds[name].attrs["coverage_content_type"] = acdd.content(name)
    ds = georeference.without_fill(ds)
    ds["land_fraction"].encoding["_FillValue"] = FILL
    for name, found in ({} if quality is None else quality.data_vars).items():
        attributes = {key: value for key, value in found.attrs.items() if key != "_FillValue"}
        ds[name] = ("lat", "lon"), found.values, attributes | {"coverage_content_type": acdd.content(name)}
        ds[name].encoding["_FillValue"] = found.attrs.get("_FillValue")
    return ds


def global_attributes(*, title: str, summary: str, source: str, history: str, made_by: dict[str, str]) -> dict[str, str]:
    """Global attributes; `made_by` are digests, versions and whatever else tells how the file came about."""
    return {
        "Conventions": CONVENTIONS,
        "title": title,
        "summary": summary,
        "source": source,
        "references": REFERENCES,
        "license": LICENSE,
        "history": history,
        **made_by,
    }

"""Monthly maps in the names, units and axes of CMIP with the attributes of obs4MIPs: reference data of ILAMB and ESMValTool.

One variable a file: `gpp`, `reco`, `nee` and `nep` (-NEE), each with its predictive standard deviation and the ends of its 90 %
interval in files beside it, and `sftlf` and `areacella`. Latitudes rise, longitudes run from 0 to 360°, a time is the middle of
its month (a mean year has no leap day, which ILAMB could not read). The flux is that of the land of the cell ("area: mean where
land"), so that totals need `areacella` times `sftlf`.
Sources: CMIP6 data request (Juckes et al. 2020, doi 10.5194/gmd-13-201-2020); obs4MIPs (Waliser et al. 2020,
doi 10.5194/gmd-13-2945-2020); ILAMB (Collier et al. 2018, doi 10.1029/2018MS001354), whose tables call ra + rh `reco`.
"""

import re
import uuid
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import calendar, simulated, units
from tamrl.errors import InputError
from tamrl.maps.origin import history, time_of_writing

FILL = np.float32(1e20)
UNITS = "kg m-2 s-1"
VARIANT = "BE"
"""Label of the best estimate."""

ORIGIN = np.datetime64("1850-01-01", "D")
"""Day from which days are counted, as ILAMB does itself."""

COMMON_YEAR = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of the months of a year without a leap day."""

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
"""What the names of files may hold between their underscores."""

RESOLUTIONS = (
    (7.2, 5),
    (16, 10),
    (36, 25),
    (72, 50),
    (160, 100),
    (360, 250),
    (720, 500),
    (1600, 1000),
    (3600, 2500),
    (7200, 5000),
)
"""Upper limits of the mean diagonal of a cell, km, and the nominal resolutions of CMIP6 by them."""


@dataclass(frozen=True)
class CmipVariable:
    """A variable of CMIP, made of a flux of the maps."""

    name: str
    flux: str
    sign: int
    standard_name: str | None
    long_name: str


VARIABLES = (
    CmipVariable(
        "gpp",
        "gpp",
        1,
        "gross_primary_productivity_of_biomass_expressed_as_carbon",
        "Carbon Mass Flux out of Atmosphere Due to Gross Primary Production on Land",
    ),
    CmipVariable("reco", "reco", 1, None, "Carbon Mass Flux into Atmosphere Due to Ecosystem Respiration on Land (ra + rh)"),
    CmipVariable("nee", "nee", 1, None, "Net Ecosystem Exchange on Land (ra + rh - gpp), Positive into Atmosphere"),
    CmipVariable(
        "nep",
        "nee",
        -1,
        "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes_"
        "excluding_anthropogenic_land_use_change",
        "Net Carbon Mass Flux out of Atmosphere Due to Net Ecosystem Productivity on Land",
    ),
)
"""What is exported. CF has no standard name of the sum of ra and rh, so `reco` and `nee` have none. Fires are not in `nep`."""

KINDS = {
    "": "{}",
    "std": "standard deviation of the error of {}",
    "q05": "5 % quantile of {}, lower end of the 90 % interval",
    "q95": "95 % quantile of {}, upper end of the 90 % interval",
}
"""Endings of the names of variables, and what they are."""


@dataclass(frozen=True)
class Publisher:
    """Names under which a product is published."""

    source_id: str = "tamrl"
    institution_id: str = "unspecified"

    def __post_init__(self) -> None:
        for key, value in (("source_id", self.source_id), ("institution_id", self.institution_id)):
            if not IDENTIFIER.fullmatch(value):
                raise InputError(f"this cannot be a {key}", found=repr(value), todo="use letters, digits and hyphens")


def file_name(variable: str, publisher: Publisher, span: str | None) -> str:
    """The name of a file by the template of obs4MIPs; `span` is `yyyymm-yyyymm`, or None for what does not change."""
    parts = [variable, "fx" if span is None else "mon", publisher.source_id, VARIANT, "gn"]
    return "_".join([*parts, *([span] if span else [])]) + ".nc"


def export_flux(ds: xr.Dataset, variable: CmipVariable, kind: str, publisher: Publisher) -> xr.Dataset:
    """One variable of CMIP from the monthly maps of its flux.

    Parameters
    ----------
    ds : monthly maps, `<flux>` and `<flux>_<kind>` (time, lat, lon), `time_bnds` or `climatology_bnds`
    variable : of `VARIABLES`
    kind : of `KINDS`
    publisher : names in the attributes

    Raises
    ------
    InputError
        If the steps are no months, or the maps lack the field.
    """
    negative = {"q05": "q95", "q95": "q05"}  # the lower end of -NEE is the upper end of NEE
    source = negative.get(kind, kind) if variable.sign < 0 else kind
    field = f"{variable.flux}_{source}" if source else variable.flux
    if field not in ds:
        raise InputError(f"the maps lack {field}", found=[str(name) for name in ds], todo="make the run with this version")
    name = variable.name + kind
    factor = units.convert(1.0, source=str(ds[field].attrs["units"]), target=UNITS)
    sign = 1 if kind == "std" else variable.sign
    values = _southern_first(ds[field].drop_vars(list(set(ds[field].coords) - {"time", "lat", "lon"})))
    attributes = {
        "long_name": KINDS[kind].format(variable.long_name),
        "units": UNITS,
        "cell_methods": "area: mean where land time: mean",
        "cell_measures": "area: areacella",
        "comment": f"Mass of carbon per area of the cell's land: {'minus ' if sign < 0 else ''}{field} of the maps",
    }
    if variable.standard_name and not kind:
        attributes["standard_name"] = variable.standard_name
    time, climatological = _months(ds)
    if climatological:
        attributes["cell_methods"] = "area: mean where land time: mean within years time: mean over years"
    data = (values * np.float32(sign * factor)).astype("float32").assign_attrs(attributes)
    out = data.drop_vars(["time", "lat", "lon"]).to_dataset(name=name).merge(_axes(data)).merge(time)
    out[name].encoding = {"_FillValue": FILL, "missing_value": FILL, "zlib": True, "complevel": 1, "shuffle": True}
    return out.assign_attrs(
        _attributes(ds, name, attributes["long_name"], publisher, frequency="monC" if climatological else "mon")
    )


def export_land(ds: xr.Dataset, publisher: Publisher) -> dict[str, xr.Dataset]:
    """`sftlf` (%) and `areacella` (m2) of the cells of a map; see `export_flux`."""
    fields = {
        "sftlf": (ds["land_fraction"] * 100, "%", "land_area_fraction", "Percentage of the Grid Cell Occupied by Land"),
        "areacella": (ds["cell_area"], "m2", "cell_area", "Grid-Cell Area"),
    }
    files = {}
    for name, (values, unit, standard, words) in fields.items():
        data = _southern_first(values.drop_vars(list(set(values.coords) - {"lat", "lon"}))).astype("float32")
        data.attrs = {"standard_name": standard, "long_name": words, "units": unit, "cell_methods": "area: mean"}
        if name == "areacella":
            data.attrs["cell_methods"] = "area: sum"
        data.encoding = {"_FillValue": FILL, "missing_value": FILL, "zlib": True, "complevel": 1}
        out = data.drop_vars(["lat", "lon"]).to_dataset(name=name).merge(_axes(data))
        files[name] = out.assign_attrs(_attributes(ds, name, words, publisher, frequency="fx"))
    return files


def span(ds: xr.Dataset) -> str:
    """First and last month of maps, `yyyymm-yyyymm`; of a mean year those of its years; raises `InputError` at a gap."""
    bounds, climatological = _bounds(ds)
    if not climatological and (gap := bounds[1:, 0] != bounds[:-1, 1]).any():
        todo = "export each stretch of years into a folder of its own"
        raise InputError("the months must follow each other", found=f"nothing from {bounds[:-1, 1][gap][0]} on", todo=todo)
    first, last = bounds[[0, -1], [0, 1]]
    ends = first.astype("datetime64[M]"), (last - np.timedelta64(1, "D")).astype("datetime64[M]")
    return "-".join(str(month).replace("-", "") for month in ends)


def _southern_first(data: xr.DataArray) -> xr.DataArray:
    """Latitudes from south to north, longitudes from 0 to 360°."""
    data = data.assign_coords(lon=np.mod(data["lon"].values.astype(float), 360.0))
    return data.isel(lat=np.argsort(data["lat"].values), lon=np.argsort(data["lon"].values))


def _axes(data: xr.DataArray) -> xr.Dataset:
    """Latitude and longitude with their bounds."""
    ds = xr.Dataset()
    named = (("lat", "latitude", "degrees_north", "Y"), ("lon", "longitude", "degrees_east", "X"))
    for name, standard, unit, axis in named:
        values = data[name].values.astype(float)
        half = (values[1] - values[0]) / 2
        attributes = {"standard_name": standard, "long_name": standard, "units": unit, "axis": axis, "bounds": f"{name}_bnds"}
        ds[name] = (name, values, attributes)
        ds[f"{name}_bnds"] = ((name, "bnds"), np.stack([values - half, values + half], axis=1))
    for variable in ds.variables.values():
        variable.encoding["_FillValue"] = None
    return ds


def _bounds(ds: xr.Dataset) -> tuple[np.ndarray, bool]:
    """Bounds of the months, datetime64[D] (time, 2), and whether they are those of a mean year."""
    climatological = "climatology_bnds" in ds.variables
    values = ds["climatology_bnds" if climatological else "time_bnds"].values
    if values.dtype.kind != "M":  # readers decode bounds, but not those of a climatology
        origin = str(ds["time"].encoding["units"]).removeprefix("days since ")[:10]
        values = np.datetime64(origin, "D") + values.astype("int64")
    return values.astype("datetime64[D]"), climatological


def _months(ds: xr.Dataset) -> tuple[xr.Dataset, bool]:
    """Time as the middle of each month with its bounds, and whether it is that of a mean year."""
    bounds, climatological = _bounds(ds)
    starts = ds["time"].values.astype("datetime64[D]")
    of_month = (starts.astype("datetime64[M]")[:, None] + np.arange(2)).astype("datetime64[D]")
    if (of_month[:, 0] != starts).any() or (not climatological and (of_month != bounds).any()):
        raise InputError("only months are exported", found=bounds[:1].tolist(), todo="have maps.periods include monthly")
    days, ends = (_since_origin(values, leap=not climatological) for values in (of_month, bounds))
    if climatological:
        days += ends[0, 0] - days[0, 0]  # dates of the first of its years
    kind, name = ("climatology", "climatology_bnds") if climatological else ("bounds", "time_bnds")
    attributes = {"standard_name": "time", "long_name": "time", "axis": "T", kind: name, "units": f"days since {ORIGIN}"}
    attributes["calendar"] = "noleap" if climatological else "standard"  # a mean year has 365 days
    time = xr.Dataset({name: (("time", "bnds"), ends)}, {"time": ("time", days.mean(1), attributes)})
    for variable in time.variables.values():
        variable.encoding["_FillValue"] = None
    return time, climatological


def _since_origin(dates: np.ndarray, *, leap: bool) -> np.ndarray:
    """Days since `ORIGIN` of first days of months, float64, in the standard calendar or in one without leap days."""
    if leap:
        return np.asarray((dates - ORIGIN).astype(float))
    years = dates.astype("datetime64[Y]").astype(int) - ORIGIN.astype("datetime64[Y]").astype(int)
    month = dates.astype("datetime64[M]").astype(int) % calendar.MONTHS
    before = np.concatenate([[0], np.cumsum(COMMON_YEAR)[:-1]])
    return np.asarray(365.0 * years + before[month])


def _attributes(ds: xr.Dataset, name: str, title: str, publisher: Publisher, *, frequency: str) -> dict[str, object]:
    """Global attributes by obs4MIPs data specifications 2.5; those that a registry gives out are left to whoever publishes."""
    now, of_maps = time_of_writing(), {str(key): value for key, value in ds.attrs.items()}
    origin = str(of_maps.get("id") or of_maps.get("predictions_sha256") or of_maps.get("title"))
    spacing = abs(float(ds["lat"][0] - ds["lat"][1]))
    attributes: dict[str, object] = {
        "activity_id": "obs4MIPs",
        "Conventions": "CF-1.11 ODS-2.5",
        "contact": of_maps.get("creator_email", "unspecified"),
        "creation_date": now,
        "data_specs_version": "2.5",
        "external_variables": "areacella",
        "frequency": frequency,
        "grid": f"{spacing:g}x{spacing:g} degree latitude x longitude",
        "grid_label": "gn",
        "has_auxdata": "True",
        "history": "\n".join([history(now, f"CMIP {name}"), *str(of_maps.get("history", "")).splitlines()]),
        "institution": of_maps.get("institution", "unspecified"),
        "institution_id": publisher.institution_id,
        "license": of_maps.get("license", "unspecified"),
        "nominal_resolution": nominal_resolution(spacing),
        "product": "derived",
        "realm": "land",
        "references": of_maps.get("references", ""),
        "region": of_maps.get("mapped_region", "global_land"),
        "source": of_maps.get("source", "tamrl"),
        "source_id": publisher.source_id,
        "source_label": publisher.source_id,
        "source_type": "gridded_insitu",
        "title": title,
        "tracking_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{origin} {name}")),
        "variable_id": name,
        "variant_info": "Best Estimate",
        "variant_label": VARIANT,
    }
    passed_on = ("run", "config_digest", "code_digest", "predictions_sha256", "drivers_sha256", "git_revision", "comment")
    attributes |= {key: of_maps[key] for key in passed_on if key in of_maps}
    return simulated.label_attributes(attributes, simulated.is_stated(of_maps))


def nominal_resolution(spacing: float) -> str:
    """Nominal resolution of CMIP6 of cells of `spacing` degrees: by the mean of their largest diagonals, over area."""
    lat = np.deg2rad(np.arange(-90 + spacing / 2, 90, spacing))
    diagonal = 111.2 * spacing * np.sqrt(1 + np.cos(lat) ** 2)
    mean = float(np.average(diagonal, weights=np.cos(lat)))
    return next((f"{size} km" for limit, size in RESOLUTIONS if mean < limit), "10000 km")

"""Global attributes by which catalogues find a file: Attribute Convention for Data Discovery 1.3 (ESIP)."""

import hashlib

import numpy as np

from tamrl import variables

KEYWORDS = (
    "EARTH SCIENCE > BIOSPHERE > ECOLOGICAL DYNAMICS > ECOSYSTEM FUNCTIONS > PRIMARY PRODUCTION, "
    "EARTH SCIENCE > ATMOSPHERE > ATMOSPHERIC CHEMISTRY > CARBON AND HYDROCARBON COMPOUNDS > ATMOSPHERIC CARBON DIOXIDE"
)

CONTENT = {
    "cell_area": "coordinate",
    "land_fraction": "auxiliaryInformation",
    "applicability": "qualityInformation",
    variables.FILLED: "qualityInformation",
}
"""`coverage_content_type` (ISO 19115-1) of variables other than fluxes."""

FIXED = {
    "keywords": KEYWORDS,
    "keywords_vocabulary": "GCMD Science Keywords",
    "standard_name_vocabulary": "CF Standard Name Table v93",
    "naming_authority": "tamrl",
    "processing_level": "4",
    "cdm_data_type": "Grid",
    "instrument": "eddy-covariance towers; MODIS; ERA5",
    "instrument_vocabulary": "none",
    "platform": "model",
    "platform_vocabulary": "none",
    "geospatial_lat_units": "degrees_north",
    "geospatial_lon_units": "degrees_east",
    "geospatial_bounds_crs": "EPSG:4326",
    "geospatial_vertical_min": 0.0,
    "geospatial_vertical_max": 0.0,
    "geospatial_vertical_units": "m",
    "geospatial_vertical_resolution": "one level, the land surface",
    "geospatial_vertical_positive": "up",
    "geospatial_bounds_vertical_crs": "EPSG:5829",
}

DURATIONS = {"day": "P1D", "month": "P1M", "year": "P1Y", "8 days": "P8D", "climatology": "P1M"}


def content_type(name: str) -> str:
    """Return the `coverage_content_type` of a variable: quality for uncertainties, else the result of a model."""
    uncertain = name.rpartition("_")[2] in ("std", "q05", "q95")
    return CONTENT.get(name, "qualityInformation" if uncertain else "modelResult")


def identifier(name: str) -> str:
    """Return the `id` of a file or catalogue entry, from its unique name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def discovery_attributes(
    *, lat: np.ndarray, lon: np.ndarray, bounds: np.ndarray, resolution: str, name: str, created: str
) -> dict[str, object]:
    """Return the global attributes by which catalogues find a file on a global grid.

    Parameters
    ----------
    lat, lon : arrays (lat), (lon); cell centres, degrees
    bounds : array of datetime64 (time, 2); first and last instant of each step
    resolution : a key of `DURATIONS`
    name : makes the `id` of the file
    created : time of writing by ISO 8601
    """
    half = abs(float(lat[1] - lat[0])) / 2
    south, north, west, east = (float(v) for v in (lat.min() - half, lat.max() + half, lon.min() - half, lon.max() + half))
    first, last = bounds[0, 0].astype("datetime64[D]"), bounds[-1, 1].astype("datetime64[D]")
    corners = ((south, west), (north, west), (north, east), (south, east), (south, west))
    return FIXED | {
        "id": identifier(name),
        "geospatial_bounds": "POLYGON ((" + ", ".join(f"{y:g} {x:g}" for y, x in corners) + "))",
        "geospatial_lat_min": float(lat.min()),
        "geospatial_lat_max": float(lat.max()),
        "geospatial_lon_min": float(lon.min()),
        "geospatial_lon_max": float(lon.max()),
        "geospatial_lat_resolution": f"{2 * half:g} degrees",
        "geospatial_lon_resolution": f"{2 * half:g} degrees",
        "time_coverage_start": f"{first}T00:00:00Z",
        "time_coverage_end": f"{bounds[-1, 0].astype('datetime64[D]')}T00:00:00Z",  # the last time stamp, a start
        "time_coverage_duration": f"P{int((last - first) / np.timedelta64(1, 'D'))}D",
        "time_coverage_resolution": DURATIONS[resolution],
        "date_created": created,
        "date_modified": created,
        "date_issued": created,
        "date_metadata_modified": created,
    }

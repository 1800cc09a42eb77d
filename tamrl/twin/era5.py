"""Files as the Climate Data Store gives them: ERA5 daily statistics, new NetCDF style, one variable and month a file."""

from datetime import date

import numpy as np
import xarray as xr

from tamrl.twin.lattice import WeatherLattice

# short name in GRIB, parameter, step type, data type, statistic, name in the file's name, units, name, CF name
VARIABLES = {
    "t2m": ("2t", 167, "instant", "an", "mean", "2m_temperature", "K", "2 metre temperature", "unknown"),
    "d2m": ("2d", 168, "instant", "an", "mean", "2m_dewpoint_temperature", "K", "2 metre dewpoint temperature", "unknown"),
    "ssrd": (
        "ssrd", 169, "accum", "fc", "sum", "surface_solar_radiation_downwards", "J m**-2",
        "Surface short-wave (solar) radiation downwards", "surface_downwelling_shortwave_flux_in_air",
    ),
    "tp": ("tp", 228, "accum", "fc", "sum", "total_precipitation", "m", "Total precipitation", "unknown"),
}  # fmt: skip

GLOBAL = {
    "GRIB_centre": "ecmf",
    "GRIB_centreDescription": "European Centre for Medium-Range Weather Forecasts",
    "GRIB_subCentre": 0,
    "Conventions": "CF-1.7",
    "institution": "European Centre for Medium-Range Weather Forecasts",
    "history": "virtual Earth of tamrl: not an ECMWF product, only in its format",
}


def era5_file_name(name: str, year: int, month: int) -> str:
    """Name of the file of variable `name` (as in ERA5: t2m, ...)."""
    return f"era5_{VARIABLES[name][5]}_daily_{VARIABLES[name][4]}_{year}_{month:02d}.nc"


def era5_dataset(name: str, values: np.ndarray, *, year: int, month: int, nodes: WeatherLattice) -> xr.Dataset:
    """Content of a file: (valid_time, latitude, longitude), and the scalar `number` and `expver` per time as coordinates.

    Parameters
    ----------
    name : key of `VARIABLES`
    values : array (day, latitude, longitude), daily means or sums in ERA5's units
    """
    first = date(year, month, 1).toordinal() - date(1970, 1, 1).toordinal()
    seconds = (first + np.arange(len(values), dtype="int64")) * 86400
    time_attributes = {
        "long_name": "time",
        "standard_name": "time",
        "units": "seconds since 1970-01-01",
        "calendar": "proleptic_gregorian",
    }
    north = {"units": "degrees_north", "standard_name": "latitude", "long_name": "latitude", "stored_direction": "decreasing"}
    east = {"units": "degrees_east", "standard_name": "longitude", "long_name": "longitude"}
    member = {"long_name": "ensemble member numerical id", "units": "1", "standard_name": "realization"}
    return xr.Dataset(
        {name: (("valid_time", "latitude", "longitude"), values, _attributes(name, nodes))},
        coords={
            "number": ((), np.int64(0), member),
            "valid_time": ("valid_time", seconds, time_attributes),
            "latitude": ("latitude", nodes.lat, north),
            "longitude": ("longitude", nodes.lon, east),
            "expver": ("valid_time", np.full(len(values), "0001", dtype=object)),
        },
        attrs=GLOBAL,
    )


def era5_encoding(name: str, shape: tuple[int, ...]) -> dict[str, dict[str, object]]:
    """Compression as in the real files: one chunk, shuffled, zlib level 1."""
    return {name: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": shape, "_FillValue": np.float32(np.nan)}}


def _attributes(name: str, nodes: WeatherLattice) -> dict[str, object]:
    short, parameter, step, data, _, _, units, long_name, cf = VARIABLES[name]
    rows, columns = nodes.shape
    return {
        "GRIB_paramId": parameter,
        "GRIB_dataType": data,
        "GRIB_numberOfPoints": rows * columns,
        "GRIB_typeOfLevel": "surface",
        "GRIB_stepUnits": 1,
        "GRIB_stepType": step,
        "GRIB_gridType": "regular_ll",
        "GRIB_NV": 0,
        "GRIB_Nx": columns,
        "GRIB_Ny": rows,
        "GRIB_cfName": cf,
        "GRIB_cfVarName": name,
        "GRIB_gridDefinitionDescription": "Latitude/Longitude Grid",
        "GRIB_iDirectionIncrementInDegrees": nodes.resolution,
        "GRIB_iScansNegatively": 0,
        "GRIB_jDirectionIncrementInDegrees": nodes.resolution,
        "GRIB_jPointsAreConsecutive": 0,
        "GRIB_jScansPositively": 0,
        "GRIB_latitudeOfFirstGridPointInDegrees": 90.0,
        "GRIB_latitudeOfLastGridPointInDegrees": -90.0,
        "GRIB_longitudeOfFirstGridPointInDegrees": 0.0,
        "GRIB_longitudeOfLastGridPointInDegrees": 360.0 - nodes.resolution,
        "GRIB_missingValue": 3.4028234663852886e38,
        "GRIB_name": long_name,
        "GRIB_shortName": short,
        "GRIB_totalNumber": 0,
        "GRIB_units": units,
        "GRIB_surface": 0.0,
        "long_name": long_name,
        "units": units,
        "standard_name": cf,
    }

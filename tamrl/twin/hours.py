"""Hours whose mean or sum is a given daily value, and two formats of hours: GRIB and the public Zarr store of ERA5."""

from datetime import date
from pathlib import Path

import numpy as np
import zarr

from tamrl.arrays import Floats
from tamrl.twin.era5 import VARIABLES
from tamrl.twin.lattice import WeatherLattice
from tamrl.twin.world import world_array

SWING = 4.0
"""Amplitude of a day's temperatures, K."""

ARCO = {
    "t2m": "2m_temperature",
    "d2m": "2m_dewpoint_temperature",
    "ssrd": "surface_solar_radiation_downwards",
    "tp": "total_precipitation",
}
"""Names of the variables in the Zarr store."""

STORE = "arco.zarr"


def hours(name: str, values: Floats) -> Floats:
    """Hourly values (24 * day, lat, lon), float32, whose daily means, or sums of amounts, are `values` to the last bit.

    One hour takes up the rounding of the others; sums must be made in float64. Amounts fall from 06 to 18 UTC.
    """
    k = np.arange(24)
    daily = values.astype("float64")[:, None]
    if VARIABLES[name][4] == "sum":
        weights = np.maximum(np.sin(np.pi * (k - 5.5) / 12), 0)
        hourly, rest = daily * (weights / weights.sum())[None, :, None, None], 12
        total = daily[:, 0]
    else:
        hourly, rest = daily + SWING * np.cos(2 * np.pi * (k - 14) / 24)[None, :, None, None], 23
        total = 24 * daily[:, 0]
    hourly = hourly.astype("float32")
    others = hourly.astype("float64").sum(1) - hourly[:, rest]
    hourly[:, rest] = total - others
    return np.asarray(hourly.reshape(-1, *values.shape[1:]))


def ends(name: str, year: int, month: int, count: int) -> np.ndarray:
    """Times (datetime64[h]) of the first `count` hours of a month: an amount is given at the end of its hour.

    Parameters
    ----------
    name : of the variable
    year, month : of the hours
    count : number of hours
    """
    first = np.datetime64(f"{year}-{month:02d}", "h") + (1 if VARIABLES[name][4] == "sum" else 0)
    return first + np.arange(count)


def grib(name: str, values: np.ndarray, *, times: np.ndarray, nodes: WeatherLattice) -> bytes:
    """Hours (time, lat, lon) as GRIB messages of edition 1, as the Climate Data Store gives them, packed in 24 bits.

    Parameters
    ----------
    name : of the variable
    values : hours (time, lat, lon) in its units
    times : of the hours, datetime64[h]
    nodes : of the values
    """
    return b"".join(_message(name, field, time, nodes) for field, time in zip(values, times, strict=True))


def _message(name: str, field: np.ndarray, end: np.datetime64, nodes: WeatherLattice) -> bytes:
    total = VARIABLES[name][4] == "sum"
    start = (end - np.timedelta64(1 if total else 0, "h")).astype("datetime64[h]").item()
    century, year = (start.year - 1) // 100 + 1, (start.year - 1) % 100 + 1
    product = bytes([128, 98, 145, 255, 0x80, VARIABLES[name][1], 1, 0, 0, year, start.month, start.day, start.hour, 0, 1])
    product += bytes([0, 1, 4] if total else [0, 0, 0]) + bytes([0, 0, 0, century, 0, 0, 0]) + bytes(12)
    product += bytes([1, 1, 9 if total else 2]) + (1025).to_bytes(2, "big") + b"0001" + bytes(3)  # ECMWF's local section
    east = 360.0 - nodes.resolution
    corners = b"".join(_signed(round(1000 * v), 3) for v in (90.0, 0.0)) + b"\x80"
    corners += b"".join(_signed(round(1000 * v), 3) for v in (-90.0, east))
    step = round(1000 * nodes.resolution).to_bytes(2, "big")
    grid = bytes([0, 255, 0]) + b"".join(n.to_bytes(2, "big") for n in nodes.shape[::-1]) + corners + step + step + bytes(5)
    body = b"".join((len(part) + 3).to_bytes(3, "big") + part for part in (product, grid, _packed(field))) + b"7777"
    return b"GRIB" + (len(body) + 8).to_bytes(3, "big") + b"\x01" + body


def _packed(field: np.ndarray) -> bytes:
    """Section 4 without its length: simple packing, the reference a whole number at most the smallest value."""
    low = np.floor(float(field.min()))
    spread = max(float(field.max()) - low, 2.0**-60)
    scale = int(np.ceil(np.log2(spread / (2**24 - 1))))
    numbers = np.round((field.astype("float64") - low) / 2.0**scale).astype(">u4")
    octets: bytes = numbers.view("uint8").reshape(-1, 4)[:, 1:].tobytes()
    reference: bytes = bytes([(0x80 if low < 0 else 0) | (64 + 6)]) + round(abs(low)).to_bytes(3, "big")  # IBM floating point
    return bytes([0]) + _signed(scale, 2) + reference + bytes([24]) + octets


def _signed(value: int, octets: int) -> bytes:
    return (abs(value) | (1 << (8 * octets - 1) if value < 0 else 0)).to_bytes(octets, "big")


def create_store(path: Path, *, years: list[int], nodes: WeatherLattice) -> None:
    """An empty store like ARCO-ERA5: Zarr 2, consolidated, hours since 1900 from the first hour of `years` to the one after.

    The original holds one hour in a chunk; 24 hours make fewer files of a small world.
    """
    first, end = (np.datetime64(str(y), "h") for y in (years[0], years[-1] + 1))
    time = (np.arange(first, end + 1) - np.datetime64("1900-01-01", "h")).astype("int64")
    root = zarr.open_group(path, mode="w", zarr_format=2)
    last = str(date(years[-1], 12, 31))
    root.attrs.update({"valid_time_start": f"{years[0]}-01-01", "valid_time_stop": last, "valid_time_stop_era5t": str(end)[:10]})
    axes = {
        "time": (time, {"units": "hours since 1900-01-01", "calendar": "proleptic_gregorian"}),
        "latitude": (nodes.lat.astype("float32"), {"units": "degrees_north", "long_name": "latitude"}),
        "longitude": (nodes.lon.astype("float32"), {"units": "degrees_east", "long_name": "longitude"}),
    }
    for name, (values, attrs) in axes.items():
        array = root.create_array(name, data=values, chunks=values.shape, fill_value=None)
        array.attrs.update({"_ARRAY_DIMENSIONS": [name], **attrs})
    for name, long in ARCO.items():
        shape, chunks = (time.size, *nodes.shape), (24, *nodes.shape)
        array = root.create_array(long, shape=shape, chunks=chunks, dtype="float32", fill_value=np.nan)
        array.attrs.update({"_ARRAY_DIMENSIONS": list(axes), "short_name": name, "units": VARIABLES[name][6]})
    zarr.consolidate_metadata(path, zarr_format=2)


def fill_store(path: Path, name: str, values: np.ndarray, *, times: np.ndarray) -> None:
    """Write consecutive hours (time, lat, lon) into the store.

    Parameters
    ----------
    path : of the store
    name : of the variable
    values : hours (time, lat, lon) in its units
    times : of the hours, datetime64[h]
    """
    root = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
    first = int(np.asarray(world_array(root, "time")[:1])[0])
    start = int((times[0] - np.datetime64("1900-01-01", "h")).astype("int64")) - first
    world_array(root, ARCO[name])[start : start + len(values)] = values

"""Rates of the cube: maps to pixel series, series back, and what reading tiles out of daily maps would cost."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from tamrl import stores
from tamrl.calendar import TimeAxis
from tamrl.drivers import derived
from tamrl.drivers.cube import plan as cube
from tamrl.drivers.cube import write as cube_write
from tamrl.drivers.cube.fields import FieldMaker, LandNodes
from tamrl.grid import Grid
from tests.benchmarks.rows import fastest, row

DAYS, GRID = 365, Grid(0.5)
MB = 1e6


def run() -> list[dict]:
    """Rates of decoded float32 in one process; a year of one variable on 0.5°."""
    logging.getLogger("tamrl").setLevel(logging.ERROR)
    nodes = xr.DataArray(
        _weather(),
        dims=("time", "lat", "lon"),
        coords={"lat": np.linspace(90, -90, GRID.shape[0] + 1), "lon": GRID.lon - GRID.resolution / 2},
        name="air_temperature",
        attrs={"grid": "nodes", "source": "bench"},
    )
    # continents as wide as those of the Earth, with coasts inside chunks: a third of the globe, as there
    land = np.broadcast_to(((np.arange(GRID.shape[1]) + 30) % 240 < 80)[None], GRID.shape).copy()
    with tempfile.TemporaryDirectory() as folder:
        return _rates(Path(folder), nodes, land)


def _weather() -> np.ndarray:
    """Temperature on nodes with the roughness of ERA5, which comes in steps of about 1/512 K."""
    rng, shape = np.random.default_rng(0), (DAYS, GRID.shape[0] + 1, GRID.shape[1])
    smooth = 280 + 20 * np.sin(np.linspace(0, 7, shape[2])) * np.cos(np.linspace(0, 3, shape[1]))[:, None]
    rough = rng.standard_normal(shape, dtype="float32")
    rough += smooth.astype("float32")
    rough *= 512
    return np.round(rough, out=rough) / np.float32(512)


def _rates(folder: Path, nodes: xr.DataArray, land: np.ndarray) -> list[dict]:
    size = DAYS * GRID.shape[0] * GRID.shape[1] * 4 / MB
    axis = derived.Coordinates(TimeAxis(pd.date_range("2011-01-01", periods=DAYS).values, "day"), GRID.lat)
    maker = FieldMaker(GRID, axis, {"air_temperature": nodes.chunk({"time": 31})}, LandNodes(lambda: land))

    def write() -> None:
        zarr.open_group(folder / "cube", mode="w", zarr_format=3)
        field = maker.field("air_temperature")
        cube_write.VariableWriter(folder / "cube", "air_temperature", field, axis.time, GRID, land).write()

    rechunk = size / fastest(write)
    maps = zarr.create_array(
        folder / "maps", shape=(DAYS, *GRID.shape), chunks=(1, *GRID.shape), dtype="float32", compressors=stores.compressors()
    )
    series = zarr.open_array(folder / "cube/air_temperature", mode="r")
    maps[:] = series[:]
    tile = (slice(None), slice(0, cube.CHUNK[1]), slice(0, cube.CHUNK[2]))
    read, useful = size / fastest(lambda: series[:]), DAYS * cube.CHUNK[1] * cube.CHUNK[2] * 4 / MB
    gain = fastest(lambda: maps[tile]) / fastest(lambda: series[tile])
    return [
        row("maps to pixel series (regrid, check, compress, write)", rechunk, "MB/s", 400),
        row("reading pixel series", read, "MB/s", 400),
        row(f"a tile ({useful:.1f} MB) from series over from daily maps", gain, "times faster", 10),
    ]

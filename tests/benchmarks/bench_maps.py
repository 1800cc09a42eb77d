"""How fast maps are written: decoded MB/s of NetCDF, rounded and compressed, one file a core as the workflow writes them.

Times are seconds of the processor, so that other programs on the machine do not count.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from tamrl.grid import Grid
from tamrl.maps import cf, land, netcdf, rounding
from tamrl.maps.frame import static_fields
from tests.benchmarks.rows import row

STEPS, BITS = 40, 13
CORES = os.cpu_count() or 1


def run() -> list[dict]:
    """Rate of a slab of a daily map at 0.5 degrees with and without rounding, and how much smaller the file is."""
    grid = Grid(0.5)
    exact, rounded = (_write(grid, bits) for bits in (None, BITS))
    return [
        row("writing NetCDF, every bit, one core", exact[0], "MB/s", None),
        row(f"writing NetCDF, {BITS} bits, one core", rounded[0], "MB/s", None),
        row(f"writing NetCDF, {CORES} files at once", rounded[0] * CORES, "MB/s", 300),
        row("file with every bit over rounded file", exact[1] / rounded[1], "times", 1.2),
    ]


def _write(grid: Grid, bits: int | None) -> tuple[float, int]:
    """Decoded MB per processor second, and the size of the file."""
    fields, frame = _slab(grid)
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "map.nc", time.process_time()
        slabs = [(slice(0, STEPS), {"gpp": rounding.significant(fields["gpp"].values, bits)})]
        netcdf.write_netcdf(path, frame=frame, fields=fields, slabs=slabs, compression=1)
        return fields["gpp"].nbytes / 1e6 / (time.process_time() - start), path.stat().st_size


def _slab(grid: Grid) -> tuple[xr.Dataset, xr.Dataset]:
    """A flux that is smooth in space and rough in the last bits, over land that is three tenths of the globe."""
    random = np.random.default_rng(0)
    smooth = gaussian_filter(random.normal(size=grid.shape), 30, mode="wrap")
    rough = 5 + 60 * gaussian_filter(random.normal(size=grid.shape), 5) + random.normal(0, 0.3, grid.shape)
    dry = smooth > np.quantile(smooth, 0.7)
    values = np.stack([np.where(dry, rough * (1 + 0.01 * k), np.nan) for k in range(STEPS)]).astype("float32")
    days = (np.datetime64("2012-01-01") + np.arange(STEPS)).astype("datetime64[ns]")
    area, fraction = np.broadcast_to(grid.area(), grid.shape), dry.astype(float)
    known = land.Land(grid.lat, grid.lon, area, fraction, np.ones(grid.shape), None, (), land.WHOLE)
    frame = static_fields(known, cf.FileAxis(days, "day"))
    coords = {"time": days, "lat": grid.lat, "lon": grid.lon}
    return xr.Dataset({"gpp": (("time", "lat", "lon"), values)}, coords=coords), frame

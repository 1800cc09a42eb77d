"""Land and sea from the GLOBE elevation model (package global-land-mask, doi 10.7289/V52R3PMS)."""

from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

import numpy as np

from tamrl.errors import InputError

MASK_ROWS = 21600


def mask_file() -> Path:
    """Where the installed package global-land-mask keeps its mask; the package is not imported, as that loads 1 GB."""
    spec = find_spec("global_land_mask")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the package global-land-mask is not installed", todo="install requirements.lock.txt")
    return Path(spec.submodule_search_locations[0]) / "globe_combined_mask_compressed.npz"


def land_share(handle: BinaryIO, resolution: float) -> np.ndarray:
    """Return the share of land (lat, lon), float32, in pixels of `resolution` degrees, read as a stream (30 MB, not 1 GB).

    `handle` is the mask of global-land-mask: a zip with `mask.npy`, bool (21600, 43200), true at sea, north-up. Raises
    `InputError` for another file.
    """
    rows = round(180 / resolution)
    edges = np.round(np.arange(rows + 1) * (MASK_ROWS / rows)).astype(int)
    columns = np.round(np.arange(2 * rows) * (MASK_ROWS / rows)).astype(int)
    widths = np.diff(np.append(columns, 2 * MASK_ROWS))
    out = np.empty((rows, 2 * rows), "float32")
    with ZipFile(handle) as archive, archive.open("mask.npy") as stream:
        np.lib.format.read_magic(stream)
        shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
        if shape != (MASK_ROWS, 2 * MASK_ROWS) or fortran or kind != np.dtype(bool):
            raise InputError("the land mask has another shape", where=mask_file(), found=(shape, kind))
        for row in range(rows):
            height = edges[row + 1] - edges[row]
            sea = np.frombuffer(stream.read(int(height) * 2 * MASK_ROWS), "uint8").reshape(height, -1).sum(0, dtype="uint16")
            out[row] = 1 - np.add.reduceat(sea, columns, dtype="int64") / (height * widths)
    return out

"""Layers of HDF4 files as NASA delivers them (HDF-EOS 2), numbers as stored."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr
from pyhdf.SD import SD, SDC

from tamrl.errors import InputError
from tamrl.intake import border, whole

_LOCK = threading.Lock()
"""The HDF4 library stands no two threads at once."""

_CORNERS = {"UpperLeftPointMtrs": (-180_000_000.0, 90_000_000.0), "LowerRightMtrs": (180_000_000.0, -90_000_000.0)}
"""Corners of a global grid in packed degrees, minutes and seconds."""


@contextmanager
def _opened(path: Path, where: object) -> Iterator[SD]:
    """A file of its full length, for one thread at a time."""
    whole.check(path)
    with border.reading("the HDF4 file cannot be read", where=where, todo=whole.INSIDE), _LOCK:
        file = SD(str(path), SDC.READ)
        try:
            yield file
        finally:
            file.end()


def stored(path: Path, name: str) -> xr.DataArray:
    """A layer of a file with its attributes, dims as in the file; raises `InputError` if it is not there or not readable."""
    with _opened(path, f"{path} ({name})") as file:
        if name not in file.datasets():
            raise InputError(f"no layer {name!r}", where=path, found=list(file.datasets()))
        layer = file.select(name)
        values, attrs = layer[:], layer.attributes()
        dims = [str(d).split(":")[0] for d in layer.dimensions(full=1)]
    return xr.DataArray(np.asarray(values), dims=dims, attrs=attrs, name=name)


def structure(path: Path) -> str:
    """The text `StructMetadata.0`, which says where a grid lies; raises `InputError` if there is none."""
    with _opened(path, path) as file:
        found = file.attributes()
    if "StructMetadata.0" not in found:
        todo = "give the file as NASA delivers it (HDF-EOS 2)"
        raise InputError("the HDF4 file does not say where its grid lies", where=path, found=sorted(found), todo=todo)
    return str(found["StructMetadata.0"])


def require_global(path: Path) -> None:
    """Refuse a grid whose corners are not those of the globe from 90° N, 180° W (`InputError`)."""
    text = structure(path)
    for key, expected in _CORNERS.items():
        found = re.search(rf"{key}=\(([-+.\deE]+),([-+.\deE]+)\)", text)
        if not found or not np.allclose([float(v) for v in found.groups()], expected):
            raise InputError("the grid must cover the globe, north-up from -180°", where=path, found=found and found.group(0))

"""Layers of HDF4 files as NASA delivers them (HDF-EOS 2), numbers as stored."""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl.errors import InputError
from tamrl.intake import isolated

_ASKED = "the HDF4 file cannot be read"

_CORNERS = {"UpperLeftPointMtrs": (-180_000_000.0, 90_000_000.0), "LowerRightMtrs": (180_000_000.0, -90_000_000.0)}
"""Corners of a global grid in packed degrees, minutes and seconds."""


def hdf4_layer(path: Path, name: str) -> xr.DataArray:
    """A layer of a file with its attributes, dims as in the file; raises `InputError` if it is missing or unreadable."""
    layer = isolated.ask_helper("read_hdf4_layer", path, asked=_ASKED, where=f"{path} ({name})", name=name)
    if "values" not in layer:
        raise InputError(f"no layer {name!r}", where=path, found=layer["names"])
    return xr.DataArray(layer["values"], dims=layer["dims"], attrs=layer["attrs"], name=name)


def structure(path: Path) -> str:
    """The text `StructMetadata.0`, which says where a grid lies; raises `InputError` if there is none."""
    attributes = isolated.ask_helper("read_hdf4_attributes", path, asked=_ASKED, where=path)
    if "StructMetadata.0" not in attributes:
        todo = "give the file as NASA delivers it (HDF-EOS 2)"
        raise InputError("the HDF4 file does not say where its grid lies", where=path, found=sorted(attributes), todo=todo)
    return str(attributes["StructMetadata.0"])


def require_global(path: Path) -> None:
    """Refuse a grid whose corners are not those of the globe from 90° N, 180° W (`InputError`)."""
    text = structure(path)
    for key, expected in _CORNERS.items():
        corner = re.search(rf"{key}=\(([-+.\deE]+),([-+.\deE]+)\)", text)
        if not corner or not np.allclose([float(v) for v in corner.groups()], expected):
            raise InputError("the grid must cover the globe, north-up from -180°", where=path, found=corner and corner.group(0))

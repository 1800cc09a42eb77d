"""Open foreign GeoTIFFs, and no other format, after comparing their declared size with that of the file."""

from pathlib import Path

import numpy as np
import rasterio

from tamrl.errors import InputError
from tamrl.intake import completeness


def open_geotiff(path: str | Path) -> rasterio.DatasetReader:
    """Open a GeoTIFF; raise `InputError` if it declares too many pixels. Other formats are refused: some name files to read."""
    file = rasterio.open(path, driver="GTiff")
    size = file.width * file.height * max(np.dtype(kind).itemsize for kind in file.dtypes)
    if size > (most := completeness.most_bytes(Path(path))):
        file.close()
        declared = f"{file.height} x {file.width} pixels, {size:,} bytes; at most {most:,} fit a file of its size"
        raise InputError("the map is refused: it declares too many pixels", where=path, found=declared, todo="fetch it again")
    return file

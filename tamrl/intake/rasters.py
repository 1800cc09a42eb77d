"""GeoTIFFs from elsewhere, opened as that and nothing else, after their size was compared with the file's."""

from pathlib import Path

import numpy as np
import rasterio

from tamrl.errors import InputError
from tamrl.intake import completeness


def open_geotiff(path: str | Path) -> rasterio.DatasetReader:
    """An open GeoTIFF and no other format, of which some name files to be read; `InputError` if it declares too much."""
    file = rasterio.open(path, driver="GTiff")
    size = file.width * file.height * max(np.dtype(kind).itemsize for kind in file.dtypes)
    if size > (most := completeness.most_bytes(Path(path))):
        file.close()
        declared = f"{file.height} x {file.width} pixels, {size:,} bytes; at most {most:,} fit a file of its size"
        raise InputError("the map is refused: it declares too many pixels", where=path, found=declared, todo="fetch it again")
    return file

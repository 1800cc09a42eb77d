"""Vegetation indices as MODIS gives them on its climate modelling grid: 16-day composites like MOD13C1, collection 6.1.

Each pixel has the indices of its class, with patches and noise; under lasting cloud the composite is too low and
flagged, snow is flagged, water is missing (Didan 2021, doi 10.5067/MODIS/MOD13C1.061).
"""

from datetime import date
from pathlib import Path

import numpy as np
import xarray as xr
from pyhdf.SD import SD, SDC

from tamrl.grid import Grid

EVI, NDVI, RELIABILITY = (f"CMG 0.05 Deg 16 days {n}" for n in ("EVI", "NDVI", "pixel reliability"))
FILL, SCALE = -3000, 0.0001
GOOD, MARGINAL, SNOW, CLOUD = range(4)

INDEX = {"units": "1", "scale_factor": SCALE, "add_offset": 0.0, "valid_range": np.array([-2000, 10000], "int16")}


def modis_file_name(start: date) -> str:
    """Name of the composite that starts on this day, e.g. `MOD13C1.A2010001.061.nc`."""
    return f"MOD13C1.A{start:%Y%j}.061.nc"


def texture(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How much greener or browner each pixel always is than its class in the cell: a factor about 1, float32."""
    return 1 + np.float32(0.06) * rng.standard_normal(shape, dtype="float32")


def composite(
    seen: dict[str, np.ndarray],
    *,
    tiles: np.ndarray,
    cell_of_tile: np.ndarray,
    texture: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Indices and reliability of the pixels: the variables of a file, int16, int16 and int8 (lat, lon).

    Parameters
    ----------
    seen : means of the window: evi, ndvi and snow (tile,), overcast (cell,)
    tiles : int array (lat, lon), the tile of each pixel, -1 on water
    cell_of_tile : int array (tile,)
    texture : array (lat, lon)
    """
    water = tiles < 0
    chance, noise = rng.random(tiles.shape, dtype="float32"), rng.standard_normal(tiles.shape, dtype="float32")
    overcast = np.append(seen["overcast"][cell_of_tile], 0).astype("float32")
    # 16 looks in a window: a pixel stays cloudy only where hardly any of them is clear
    cloudy = chance < np.minimum(0.02 + 1.6 * overcast**3, 0.6)[tiles]
    marginal = ~cloudy & (chance > 0.9)
    loss = np.where(cloudy, 0.35 + 0.6 * (chance * 97 % 1), np.where(marginal, 0.95, 1)).astype("float32")
    layers = {}
    for name, key, spread in ((EVI, "evi", 0.012), (NDVI, "ndvi", 0.015)):
        values = np.append(seen[key], 0).astype("float32")[tiles] * texture * loss + np.float32(spread) * noise
        stored = np.clip(np.round(values / SCALE), -2000, 10000).astype("int16")
        layers[name] = np.where(water, np.int16(FILL), stored)
    flags = np.where(cloudy, CLOUD, np.where(np.append(seen["snow"], 0)[tiles] > 0.5, SNOW, np.where(marginal, MARGINAL, GOOD)))
    return {**layers, RELIABILITY: np.where(water, -1, flags).astype("int8")}


def modis_dataset(values: dict[str, np.ndarray], *, start: date, end: date, pixels: Grid) -> xr.Dataset:
    """One file's content, (lat, lon) north-up, with the window in the global attributes.

    Parameters
    ----------
    values : layers (lat, lon) by name, physical units
    start, end : first and last day of the composite
    pixels : of the layers
    """
    attributes = {
        **{name: {"long_name": name, "_FillValue": np.int16(FILL), **INDEX} for name in (EVI, NDVI)},
        RELIABILITY: {
            "long_name": RELIABILITY,
            "_FillValue": np.int8(-1),
            "valid_range": np.array([0, 4], "int8"),
            "flag_values": np.array([0, 1, 2, 3], "int8"),
            "flag_meanings": "good_data marginal_data snow_ice cloudy",
        },
    }
    north = {"units": "degrees_north", "standard_name": "latitude"}
    east = {"units": "degrees_east", "standard_name": "longitude"}
    return xr.Dataset(
        {n: (("lat", "lon"), v, attributes[n]) for n, v in values.items()},
        coords={"lat": ("lat", pixels.lat, north), "lon": ("lon", pixels.lon, east)},
        attrs={
            "RangeBeginningDate": start.isoformat(),
            "RangeEndingDate": end.isoformat(),
            "ShortName": "MOD13C1",
            "VersionID": "061",
            "history": "virtual Earth of tamrl: not a NASA product, only in its format",
        },
    )


def write_hdf4(path: Path, values: dict[str, np.ndarray], *, start: date, end: date) -> None:
    """Write one file as NASA does: HDF4 with the attributes of HDF-EOS, no coordinates, a scale factor that divides.

    Parameters
    ----------
    path : of the file
    values : layers (lat, lon) by name, physical units
    start, end : first and last day of the composite
    """
    rows, columns = values[EVI].shape
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    try:
        file.attr("StructMetadata.0").set(SDC.CHAR8, _structure(rows, columns))
        file.attr("CoreMetadata.0").set(SDC.CHAR8, f"RANGEBEGINNINGDATE={start} RANGEENDINGDATE={end} SHORTNAME=MOD13C1\n")
        for name, content in values.items():
            small = content.dtype == np.int8
            layer = file.create(name, SDC.INT8 if small else SDC.INT16, (rows, columns))
            layer.dim(0).setname("YDim:MODIS_Grid_16Day_VI_CMG")
            layer.dim(1).setname("XDim:MODIS_Grid_16Day_VI_CMG")
            layer.setcompress(SDC.COMP_DEFLATE, 1)
            kind = SDC.INT8 if small else SDC.INT16
            layer.attr("valid_range").set(kind, [0, 4] if small else [-2000, 10000])
            layer.attr("_FillValue").set(kind, -1 if small else FILL)
            if not small:
                layer.attr("scale_factor").set(SDC.FLOAT64, 1 / SCALE)
                layer.attr("add_offset").set(SDC.FLOAT64, 0.0)
            layer[:] = content
            layer.endaccess()
    finally:
        file.end()


def _structure(rows: int, columns: int) -> str:
    corners = "UpperLeftPointMtrs=(-180000000.000000,90000000.000000)\n\t\tLowerRightMtrs=(180000000.000000,-90000000.000000)"
    grid = f'GridName="MODIS_Grid_16Day_VI_CMG"\n\t\tXDim={columns}\n\t\tYDim={rows}\n\t\t{corners}\n\t\tProjection=GCTP_GEO'
    return f"GROUP=GridStructure\n\tGROUP=GRID_1\n\t\t{grid}\n\tEND_GROUP=GRID_1\nEND_GROUP=GridStructure\nEND\n"

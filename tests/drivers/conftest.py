"""A tiny world in the providers' formats: written here, read by the sources, so that every number is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice

DIMS = ("valid_time", "latitude", "longitude")
ENCODING = {"zlib": True, "complevel": 1, "shuffle": True}


def era5(name, values, times, *, resolution=None, lat=None, lon=None, units="K", expver=1, step_type="instant"):
    """A dataset as the new Climate Data Store writes it; by default on global nodes."""
    lat = np.arange(90, -90 - 1e-9, -resolution) if lat is None else lat
    lon = np.arange(0, 360 - 1e-9, resolution) if lon is None else lon
    times = pd.DatetimeIndex(times)
    version = np.broadcast_to(expver, times.shape)
    ds = xr.Dataset(
        {name: (DIMS, np.asarray(values, "float32"), {"units": units, "GRIB_stepType": step_type})},
        coords={
            "valid_time": times,
            "latitude": np.asarray(lat, "float64"),
            "longitude": np.asarray(lon, "float64"),
            "number": 0,
            "expver": ("valid_time", np.array([f"{v:04d}" for v in version])),
        },
    )
    return ds


def save(ds, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.to_netcdf(path, encoding=dict.fromkeys(ds.data_vars, ENCODING))


def weather(name, times, *, resolution):
    """Plausible daily fields on global nodes, in ERA5's units."""
    lat = np.arange(90, -90 - 1e-9, -resolution)
    lon = np.arange(0, 360 - 1e-9, resolution)
    day = pd.DatetimeIndex(times).day_of_year.values[:, None, None]
    wave = np.cos(np.deg2rad(lon))[None, None] * np.cos(2 * np.pi * day / 30)
    warm = 300 - 45 * np.sin(np.deg2rad(lat))[None, :, None] ** 2 + 5 * wave
    return {
        "t2m": warm,
        "d2m": warm - 8 + 5 * wave,
        "ssrd": 86400 * (200 + 100 * wave),
        "tp": 0.004 * (1 + wave),
    }[name] + np.zeros((len(times), lat.size, lon.size))


def write_era5(folder, *, resolution, years):
    for name, units in {"t2m": "K", "d2m": "K", "ssrd": "J m**-2", "tp": "m"}.items():
        for month in pd.period_range(f"{years[0]}-01", f"{years[-1]}-12", freq="M"):
            times = pd.date_range(month.start_time, month.end_time.normalize(), freq="D")
            ds = era5(name, weather(name, times, resolution=resolution), times, resolution=resolution, units=units)
            save(ds, folder / f"era5_{name}_{month.year}_{month.month:02d}.nc")


def composite(ndvi, evi, reliability):
    """A MOD13C1-like dataset from NDVI and EVI as numbers (missing = NaN) and reliability codes, all (lat, lon), north-up."""
    rows, columns = reliability.shape
    size = 180 / rows
    packed = {"scale_factor": 0.0001, "_FillValue": np.int16(-3000), "valid_range": np.array([-2000, 10000], "int16")}
    layers = {}
    for name, values in (("NDVI", ndvi), ("EVI", evi), ("NIR reflectance", ndvi * 0 + 0.3)):
        stored = np.where(np.isnan(values), -3000, np.round(np.nan_to_num(values) * 10000)).astype("int16")
        layers[f"CMG 0.05 Deg 16 days {name}"] = (("lat", "lon"), stored, packed)
    layers["CMG 0.05 Deg 16 days pixel reliability"] = (("lat", "lon"), reliability.astype("int8"), {"_FillValue": np.int8(-1)})
    coords = {"lat": 90 - (np.arange(rows) + 0.5) * size, "lon": -180 + (np.arange(columns) + 0.5) * size}
    return xr.Dataset(layers, coords=coords)


def greenness(start, shape):
    lat = 90 - (np.arange(shape[0]) + 0.5) * 180 / shape[0]
    season = np.cos(2 * np.pi * (start.day_of_year - 200) / 365) * np.sign(lat)
    return np.broadcast_to((0.5 + 0.2 * season)[:, None], shape)


def write_modis(folder, *, pixel, years, seed=1):
    folder.mkdir(parents=True, exist_ok=True)
    rng, shape = np.random.default_rng(seed), (round(180 / pixel), round(360 / pixel))
    for year in years:
        for day in range(1, 366, 16):
            start = pd.Timestamp(year, 1, 1) + pd.Timedelta(days=day - 1)
            reliability = rng.choice([0, 1, 3], shape, p=[0.7, 0.2, 0.1])
            green = greenness(start, shape)
            ndvi = np.where(reliability == 3, green - 0.3, green)
            ds = composite(ndvi, ndvi * 0.6, reliability)
            save(ds, folder / f"MOD13C1.A{year}{day:03d}.061.nc")


def nadir(reflectance, quality, snow):
    """An MCD43C4-like dataset from reflectances by band number, BRDF_Quality and Percent_Snow (lat, lon), north-up."""
    rows, columns = quality.shape
    size = 180 / rows
    packed = {"scale_factor": 0.0001, "_FillValue": np.int16(32767), "valid_range": np.array([0, 32766], "int16")}
    layers = {"BRDF_Quality": (("lat", "lon"), quality.astype("uint8")), "Percent_Snow": (("lat", "lon"), snow.astype("uint8"))}
    for band, values in reflectance.items():
        stored = np.where(np.isnan(values), 32767, np.round(np.nan_to_num(values) * 10000)).astype("int16")
        layers[f"Nadir_Reflectance_Band{band}"] = (("lat", "lon"), stored, packed)
    coords = {"lat": 90 - (np.arange(rows) + 0.5) * size, "lon": -180 + (np.arange(columns) + 0.5) * size}
    return xr.Dataset(layers, coords=coords)


def write_nadir(folder, *, pixel, year):
    shape = (round(180 / pixel), round(360 / pixel))
    whole = np.ones(shape)
    bands = {1: 0.05 * whole, 2: 0.35 * whole, 3: 0.03 * whole, 6: 0.2 * whole}
    for day in range(1, 366, 8):
        save(nadir(bands, 0 * whole, 0 * whole), folder / f"MCD43C4.A{year}{day:03d}.061.nc")


def write_arco(path, *, resolution, years):
    """Hours that are the same all day, in the public store's format."""
    nodes = WeatherLattice(resolution)
    hours.create_store(path, years=years, nodes=nodes)
    for month in pd.period_range(f"{years[0]}-01", f"{years[-1]}-12", freq="M"):
        days = pd.date_range(month.start_time, month.end_time.normalize(), freq="D")
        for name in hours.ARCO:
            values = hours.hours(name, weather(name, days, resolution=resolution).astype("float32"))
            hours.fill_store(path, name, values, times=hours.ends(name, month.year, month.month, len(values)))


def write_hub(path, *, resolution, years, late=False, **attributes):
    """Days of land in a store like that of the Earth Data Hub: Zarr 3, no chunks of sea, the south cut off.

    With `late` an amount stands at the midnight that ends its day. `attributes` are those of amounts.
    """
    days = pd.date_range(f"{years[0]}-01-01", f"{years[-1] + 1}-01-31", freq="D")
    lat, lon = np.arange(90, -60 - 1e-9, -resolution), np.arange(0, 360 - 1e-9, resolution)
    sea = np.broadcast_to((lon >= 180) & (lon < 270), (lat.size, lon.size))
    fields = {}
    for name, units in {"t2m": "K", "d2m": "K", "ssrd": "J m**-2", "tp": "m"}.items():
        amount = name in ("ssrd", "tp")
        stamped = days - pd.Timedelta(days=1) if late and amount else days
        values = np.where(sea, np.nan, weather(name, stamped, resolution=resolution)[:, : lat.size]).astype("float32")
        more = (attributes or {"cell_methods": "valid_time: sum"}) if amount else {"GRIB_stepType": "instant"}
        fields[name] = (DIMS, values, {"units": units, "long_name": name, **more})
    ds = xr.Dataset(fields, coords={"valid_time": days, "latitude": lat, "longitude": lon})
    chunks = {"chunks": (75, lat.size, round(90 / resolution)), "_FillValue": np.float32("nan"), "fill_value": np.float32("nan")}
    ds.to_zarr(path, zarr_format=3, encoding={n: {**chunks, "write_empty_chunks": False} for n in fields}, mode="w")


def write_tif(path, values, nodata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 180 / values.shape[0]
    transform = rasterio.Affine(size, 0, -180, 0, -size, 90)
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, nodata=nodata, compress="deflate", **profile) as file:
        file.write(values, 1)


def continents(shape):
    """Land cover codes: a block of grassland (10) with a strip of forest (1) and an ice cap (15), the rest water (0)."""
    rows, columns = shape
    codes = np.zeros(shape, "uint8")
    codes[rows // 8 : 7 * rows // 8, columns // 4 : 3 * columns // 4] = 10
    codes[rows // 4 : rows // 2, columns // 4 : columns // 2] = 1
    codes[: rows // 8] = 15
    return codes


def write_static(folder, *, pixel, resolution):
    codes = continents((round(180 / pixel), round(360 / pixel)))
    write_tif(folder / "land_cover.tif", codes)
    lat = 90 - (np.arange(codes.shape[0]) + 0.5) * pixel
    groups = np.digitize(np.abs(lat), [20, 30, 50, 70]) + 1
    write_tif(folder / "koppen.tif", np.where(codes > 0, groups[:, None], 0).astype("uint8"))
    shape = (round(180 / resolution), round(360 / resolution))
    write_tif(folder / "elevation.tif", np.full(shape, 123.0, "float32"), nodata=-9999)


@pytest.fixture(scope="session")
def write():
    """The writers, for tests that make files of their own."""
    return SimpleNamespace(
        era5=era5, save=save, weather=weather, write_era5=write_era5, composite=composite, write_modis=write_modis,
        write_tif=write_tif, write_static=write_static, greenness=greenness, nadir=nadir, write_arco=write_arco,
        write_hub=write_hub,
    )  # fmt: skip


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Folders of a world of 10° and the year 2011."""
    folder = tmp_path_factory.mktemp("world")
    write_era5(folder / "era5", resolution=10, years=[2011])
    write_modis(folder / "modis", pixel=5, years=[2011])
    write_static(folder / "static", pixel=5, resolution=10)
    write_nadir(folder / "mcd43c4", pixel=5, year=2011)
    write_arco(folder / "arco.zarr", resolution=10, years=[2011])
    write_hub(folder / "hub.zarr", resolution=10, years=[2011])
    return folder


@pytest.fixture
def drivers(world):
    """The configuration's section `drivers` for that world."""
    return {
        "sources": ["cds_era5", "modis", "static"],
        "variables": {
            "dynamic": [
                "air_temperature", "vapour_pressure_deficit", "shortwave_radiation", "precipitation", "evi", "ndvi",
                "potential_radiation", "day_length",
            ],
            "static": ["igbp_fraction", "koppen_fraction", "elevation"],
        },
        "max_distance_km": 150.0,
        "cds_era5": {"path": str(world / "era5")},
        "modis": {"path": str(world / "modis")},
        "static": {"path": str(world / "static")},
    }  # fmt: skip

"""The twin's stage: simulate the virtual Earth once, then write raw files in the providers' formats from it."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
import zarr
from rasterio.transform import from_origin
from threadpoolctl import threadpool_limits

from tamrl import carbon, landmask, simulated, stores, variables
from tamrl.classes import IGBP
from tamrl.errors import ConfigError
from tamrl.files import atomic
from tamrl.grid import Grid
from tamrl.log import progress
from tamrl.sections import inputs as sections
from tamrl.twin import archives, earth, era5, hours, landcover, modis, mosaic, observe
from tamrl.twin.lattice import WeatherLattice
from tamrl.twin.network import Towers
from tamrl.twin.noise import generator
from tamrl.twin.simulation import Simulation
from tamrl.twin.world import WorldStore, add_composite, add_towers, append_month, create_world_store
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def simulate_world(*, world: str, twin: sections.SimulatedWorld, time: sections.Years, resolution: float, seed: int) -> None:
    """Simulate the virtual Earth into a sealed Zarr store.

    Raise `ConfigError` if the step is not a day, no year is asked for, or pixels do not divide the globe.

    Parameters
    ----------
    world : the store to write; see `tamrl.twin.world`
    resolution : degrees of a cell
    seed : the same seed gives the same bits on the same machine
    """
    years = _years(time)
    with landmask.mask_file().open("rb") as handle:
        land = landmask.land_share(handle, resolution / twin.modis_ratio)
    _log.info("land mask read: %.1f %% of the pixels are land", 100 * float((land >= 0.5).mean()))
    with threadpool_limits(1, user_api="blas"), atomic(world) as part:  # more threads would round matrix products otherwise
        created = earth.create(
            land,
            resolution=resolution,
            ratio=twin.modis_ratio,
            towers=twin.towers,
            seed=seed,
            equations=twin.equations,
        )
        _log.info("%d land cells, %d tiles", created.mosaic.cell.size, created.mosaic.tile_cell.size)
        simulation = Simulation(created, years=years, spinup_years=twin.spinup_years)
        root = zarr.open_group(part, mode="w", zarr_format=3)
        create_world_store(root, created, years=years)
        towers, composites = [], itertools.count()
        for month in progress(simulation.months(), "months simulated", total=12 * len(years)):
            append_month(root, month)
            towers.append(month.towers)
            while simulation.composites:
                add_composite(root, next(composites), simulation.composites.pop(0))
        add_towers(root, towers)
        stores.seal_store(
            part, origin={"seed": seed, "resolution": resolution, "years": years, "twin": twin.model_dump(mode="json")}
        )


def _years(time: sections.Years) -> list[int]:
    if time.step != "day":
        todo = "set time.step: day, or twin: null to read a monthly climatology"
        raise ConfigError("the virtual Earth needs daily steps", where="time.step", found=time.step, todo=todo)
    if not time.years:
        raise ConfigError("the virtual Earth needs years", where="time.years", found="none", todo="name at least one year")
    return list(time.years)


def _open(path: str) -> WorldStore:
    """Open a world after comparing it with its manifest."""
    stores.check_store(path)
    return WorldStore.of(stores.open_group(path), where=path)


@stage
def write_archives(*, world: str, fluxnet2015: str, fluxnet: str, twin: sections.Twin, seed: int) -> None:
    """Write the towers, every other one in the FLUXNET2015 format, the rest in the newer FLUXNET format.

    Parameters
    ----------
    world : path
    fluxnet2015, fluxnet : path
        Folders to write: zips with a daily table each; one BIF table in the first, one within each zip of the second.
    seed : int
    """
    opened = _open(world)
    series, towers, parts = opened.tower_series(), opened.towers, opened.mosaic
    heights = opened.static("elevation").ravel()[parts.cell[parts.tile_cell[towers.tile]]]
    zones = opened.static("koppen")
    zone = zones[Grid(opened.resolution / opened.ratio).index(lat=towers.lat, lon=towers.lon)]
    days = pd.date_range(f"{opened.years[0]}-01-01", f"{opened.years[-1]}-12-31")
    old: list[archives.ArchiveSite] = []
    with atomic(fluxnet2015) as first, atomic(fluxnet) as second:
        first.mkdir()
        second.mkdir()
        for number in progress(range(towers.site.size), "towers written"):
            rng = generator(seed, f"tower {towers.site[number]}")
            truth = {name: values[:, number] for name, values in series.items()}
            height = float(heights[number])
            site, ran = _site(towers, parts, number, truth, days, height, rng)
            if number % 2:  # metadata of FLUXNET2015 name no climate
                site = replace(site, koppen=landcover.KOPPEN_CLASS[zone[number]])
            record = observe.record(truth, elevation=height, noise=twin.noise, rng=rng)[ran]
            if number % 2 == 0:
                old.append(site)
            _write_site(site, record, days[ran], second if number % 2 else first, new=bool(number % 2), rng=rng)
        (first / archives.BIF_2015).write_bytes(archives.bif_csv(archives.bif(old), separator=";"))


def _site(
    towers: Towers,
    parts: mosaic.Mosaic,
    number: int,
    truth: dict[str, np.ndarray],
    days: pd.DatetimeIndex,
    height: float,
    rng: np.random.Generator,
) -> tuple[archives.ArchiveSite, np.ndarray]:
    """A tower's metadata, and which days it ran (bool): whole years, sometimes not all of them."""
    years = np.unique(days.year)
    start = int(years[0]) if rng.random() < 0.7 else int(rng.choice(years))
    end = int(years[-1]) if rng.random() < 0.7 else int(rng.integers(start, years[-1] + 1))
    site = archives.ArchiveSite(
        site=str(towers.site[number]),
        lat=float(towers.lat[number]),
        lon=float(towers.lon[number]),
        elevation=height,
        igbp=IGBP[parts.tile_kind[towers.tile[number]]],
        mean_temperature=float(truth["celsius"].mean()),
        yearly_rain=float(truth["rain"].mean() * 365.25),
        irrigated=bool(towers.irrigated[number]),
        first_year=start,
        last_year=end,
    )
    return site, np.asarray((days.year >= start) & (days.year <= end))


def _write_site(
    site: archives.ArchiveSite, record: pd.DataFrame, days: pd.DatetimeIndex, folder: Path, *, new: bool, rng: np.random.Generator
) -> None:
    table = archives.daily_csv(record, days, archives.columns(rng, reanalysis=new))
    if new:
        meta = archives.bif_csv(archives.bif([site]), separator=",")
        members = {archives.fluxnet_name(site, "FLUXMET_DD"): table, archives.fluxnet_name(site, "BIF"): meta}
        stem = archives.fluxnet_name(site)
    else:
        members, stem = {archives.fluxnet2015_name(site, "DD"): table}, archives.fluxnet2015_name(site)
    (folder / f"{stem}.zip").write_bytes(archives.zipped({f"{name}.csv": content for name, content in members.items()}))


@stage
def write_era5(*, world: str, folder: str, twin: sections.Twin) -> None:
    """Write the weather of a world in the form of ERA5 into `folder`."""
    opened = _open(world)
    nodes = WeatherLattice(opened.resolution)
    months = [(year, month) for year in opened.years for month in range(1, 13)]
    with atomic(folder) as part:
        part.mkdir()
        if twin.era5_format == "zarr":
            hours.create_store(part / hours.STORE, years=opened.years, nodes=nodes)
        for year, month in progress(months, "months of ERA5 written"):
            for name, values in opened.weather(year, month).items():
                _write_weather(part, name, values, year=year, month=month, nodes=nodes, kind=twin.era5_format)


def _write_weather(part: Path, name: str, values: np.ndarray, *, year: int, month: int, nodes: WeatherLattice, kind: str) -> None:
    path = part / era5.era5_file_name(name, year, month)
    if kind == "netcdf":
        ds = era5.era5_dataset(name, values, year=year, month=month, nodes=nodes)
        ds.to_netcdf(path, engine="netcdf4", encoding=era5.era5_encoding(name, values.shape))
        return
    hourly = hours.hours(name, values)
    times = hours.ends(name, year, month, len(hourly))
    if kind == "grib":
        path.with_suffix(".grib").write_bytes(hours.grib(name, hourly, times=times, nodes=nodes))
    else:
        hours.fill_store(part / hours.STORE, name, hourly, times=times)


@stage
def write_modis(*, world: str, folder: str, twin: sections.Twin, seed: int) -> None:
    """Write vegetation indices as 16-day MODIS composites, one file each (`modis_format`: netcdf or hdf4), into `folder`.

    Parameters
    ----------
    world : file of the virtual Earth
    folder : of the composites
    twin : section of the configuration
    seed : of the noise
    """
    opened = _open(world)
    parts, pixels = opened.mosaic, Grid(opened.resolution / opened.ratio)
    tiles = mosaic.tile_of_pixels(parts, opened.static("land_cover"), Grid(opened.resolution).shape, opened.ratio)
    texture = modis.texture(tiles.shape, generator(seed, "modis texture"))
    with atomic(folder) as part:
        part.mkdir()
        for start, end, seen in progress(opened.composites(), "composites written"):
            rng = generator(seed, f"modis {start}")
            values = modis.composite(seen, tiles=tiles, cell_of_tile=parts.tile_cell, texture=texture, rng=rng)
            if twin.modis_format == "hdf4":
                modis.write_hdf4((part / modis.modis_file_name(start)).with_suffix(".hdf"), values, start=start, end=end)
                continue
            ds = modis.modis_dataset(values, start=start, end=end, pixels=pixels)
            encoding = {name: {"zlib": True, "complevel": 1, "shuffle": True} for name in values}
            ds.to_netcdf(part / modis.modis_file_name(start), engine="netcdf4", encoding=encoding)


@stage
def write_static(*, world: str, folder: str, co2: str, seed: int) -> None:
    """Write `land_cover.tif`, `koppen.tif` (uint8, pixels) and `elevation.tif` (float32, m, cells) into `folder`.

    The file `co2` holds annual means of CO2 which rise by 2 ppm a year; no flux of the virtual Earth follows them.
    All are in WGS84, north-up. Water is 0 in the first two and missing (-9999) in the last; nothing here is drawn by chance.

    Parameters
    ----------
    world : file of the virtual Earth
    folder : of the maps
    co2 : table that is written
    seed : of the run, unused: nothing here is drawn by chance
    """
    opened = _open(world)
    fine = opened.resolution / opened.ratio
    height = opened.static("elevation")
    with atomic(folder) as part:
        part.mkdir()
        _raster(part / "land_cover.tif", opened.static("land_cover"), fine, nodata=None)
        _raster(part / "koppen.tif", opened.static("koppen"), fine, nodata=0)
        _raster(part / "elevation.tif", np.where(np.isnan(height), np.float32(-9999), height), opened.resolution, nodata=-9999)
    rows = [f"{year},{370 + 2 * (year - 2000)}" for year in range(1985, 2031)]
    with atomic(co2) as part:
        part.write_text("\n".join(["# virtual Earth", "year,ppm", *rows]) + "\n", encoding="utf-8")


def _raster(path: Path, values: np.ndarray, resolution: float, nodata: float | None) -> None:
    form = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype, "nodata": nodata}
    form |= {"crs": "EPSG:4326", "transform": from_origin(-180, 90, resolution, resolution), "compress": "deflate"}
    with rasterio.open(path, "w", driver="GTiff", **form) as target:
        target.write(values, 1)


@stage
def write_truth(*, world: str, files: Sequence[str], labels: Sequence[str]) -> None:
    """Write the true fluxes: (time, lat, lon) float32, gC m-2 d-1 per area of the cell's land, missing where there is no land.

    `files` has one file per flux and label, in the order of `carbon.FLUXES` and of `labels` (years of the world). Raise
    `ConfigError` if the world does not hold a year, or a file is missing or too many.
    """
    opened = _open(world)
    keys = list(itertools.product(carbon.FLUXES, labels))
    if len(keys) != len(files) or not {*labels} <= {*map(str, opened.years)}:
        todo = f"name a file for each of {', '.join(carbon.FLUXES)} and each year, of {opened.years}"
        raise ConfigError("no such truth", where=world, found=f"{len(files)} files, {', '.join(labels)}", todo=todo)
    paths = dict(zip(keys, map(Path, files), strict=True))
    for label in labels:
        fluxes = opened.fluxes(int(label))
        fluxes["nee"] = carbon.nee(gpp=fluxes["gpp"], reco=fluxes["reco"])
        for flux, values in fluxes.items():
            _write_flux(paths[flux, label], flux, values, opened.mosaic.cell, Grid(opened.resolution), int(label))


def _write_flux(path: Path, flux: str, values: np.ndarray, cell: np.ndarray, grid: Grid, year: int) -> None:
    """One flux of a year, (day, cell), as a map file (time, lat, lon)."""
    variables.check_range(values, name=flux, where=path)
    full = np.full((len(values), grid.shape[0] * grid.shape[1]), np.nan, "float32")
    full[:, cell] = values
    attrs = {**variables.attributes(flux), "units": carbon.CF_UNITS}
    ds = xr.Dataset(
        {flux: (("time", "lat", "lon"), full.reshape(-1, *grid.shape), attrs)},
        coords={
            "time": pd.date_range(f"{year}-01-01", periods=len(values)),
            "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )
    attributes = {"title": f"Truth, {flux.upper()} {year}", "source": "the simulation itself"}
    attributes["comment"] = "Fluxes are per area of the cell's land, inland water taken off."
    ds.attrs = simulated.label_attributes(attributes, True)
    options = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (1, *grid.shape)}
    with atomic(path) as part:
        ds.to_netcdf(part, engine="netcdf4", encoding={flux: options})

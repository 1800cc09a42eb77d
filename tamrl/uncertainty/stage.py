"""Stages of uncertainty: where the globe, and held-out towers, are unlike the towers that trained."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import contracts, files, georeference, simulated, stores, variables
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.sections.inputs import Features
from tamrl.uncertainty import applicability, descriptions
from tamrl.uncertainty.descriptions import MISSING, Season, TowerPredictors, describe_places, describe_season
from tamrl.workflow import stage

_log = logging.getLogger(__name__)
ROWS = 30
"""Rows of the grid at once where the cube does not say its chunks."""


@stage
def describe_driver(*, cube: str, season: str, variable: str, threads: int = 1) -> None:
    """Describe a driver of the cube at each cell, for `assess_applicability`.

    Parameters
    ----------
    cube : path of `drivers/cube.zarr`
    season : path, NetCDF with `mean` and `amplitude` (lat, lon), float64 in the unit of the driver, which the attribute `driver`
        names; NaN as of `applicability.mean_and_amplitude`
    variable : dynamic driver
    threads : bands of rows that are read at once
    """
    driver = stores.open_cube(cube)[variable]
    described = np.full((2, driver.sizes["lat"], driver.sizes["lon"]), np.nan)

    def describe(rows: slice) -> None:
        described[:, rows] = [part.transpose("lat", "lon").values for part in describe_season(driver.isel(lat=rows))]

    _by_bands(driver, describe, threads, title=variable)
    ds, units = xr.Dataset(coords={name: driver[name] for name in ("lat", "lon")}), variables.get(variable).units
    ds["mean"] = ("lat", "lon"), described[0], {"long_name": f"annual mean of {variable}", "units": units}
    ds["amplitude"] = ("lat", "lon"), described[1], {"long_name": f"seasonal range of {variable}", "units": units}
    ds.attrs["driver"] = variable
    with files.atomic(Path(season)) as part:
        ds.to_netcdf(part, engine="netcdf4", encoding={name: {"zlib": True, "complevel": 1} for name in ds})


@stage
def assess_applicability(
    *,
    cube: str,
    samples: str,
    splits: str,
    map: str,
    features: Features,
    min_land_fraction: float,
    seasons: list[str] | None = None,
    virtual: bool = False,
    threads: int = 1,
) -> None:
    """Compare every land cell with the towers and write dissimilarity index and mask (lat, lon).

    Parameters
    ----------
    cube, samples, splits : path
        `drivers/cube.zarr`, `samples/grid.nc` and `samples/splits.csv`.
    map : path
        `maps/applicability.nc`.
    min_land_fraction : float
        Cells with less land are missing.
    seasons : list of path, optional
        What `describe_driver` wrote of these dynamic drivers, and of others; without, the cube is read here.
    virtual : bool
        Whether the inputs of the run were simulated (`tamrl.simulated`); the file says so then.
    threads : int
        Bands of rows that are read at once.
    """
    dynamic, static = features.dynamic, features.static
    with xr.open_dataset(files.verified(samples)) as towers:
        contracts.check_samples(towers, dynamic=dynamic, static=static, where=samples)
        reference = TowerPredictors.of(towers, splits, dynamic, static, records=False).reference
    grid = contracts.check_cube(stores.open_cube(cube), dynamic=dynamic, static=static, where=cube)
    index = np.full(grid["land_fraction"].shape, np.nan, "float32")
    with ExitStack() as stack:
        known = _read_seasons(stack, grid, dynamic, seasons or ())

        def compare(rows: slice) -> None:
            index[rows] = _band(grid, rows, known, reference, features)

        _by_bands(grid[dynamic[0]], compare, threads, title="applicability")
    land = (grid["land_fraction"] >= min_land_fraction).values
    ds = _dataset(grid, np.where(land, index, np.nan), reference)
    ds.attrs = simulated.label_attributes(ds.attrs, virtual)
    _write(ds, map)
    inside = np.nanmean(np.where(land & np.isfinite(index), index <= reference.threshold, np.nan))
    _log.info(
        "%.1f %% of the land cells lie inside the area of applicability (index up to %.3f)", 100 * inside, reference.threshold
    )


@stage
def assess_towers(*, samples: str, splits: str, table: str, features: Features, virtual: bool = False) -> None:
    """Write how unlike each held-out tower is to those that train while it is held out.

    Parameters
    ----------
    samples, splits : path
        `samples/grid.nc` or `samples/tower.nc`, and `samples/splits.csv`.
    table : path
        Table of `contracts.DISSIMILARITY`; towers that lack a predictor, or are never held out, have no number.
    virtual : bool
        As of `assess_applicability`.
    """
    dynamic, static = features.dynamic, features.static
    with xr.open_dataset(files.verified(samples)) as towers:
        contracts.check_samples(towers, dynamic=dynamic, static=static, where=samples)
        described = TowerPredictors.of(towers, splits, dynamic, static, records=True)
    columns = {"site": described.sites, "fold": described.folds, "dissimilarity": described.held_out()}
    contracts.write_table(table, pd.DataFrame(columns), contracts.DISSIMILARITY, virtual=virtual)


def _by_bands(driver: xr.DataArray, call: Callable[[slice], None], threads: int, *, title: str) -> None:
    """Call a function for each band of rows of the cube, several at once."""
    bands = list(_bands(driver))
    with ThreadPoolExecutor(threads) as pool:
        for _ in zip(progress(bands, title), pool.map(call, bands), strict=True):
            pass


def _bands(driver: xr.DataArray) -> Iterator[slice]:
    """Bands of rows as high as the cube's chunks, so that each chunk is read once."""
    chunks = driver.encoding.get("chunks")
    height = chunks[1] if chunks else ROWS
    for top in range(0, driver.sizes["lat"], height):
        yield slice(top, min(top + height, driver.sizes["lat"]))


def _read_seasons(stack: ExitStack, grid: xr.Dataset, dynamic: Sequence[str], paths: Sequence[str]) -> dict[str, Season]:
    """What files of `describe_driver` say of the drivers of the cube; empty without files.

    Parameters
    ----------
    stack : closes the files
    grid : the cube
    dynamic, paths : names of the drivers, and files of these and others, in any order
    """
    described = {}
    for path in paths:
        ds = stack.enter_context(xr.open_dataset(files.verified(path)))
        if not all(np.array_equal(ds[name], grid[name]) for name in ("lat", "lon")):
            raise ContractError("a driver is described on another grid than that of the cube", where=path, found=dict(ds.sizes))
        described[ds.attrs["driver"]] = ds["mean"], ds["amplitude"]
    if paths and (missing := sorted(set(dynamic) - set(described))):
        raise ContractError("drivers are not described", where=Path(paths[0]).parent, found=missing)
    return described


def _band(
    grid: xr.Dataset, rows: slice, seasons: Mapping[str, Season], towers: applicability.Reference, features: Features
) -> np.ndarray:
    """Dissimilarity index of a band of rows, float32 (lat, lon); `seasons` of the whole grid, or none."""
    known = {name: (mean.isel(lat=rows), amplitude.isel(lat=rows)) for name, (mean, amplitude) in seasons.items()}
    places = describe_places(grid.isel(lat=rows), features.dynamic, features.static, seasons=known)
    described = places.transpose("lat", "lon", "predictor").values
    flat = described.reshape(-1, described.shape[-1])
    return applicability.dissimilarity(towers, flat).reshape(described.shape[:2]).astype("float32")


def _dataset(grid: xr.Dataset, index: np.ndarray, towers: applicability.Reference) -> xr.Dataset:
    ds = georeference.horizontal(lat=grid["lat"].values, lon=grid["lon"].values)
    common = {"grid_mapping": georeference.MAPPING}
    ds["dissimilarity"] = ("lat", "lon"), index.astype("float32"), descriptions.index_attributes(towers) | common
    ds["applicability"] = ("lat", "lon"), descriptions.flags(index, towers), descriptions.flag_attributes(towers) | common
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": "Area of applicability of the flux models",
        "source": f"{towers.tree.n} towers, {towers.tree.m} weighted predictors",
        "towers": towers.tree.n,
    }
    return ds


def _write(ds: xr.Dataset, output: str) -> None:
    encoding = {
        "dissimilarity": {"zlib": True, "complevel": 1, "_FillValue": np.float32(9.969209968386869e36)},
        "applicability": {"zlib": True, "complevel": 1, "_FillValue": np.int8(MISSING)},
    }
    with files.atomic(Path(output)) as part:
        ds.to_netcdf(part, engine="netcdf4", encoding=encoding)

"""Stages of uncertainty: where the globe, and held-out towers, are unlike the towers that trained."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import contracts, files, georeference, simulated, stores
from tamrl.log import progress
from tamrl.sections.inputs import Features
from tamrl.uncertainty import applicability, descriptions
from tamrl.uncertainty.descriptions import MISSING, TowerPredictors, describe_places
from tamrl.workflow import stage

_log = logging.getLogger(__name__)
ROWS = 30
"""Rows of the grid at once where the cube does not say its chunks."""


@stage
def assess_applicability(
    *,
    cube: str,
    samples: str,
    splits: str,
    map: str,
    features: Features,
    min_land_fraction: float,
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
    bands = list(_strips(grid, dynamic))
    with ThreadPoolExecutor(threads) as pool:
        described = pool.map(lambda rows: _strip(grid.isel(lat=rows), reference, dynamic, static), bands)
        for rows, band in zip(progress(bands, "applicability"), described, strict=True):
            index[rows] = band
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


def _strips(grid: xr.Dataset, dynamic: tuple[str, ...]) -> Iterator[slice]:
    """Bands of rows as high as the cube's chunks, so that each chunk is read once."""
    chunks = grid[dynamic[0]].encoding.get("chunks")
    height = chunks[1] if chunks else ROWS
    for top in range(0, grid.sizes["lat"], height):
        yield slice(top, min(top + height, grid.sizes["lat"]))


def _strip(grid: xr.Dataset, towers: applicability.Reference, dynamic: tuple[str, ...], static: tuple[str, ...]) -> np.ndarray:
    """Dissimilarity index of a band of rows, float32 (lat, lon)."""
    described = describe_places(grid, dynamic, static).transpose("lat", "lon", "predictor").values
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

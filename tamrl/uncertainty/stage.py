"""Stages of uncertainty: where the globe, and held-out towers, are unlike the towers that trained."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import calendar, contracts, files, georeference, simulated, stores, variables
from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.sections.inputs import Features
from tamrl.uncertainty import applicability
from tamrl.workflow import stage

_log = logging.getLogger(__name__)
ROWS = 30
"""Rows of the grid at once where the cube does not say its chunks."""

DAYS = 15
"""Days that are enough for a calendar month of a tower's record."""

OUTSIDE, INSIDE, MISSING = 0, 1, -1


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
    """
    dynamic, static = features.dynamic, features.static
    with xr.open_dataset(files.verified(samples)) as towers:
        contracts.check_samples(towers, dynamic=dynamic, static=static, where=samples)
        described = _predictors(towers, dynamic, static).rename(site="place")
    reference = _reference(described, _folds(splits), where=samples)
    grid = contracts.check_cube(stores.open_cube(cube), dynamic=dynamic, static=static, where=cube)
    index = np.full(grid["land_fraction"].shape, np.nan, "float32")
    for rows in progress(list(_strips(grid, dynamic)), "applicability"):
        index[rows] = _strip(grid.isel(lat=rows), reference, dynamic, static)
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
        fewest = DAYS if TimeAxis.of(towers).step == "day" else 1  # a record may be a small part of the time axis
        described = _predictors(towers, dynamic, static, least=fewest).load()
    good, folds = _described(described.rename(site="place"), _folds(splits), where=samples)
    index = np.full(len(good), np.nan)
    values, families = described.values[good], described["family"].values
    index[good] = applicability.of_held_out(values, families=families, folds=folds[good])
    result = pd.DataFrame({"site": described["site"].values.astype(str), "fold": folds, "dissimilarity": index})
    contracts.write_table(table, result, contracts.DISSIMILARITY, virtual=virtual)


def _folds(splits: str) -> pd.Series:
    """What holds each tower out; in a split in time no tower is, so the groups are taken in turn."""
    table = contracts.read_csv(splits, contracts.SPLITS).set_index("site")
    return table["group"].astype(str) if "since" in table else table["fold"]


def _predictors(ds: xr.Dataset, dynamic: tuple[str, ...], static: tuple[str, ...], *, least: int | None = None) -> xr.DataArray:
    """Predictors of all places of `ds` as (..., predictor), each with the family that shares its scale."""
    month = calendar.month(ds["time"].values)
    columns, families = [], []
    for name in dynamic:
        values = ds[name].transpose("time", ...)
        mean, amplitude = applicability.mean_and_amplitude(values.values, month, least=least)
        columns += [values.isel(time=0, drop=True).copy(data=column) for column in (mean, amplitude)]
        families += [f"{name} mean", f"{name} amplitude"]
    for name in static:
        kind = variables.get(name).classes
        parts = [ds[name].isel({kind: i}, drop=True) for i in range(ds.sizes[kind])] if kind else [ds[name]]
        columns += [part.astype(float) for part in parts]
        families += [name] * len(parts)
    stacked = xr.concat(columns, "predictor", coords="minimal", compat="override").transpose(..., "predictor")
    return stacked.assign_coords(family=("predictor", families))


def _reference(towers: xr.DataArray, folds: pd.Series, *, where: str) -> applicability.Reference:
    good, fold = _described(towers, folds, where=where)
    return applicability.reference(towers.values[good], families=towers["family"].values, folds=fold[good])


def _described(towers: xr.DataArray, folds: pd.Series, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Which towers have all predictors, and the fold of each tower."""
    good = np.isfinite(towers.values).all(1)
    if not good.all():
        _log.warning("%d towers lack a predictor and describe nothing: %s", (~good).sum(), list(towers["place"].values[~good]))
    sites = [str(site) for site in towers["place"].values]
    if unknown := sorted(set(sites) - set(folds.index)):
        raise ContractError("towers of the samples are not in the splits", where=where, found=unknown[:5])
    return good, folds.loc[sites].to_numpy(str)


def _strips(grid: xr.Dataset, dynamic: tuple[str, ...]) -> Iterator[slice]:
    """Bands of rows as high as the cube's chunks, so that each chunk is read once."""
    chunks = grid[dynamic[0]].encoding.get("chunks")
    height = chunks[1] if chunks else ROWS
    for top in range(0, grid.sizes["lat"], height):
        yield slice(top, min(top + height, grid.sizes["lat"]))


def _strip(grid: xr.Dataset, towers: applicability.Reference, dynamic: tuple[str, ...], static: tuple[str, ...]) -> np.ndarray:
    """Dissimilarity index of a band of rows, float32 (lat, lon)."""
    described = _predictors(grid, dynamic, static).transpose("lat", "lon", "predictor").values
    flat = described.reshape(-1, described.shape[-1])
    return applicability.dissimilarity(towers, flat).reshape(described.shape[:2]).astype("float32")


def _dataset(grid: xr.Dataset, index: np.ndarray, towers: applicability.Reference) -> xr.Dataset:
    ds = georeference.horizontal(lat=grid["lat"].values, lon=grid["lon"].values)
    inside = np.where(np.isfinite(index), np.where(index <= towers.threshold, INSIDE, OUTSIDE), MISSING).astype("int8")
    common = {"grid_mapping": georeference.MAPPING, "references": "https://doi.org/10.1111/2041-210X.13650"}
    ds["dissimilarity"] = (
        ("lat", "lon"),
        index.astype("float32"),
        common
        | {
            "long_name": "dissimilarity index towards the training towers",
            "units": "1",
            "threshold": towers.threshold,
            "ancillary_variables": "applicability",
        },
    )
    ds["applicability"] = (
        ("lat", "lon"),
        inside,
        common
        | {
            "long_name": "area of applicability of the models",
            "flag_values": np.array([OUTSIDE, INSIDE], "int8"),
            "flag_meanings": "outside inside",
            "threshold": towers.threshold,
            "comment": "inside: no less like the towers than a held-out tower was like those that trained without it",
        },
    )
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": "Area of applicability of the flux models",
        "source": f"{towers.tree.n} towers, {towers.tree.m} standardised predictors",
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

"""What describes places for the area of applicability: predictors from drivers, the towers as reference, and the flags."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr
from scipy.spatial import KDTree

from tamrl import calendar, contracts, files, variables
from tamrl.calendar import Step, TimeAxis
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.uncertainty import applicability, importance
from tamrl.uncertainty.applicability import Reference

_log = logging.getLogger(__name__)

DAYS = 15
"""Days that are enough for a calendar month of a tower's record."""

OUTSIDE, INSIDE, MISSING = 0, 1, -1

PUBLISHED = "https://doi.org/10.1111/2041-210X.13650"


def few_steps(step: Step) -> int:
    """Steps that are enough for a calendar month of a record, which may be a small part of the time axis."""
    return DAYS if step == "day" else 1


Season = tuple[xr.DataArray, xr.DataArray]
"""Annual mean and seasonal amplitude of a driver at places, as of `applicability.mean_and_amplitude`."""


def describe_season(driver: xr.DataArray, *, least: int | None = None) -> Season:
    """Annual mean and seasonal amplitude of a driver (time, ...) at each place (...).

    `least` is as of `applicability.mean_and_amplitude`.
    """
    values = driver.transpose("time", ...)
    month = calendar.month(driver["time"].values)
    mean, amplitude = applicability.mean_and_amplitude(_blocks(values), month, least=least)
    place = values.isel(time=0, drop=True)
    return place.copy(data=mean), place.copy(data=amplitude)


def describe_places(
    ds: xr.Dataset,
    dynamic: tuple[str, ...],
    static: tuple[str, ...],
    *,
    least: int | None = None,
    seasons: Mapping[str, Season] | None = None,
) -> xr.DataArray:
    """Predictors of all places of `ds` as (..., predictor), each with the family that shares its scale.

    Parameters
    ----------
    ds : drivers (time, ...) of towers or cells
    dynamic, static : names of the drivers
    least : as of `applicability.mean_and_amplitude`
    seasons : of all dynamic drivers at these places, if they are known already
    """
    columns: list[xr.DataArray] = []
    families: list[str] = []
    for name in dynamic:
        columns += seasons[name] if seasons else describe_season(ds[name], least=least)
        families += [f"{name} mean", f"{name} amplitude"]
    for name in static:
        kind = variables.get(name).classes
        parts = [ds[name].isel({kind: i}, drop=True) for i in range(ds.sizes[kind])] if kind else [ds[name]]
        columns += [part.astype(float) for part in parts]
        families += [name] * len(parts)
    stacked = xr.concat(columns, "predictor", coords="minimal", compat="override").transpose(..., "predictor")
    return stacked.assign_coords(family=("predictor", families))


def _blocks(values: xr.DataArray) -> Iterator[np.ndarray]:
    """Yield the steps of drivers (time, ...), as many at once as a chunk of their store has: decades are never in memory."""
    length = (values.encoding.get("chunks") or values.shape)[0]
    for first in range(0, len(values), length):
        yield values[first : first + length].values


@dataclass(frozen=True, eq=False)
class TowerPredictors:
    """Predictors of the towers of a run, and what each counts.

    Attributes
    ----------
    sites, folds : arrays of str (tower)
    complete : array of bool (tower), whether a tower has all predictors
    values : array (complete tower, predictor)
    families : array of str (predictor)
    weights : array (predictor), see `importance.family_weights`
    """

    sites: np.ndarray
    folds: np.ndarray
    complete: np.ndarray
    values: np.ndarray
    families: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, ds: xr.Dataset, splits: str, dynamic: tuple[str, ...], static: tuple[str, ...], *, records: bool) -> Self:
        """Describe the towers of samples.

        Parameters
        ----------
        ds : samples (site, time) with drivers and fluxes
        splits : path of `samples/splits.csv`; in a split in time no tower is held out, so the groups are taken in turn
        dynamic, static : names of the drivers
        records : the drivers are known at few steps of the time axis, those of the records of the towers
        """
        few = few_steps(TimeAxis.of(ds).step)
        described = describe_places(ds, dynamic, static, least=few if records else None).load()
        sites, families = described["site"].values.astype(str), described["family"].values
        table = contracts.read_csv(splits, contracts.SPLITS).set_index("site")
        if unknown := sorted(set(sites) - set(table.index)):
            raise ContractError("towers of the samples are not in the splits", where=splits, found=unknown[:5])
        table = table.loc[sites]
        folds, groups = (table["group"] if "since" in table else table["fold"]).to_numpy(str), table["group"].to_numpy()
        complete = np.isfinite(described.values).all(1)
        if not complete.all():
            lacking = sites[~complete]
            _log.warning("%d towers lack a predictor and describe nothing: %s", lacking.size, ", ".join(lacking))
        values, month = described.values[complete], calendar.month(ds["time"].values)
        fluxes = [applicability.mean_and_amplitude(_blocks(ds[f].transpose("time", ...)), month, least=few)[0] for f in FLUXES]
        means = np.stack(fluxes, axis=1)[complete]
        weights = importance.family_weights(values, means, families=families, groups=groups[complete])
        _log.info("weights of predictors: %s", {str(f): round(float(w), 2) for f, w in zip(families, weights, strict=True)})
        return cls(sites, folds, complete, values, families, weights)

    @property
    def reference(self) -> Reference:
        """The complete towers, as reference."""
        folds = self.folds[self.complete]
        return applicability.reference(self.values, families=self.families, folds=folds, weights=self.weights)

    def held_out(self) -> np.ndarray:
        """Dissimilarity index (tower) of each tower towards those that trained without it; NaN where there is none."""
        index, folds = np.full(len(self.sites), np.nan), self.folds[self.complete]
        index[self.complete] = applicability.of_held_out(self.values, families=self.families, folds=folds, weights=self.weights)
        return index


def flags(index: np.ndarray, towers: Reference) -> np.ndarray:
    """`INSIDE`, `OUTSIDE` or, for a missing index, `MISSING` for dissimilarities of any shape, int8."""
    inside = np.where(index <= towers.threshold, INSIDE, OUTSIDE)
    return np.where(np.isfinite(index), inside, MISSING).astype("int8")


def flag_attributes(towers: Reference) -> dict[str, object]:
    """CF attributes of `flags`."""
    return {
        "references": PUBLISHED,
        "long_name": "area of applicability of the models",
        "flag_values": np.array([OUTSIDE, INSIDE], "int8"),
        "flag_meanings": "outside inside",
        "threshold": towers.threshold,
        "comment": "inside: no less like the towers than a held-out tower was like those that trained without it",
    }


def index_attributes(towers: Reference) -> dict[str, object]:
    """CF attributes of the dissimilarity index."""
    return {
        "references": PUBLISHED,
        "long_name": "dissimilarity index towards the training towers",
        "units": "1",
        "threshold": towers.threshold,
        "ancillary_variables": "applicability",
    }


@dataclass(frozen=True, eq=False)
class DescribedTowers:
    """The towers of a run in their predictors, with which any place can be compared."""

    reference: Reference
    sites: tuple[str, ...]
    """Towers of the points of the reference, in their order."""
    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    least: int
    """Steps that are enough for a calendar month of a place."""

    @classmethod
    def read(cls, samples: str, splits: str) -> "DescribedTowers":
        """Describe the towers of `samples/grid.nc` or `samples/tower.nc` by all drivers that these hold.

        The towers of a run are described once in a process, until the files change. Raises `ContractError` if fewer than three
        towers have all drivers.
        """
        return _describe_towers(samples, splits, *(Path(path).stat().st_mtime_ns for path in (samples, splits)))

    def of_sites(self, sites: Collection[str]) -> "DescribedTowers":
        """The same with distances to some of the towers alone, such as those that trained a model."""
        chosen = [k for k, site in enumerate(self.sites) if site in sites]
        tree = KDTree(np.asarray(self.reference.tree.data)[chosen])
        return replace(self, reference=replace(self.reference, tree=tree), sites=tuple(self.sites[k] for k in chosen))

    def dissimilarity(self, ds: xr.Dataset) -> np.ndarray:
        """Dissimilarity index of places, float32 (site); NaN without all drivers and all calendar months.

        `ds` holds the drivers (site, time), as the samples do.
        """
        months = len(np.unique(calendar.month(ds["time"].values)))
        if months < calendar.MONTHS or not {*self.dynamic, *self.static} <= set(ds):
            return np.full(ds.sizes["site"], np.nan, "float32")
        described = describe_places(ds, self.dynamic, self.static, least=self.least).transpose("site", "predictor")
        return applicability.dissimilarity(self.reference, described.values).astype("float32")


@lru_cache(maxsize=4)
def _describe_towers(samples: str, splits: str, *changed: int) -> DescribedTowers:
    """Describe the towers of samples; `changed` are the times of the files."""
    with xr.open_dataset(files.verified(samples)) as towers:
        known = [(str(name), variables.get(str(name)).role) for name in towers if name in variables.vocabulary()]
        names = {role: tuple(name for name, its in known if its == role) for role in ("dynamic", "static")}
        least = few_steps(TimeAxis.of(towers).step)
        described = TowerPredictors.of(towers, splits, **names, records=towers.attrs.get("drivers") == "tower")
    sites = tuple(described.sites[described.complete].tolist())
    return DescribedTowers(described.reference, sites, **names, least=least)

"""Stage of the rule score_independent: a table of yearly sums beside the map, or beside the models that held its places out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import carbon, classes, contracts, stores
from tamrl.calendar import CLIMATOLOGY, TimeAxis, season_weight
from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.files import verified
from tamrl.grid import Grid
from tamrl.maps.land import Land, describe_land
from tamrl.predictions import Manifest, open_predictions
from tamrl.reference import independent
from tamrl.reference.independent import HELD_OUT, UNSEEN, TrainingPlaces
from tamrl.sections.inputs import SumTable
from tamrl.towers.sums import read_table
from tamrl.uncertainty import conformal, ensemble
from tamrl.uncertainty.calibration import Calibration
from tamrl.uncertainty.strata import PlaceStrata, one_hot
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

KEY = "evaluation.independent"


@stage
def score_independent(
    *,
    towers: str,
    splits: str,
    calibration: str,
    cube: str,
    manifests: Sequence[str],
    places: str,
    scores: str,
    table: SumTable,
    distance_km: float,
    vegetated_only: bool,
    sums: Sequence[str] = (),
    virtual: bool = False,
) -> None:
    """Score the map at the places of a table of yearly sums that its models never saw, and their folds at the others.

    Parameters
    ----------
    towers, splits : flux towers, `contracts.SITES` and `contracts.SPLITS`
    calibration : `evaluation/calibration.json`
    cube, manifests : drivers, and the predictions of each year or of the mean year
    places, scores : outputs, `independent.PLACES` and `independent.SCORES`
    table : the file with its columns and unit
    distance_km : `splits.distance_km`
    vegetated_only : as the maps are made
    sums : where sums trained the models of the maps, their places, folds and held-out predictions
    virtual : whether the inputs of the run were simulated
    """
    means, known = read_table(Path(table.path), table, key=KEY)
    site_table = contracts.read_csv(towers, contracts.SITES)
    trained = [(site_table, contracts.read_csv(splits, contracts.SPLITS))]
    held_out = pd.DataFrame(columns=list(contracts.SUM_PREDICTIONS.columns))
    if sums:
        trained.append((contracts.read_csv(sums[0], contracts.SITES), contracts.read_csv(sums[1], contracts.SPLITS)))
        held_out = contracts.check_table(pd.read_parquet(verified(sums[2])), contracts.SUM_PREDICTIONS, where=sums[2])
    folds = dict(held_out[["site", "fold"]].drop_duplicates("site").itertuples(index=False))
    land = describe_land(stores.open_cube(cube), vegetated_only=vegetated_only)
    roles = independent.assign_roles(_described(known, land), TrainingPlaces.of(*trained), folds)
    mapped = PlaceMeans.read(roles[roles["role"] == UNSEEN], manifests, cube, land)
    rows = pd.concat([_unseen(means, roles, mapped), _held_out(held_out, means, roles)], ignore_index=True)
    rows = _with_intervals(pd.concat([rows, _trained(means, roles)], ignore_index=True), Calibration.read(calibration))
    if not (rows["role"] != independent.TRAINING).any():
        todo = "name a table with places that trained no model, or sums that a fold holds out"
        raise InputError("every place of the table trained the maps", where=table.path, todo=todo)
    _log.info("%s", rows.groupby(["role", "flux"])["site"].nunique().to_dict())
    contracts.write_table(places, rows[list(independent.PLACES.columns)], independent.PLACES, virtual=virtual)
    table_of_scores = independent.score_places(rows, distance_km=distance_km)
    contracts.write_table(scores, table_of_scores, independent.SCORES, virtual=virtual)


def _described(places: pd.DataFrame, land: Land) -> pd.DataFrame:
    """Places with the class and climate of their cell where the table names none."""
    row, column = Grid.of_cells(xr.Dataset(coords={"lat": land.lat, "lon": land.lon})).index(
        lat=places["lat"].to_numpy(), lon=places["lon"].to_numpy()
    )
    inside = (row >= 0) & (row < land.lat.size) & (column >= 0) & (column < land.lon.size)
    row, column = np.where(inside, row, 0), np.where(inside, column, 0)
    table = places[["site", "lat", "lon"]].assign(row=np.where(inside, row, -1), column=np.where(inside, column, -1))
    for name, shares, names in (("igbp", land.igbp, classes.IGBP), ("koppen", land.koppen, classes.KOPPEN)):
        stated = places[name].where(places[name].notna() & (places[name] != ""), None)
        of_cell = _largest(shares, row, column, inside, names)
        table[name] = stated.where(stated.notna(), pd.Series(of_cell, index=places.index)).astype(object)
    return table


def _largest(
    shares: np.ndarray | None, row: np.ndarray, column: np.ndarray, inside: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Name of the largest class of each cell, None where unknown."""
    if shares is None:
        return np.full(row.size, None, object)
    values = shares[:, row, column]
    of_cell = np.asarray(names, object)[np.nan_to_num(values, nan=-1).argmax(0)]
    known = inside & np.isfinite(values).all(0) & (values.sum(0) > 0)
    return np.asarray(np.where(known, of_cell, None), object)


@dataclass(frozen=True, eq=False)
class PlaceMeans:
    """Annual means of the maps at places, as they are delivered, gC m-2 d-1."""

    sites: tuple[str, ...]
    labels: tuple[str, ...]
    members: dict[str, np.ndarray]
    """By flux, (label, member, site)."""

    @classmethod
    def read(cls, places: pd.DataFrame, manifests: Sequence[str], cube: str, land: Land) -> "PlaceMeans":
        """Read the predictions in the cells of places, those outside of the mapped region left out.

        Parameters
        ----------
        places : with site, row and column
        manifests : predictions of each year or of the mean year
        cube, land : drivers of the run, and their land
        """
        places = places[(places["row"] >= 0) & (places["column"] >= 0)]
        row, column = (xr.DataArray(places[name].to_numpy(int), dims="site") for name in ("row", "column"))
        share = land.share[row.values, column.values]
        years: dict[str, list[np.ndarray]] = {flux: [] for flux in FLUXES}
        labels = [Manifest.read(manifest).label for manifest in manifests]
        step = TimeAxis.of(stores.open_cube(cube)).step
        for manifest, label in zip(manifests, labels, strict=True) if len(places) else ():
            ds = open_predictions(manifest, label=label, cube=cube).ds[["gpp", "reco"]].isel(lat=row, lon=column).load()
            days = TimeAxis(ds["time"].values, step).days
            means = {
                flux: np.average(ds[flux].transpose("member", "site", "time").values.astype(float), axis=-1, weights=days) * share
                for flux in ("gpp", "reco")
            }
            means["nee"] = carbon.nee(gpp=means["gpp"], reco=means["reco"])
            for flux in FLUXES:
                years[flux].append(means[flux])
        return cls(tuple(places["site"]), tuple(labels), {flux: np.stack(v) for flux, v in years.items() if v})

    def over(self, site: str, flux: str, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray | None:
        """Mean of each member over the years of a period, all years for a mean year; None where the maps lack one of them.

        Parameters
        ----------
        site, flux : of the maps
        first, last : ends of the period, missing for a mean year
        """
        if site not in self.sites:
            return None
        wanted = [str(year) for year in range(first.year, last.year + 1)] if pd.notna(first) else list(self.labels)
        if self.labels == (CLIMATOLOGY,):
            wanted = [CLIMATOLOGY]
        if not set(wanted) <= set(self.labels):
            return None
        chosen = self.members[flux][[self.labels.index(label) for label in wanted]]
        values: np.ndarray = chosen[:, :, self.sites.index(site)].mean(0)
        return values


def _of_years(means: pd.DataFrame) -> pd.DataFrame:
    """Sums of whole years, and mean years: periods that begin or end within a year are no yearly sums."""
    complete = means["first"].isna() | (
        (means["first"].dt.day_of_year == 1) & (means["last"] == means["last"] + pd.offsets.YearEnd(0))
    )
    return means[complete]


def _unseen(means: pd.DataFrame, roles: pd.DataFrame, mapped: PlaceMeans) -> pd.DataFrame:
    """The map beside each sum of places that trained no model."""
    known, rows = roles.set_index("site"), []
    for row in _of_years(means[means["site"].isin(mapped.sites)]).itertuples():
        for flux in FLUXES:
            members = mapped.over(row.site, flux, row.first, row.last)
            if members is not None and np.isfinite(getattr(row, flux)):
                mean, spread = ensemble.moments(members[:, None])
                values = {"flux": flux, "observed": getattr(row, flux), "years": getattr(row, f"{flux}_years")}
                values |= {"first": _year(row.first), "last": _year(row.last)}
                values |= {"predicted": float(mean[0]), "spread": np.nan if spread is None else float(spread[0])}
                rows.append({"site": row.site, **known.loc[row.site].to_dict()} | values)
    return pd.DataFrame(rows)


def _held_out(predictions: pd.DataFrame, means: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
    """The models of the fold that held a place out, over its periods weighted by their years, beside the sums of the table."""
    places = roles[roles["role"] == HELD_OUT]
    part = predictions[predictions["site"].isin(places["site"])]
    if part.empty:
        return pd.DataFrame()
    weighted = part.assign(predicted=part["predicted"] * part["years"])
    sums = weighted.groupby(["site", "flux", "member"])[["predicted", "years"]].sum()
    by_place = (sums["predicted"] / sums["years"]).groupby(["site", "flux"]).agg(predicted="mean", spread="std").reset_index()
    return by_place.merge(_observed(means), on=["site", "flux"]).merge(places, on="site")


def _observed(means: pd.DataFrame) -> pd.DataFrame:
    """Mean of all yearly sums of a place, weighted by their years: columns site, flux, observed, years, first, last."""
    parts = []
    for flux in FLUXES:
        part = _of_years(means[means[flux].notna()])
        weight = part[f"{flux}_years"].clip(lower=1e-9)
        table = part.assign(observed=part[flux] * weight, years=weight).groupby("site")[["observed", "years"]].sum()
        parts.append(table.assign(observed=table["observed"] / table["years"], flux=flux, first="", last="").reset_index())
    return pd.concat(parts, ignore_index=True)


def _trained(means: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
    """The sums of places that trained and are held out by no fold, without predictions."""
    places = roles[roles["role"] == independent.TRAINING]
    return _observed(means).merge(places, on="site").assign(predicted=np.nan, spread=np.nan)


def _year(date: pd.Timestamp) -> str:
    return "" if pd.isna(date) else str(date.year)


def _with_intervals(rows: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Add standard deviation and ends of the calibrated interval of a measured year, and give all as yearly sums."""
    rows = rows.assign(std=np.nan, q05=np.nan, q95=np.nan)
    for flux, part in rows[rows["predicted"].notna()].groupby("flux"):
        tested = calibration.at("year", str(flux)).calibration
        strata = PlaceStrata(np.zeros(len(part), int), season_weight(part["lat"].to_numpy()), one_hot(part["igbp"].to_numpy()))
        spread = part["spread"].to_numpy(float)
        q05, q95, std = conformal.interval(
            tested, part["predicted"].to_numpy(), spread if np.isfinite(spread).all() else None, places=strata
        )
        rows.loc[part.index, ["std", "q05", "q95"]] = np.stack([std, q05, q95], axis=1)
    numbers = ["observed", "predicted", "std", "q05", "q95"]
    rows = rows.assign(**{name: independent.per_year(rows[name].astype(float)) for name in numbers})
    return rows.astype(dict.fromkeys(("igbp", "koppen", "fold", "first", "last"), "str"))  # an empty column has no type

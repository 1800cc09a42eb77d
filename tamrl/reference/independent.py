"""Yearly sums of towers beside a map that never saw them: which places count, and how well the map does there.

A place is one of three. `unseen`: no model of the maps was trained there, so the map itself is judged. `held_out`: it trained the
models of the maps, so the models of the fold that holds it out are judged in its place. `training`: it trained, under this or
another name, and no fold holds it out; it is listed, and judges nothing. Distances to the nearest tower that trained the judged
models are given with all.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from tamrl import classes, units, variables
from tamrl.calendar import TROPICS
from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.evaluation.compare import spatial_skill
from tamrl.grid import great_circle_km
from tamrl.samples.splits import ALL, link_groups, training_sites

_log = logging.getLogger(__name__)

UNSEEN, HELD_OUT, TRAINING = "unseen", "held_out", "training"
ROLES = (UNSEEN, HELD_OUT, TRAINING)

EVERYWHERE, ZONES = "all", ("tropics", "outside of the tropics")
SAME_KM = 1.0
"""A place this near to one that trained is that tower under another name."""

FEWEST = 5
"""Fewer places of a class or climate have no row of their own."""

UNITS = "gC m-2 yr-1"

_text = pa.Column(str)
_real = pa.Column(float, nullable=True, coerce=True)
_count = pa.Column(int, pa.Check.ge(0), coerce=True)
_flux = pa.Column(str, pa.Check.isin(FLUXES))
_named = pa.Column(str, nullable=True)

PLACES = pa.DataFrameSchema(
    {"site": _text, "lat": _real, "lon": _real, "igbp": _named, "koppen": _named, "role": pa.Column(str, pa.Check.isin(ROLES))}
    | {"fold": _named, "distance_km": _real, "first": _named, "last": _named, "flux": _flux, "years": _real}
    | dict.fromkeys(("observed", "predicted", "std", "q05", "q95"), _real),
    strict=True,
    name="independent_places",
)
"""`evaluation/independent.csv`: yearly sums (gC m-2 yr-1) of places beside the map or the models of a fold, with the calibrated
90 % interval of what a tower would measure in a year. `distance_km` leads to the nearest tower that trained the judged models."""

SCORES = pa.DataFrameSchema(
    {"role": _text, "kind": pa.Column(str, pa.Check.isin((EVERYWHERE, "zone", "class", "climate", "distance"))), "name": _text}
    | {"flux": _flux, "places": _count, "groups": _count}
    | dict.fromkeys(("observed", "bias", "rmse", "r2", "nse", "low", "high", "coverage", "width", "distance_km"), _real),
    strict=True,
    name="independent_scores",
)
"""`evaluation/independent_scores.csv`: bias (map minus tower), RMSE and width of the interval in gC m-2 yr-1, squared
correlation, NSE with its 95 % interval over groups of neighbours (a constant scores 0), share inside the 90 % interval, median
distance to the towers that trained."""


@dataclass(frozen=True, eq=False)
class TrainingPlaces:
    """Places that trained the models of the maps: columns site, lat, lon, fold."""

    table: pd.DataFrame

    @classmethod
    def of(cls, *parts: tuple[pd.DataFrame, pd.DataFrame]) -> "TrainingPlaces":
        """From pairs of places (`contracts.SITES`) and their folds (`contracts.SPLITS`)."""
        tables = [places[["site", "lat", "lon"]].merge(split[["site", "fold"]], on="site") for places, split in parts]
        return cls(pd.concat(tables, ignore_index=True).drop_duplicates("site", ignore_index=True))

    def distances(self, places: pd.DataFrame, fold: str) -> np.ndarray:
        """Distance in km of each place to the nearest one that trained the models of a fold; itself does not count."""
        near = self.table[training_sites(self.table, fold)]
        distance = great_circle_km(
            lat1=places["lat"].to_numpy()[:, None],
            lon1=places["lon"].to_numpy()[:, None],
            lat2=near["lat"].to_numpy()[None],
            lon2=near["lon"].to_numpy()[None],
        )
        same = places["site"].to_numpy()[:, None] == near["site"].to_numpy()[None]
        nearest: np.ndarray = np.where(same, np.inf, distance).min(1, initial=np.inf)
        return nearest


def assign_roles(places: pd.DataFrame, trained: TrainingPlaces, held_out: Mapping[str, str]) -> pd.DataFrame:
    """Add role, fold and distance to a table with site, lat, lon.

    Parameters
    ----------
    places : of the independent table
    trained : places that trained the models of the maps
    held_out : fold by site, of places with predictions by the models that held them out
    """
    seen = set(trained.table["site"])
    fold = places["site"].map(held_out).where(places["site"].isin(seen))
    role = np.select([~places["site"].isin(seen), fold.notna()], [UNSEEN, HELD_OUT], TRAINING)
    table = places.assign(role=role, fold=fold.where(fold.notna(), None), distance_km=np.nan)
    for name, part in table.groupby(table["fold"].astype(object).where(table["fold"].notna(), ALL)):
        table.loc[part.index, "distance_km"] = trained.distances(part, str(name))
    renamed = (table["role"] == UNSEEN) & (table["distance_km"] < SAME_KM)
    if renamed.any():
        names = ", ".join(table.loc[renamed, "site"])
        _log.warning("%d places lie within %g km of one that trained and judge nothing: %s", renamed.sum(), SAME_KM, names)
    return table.assign(role=table["role"].mask(renamed, TRAINING))


def per_year(values: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    """Fluxes of gC m-2 d-1 as yearly sums, gC m-2 yr-1."""
    return values * float(units.convert(1.0, source=variables.get("nee").units, target=UNITS))


def score_places(table: pd.DataFrame, *, distance_km: float) -> pd.DataFrame:
    """Scores (`SCORES`) by role of all places, the tropics, classes and climates, and of places far from all towers that trained.

    Parameters
    ----------
    table : `PLACES`; places that trained and are held out by no fold are left out
    distance_km : places closer to each other are one group, and places further from every tower that trained are far
    """
    rows = table[(table["role"] != TRAINING) & table[["observed", "predicted"]].notna().all(axis=1)]
    scores: list[dict[str, object]] = []
    for (role, flux), part in rows.groupby(["role", "flux"], sort=False, observed=True):
        for kind, name, chosen in _subsets(part, distance_km):
            if kind == EVERYWHERE or chosen["site"].nunique() >= FEWEST:
                scores.append({"role": role, "kind": kind, "name": name, "flux": flux} | _scores(chosen, distance_km))
    return pd.DataFrame(scores, columns=list(SCORES.columns))


def _subsets(rows: pd.DataFrame, distance_km: float) -> list[tuple[str, str, pd.DataFrame]]:
    """Kind, name and rows of all places and of their parts."""
    inside = rows["lat"].abs() <= TROPICS
    parts = [(EVERYWHERE, EVERYWHERE, rows), ("zone", ZONES[0], rows[inside]), ("zone", ZONES[1], rows[~inside])]
    parts.append(("distance", f"beyond {distance_km:g} km", rows[rows["distance_km"] > distance_km]))
    named = (("class", "igbp", classes.IGBP), ("climate", "koppen", classes.KOPPEN))
    return parts + [(kind, name, rows[rows[column] == name]) for kind, column, names in named for name in names]


def _scores(rows: pd.DataFrame, distance_km: float) -> dict[str, object]:
    """Scores of rows, of which a place may have several (years); `low` and `high` are the ends of the interval of `nse`."""
    error = rows["predicted"] - rows["observed"]
    place = rows.drop_duplicates("site")
    group = link_groups(lat=place["lat"].to_numpy(), lon=place["lon"].to_numpy(), distance_km=distance_km)
    skill = spatial_skill(rows, TowerGroups(pd.Series(group, index=place["site"].to_numpy())))
    varies = len(rows) > 2 and (rows[["observed", "predicted"]].std() > 1e-6).all()
    inside = rows["observed"].between(rows["q05"], rows["q95"])
    return {
        "places": len(place),
        "groups": skill.groups,
        "observed": rows["observed"].mean(),
        "bias": error.mean(),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": rows["observed"].corr(rows["predicted"]) ** 2 if varies else np.nan,
        **skill.columns(("nse", "low", "high")),
        "coverage": inside.mean(),
        "width": (rows["q95"] - rows["q05"]).mean(),
        "distance_km": place["distance_km"].replace(np.inf, np.nan).median(),
    }

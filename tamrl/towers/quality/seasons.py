"""Check that the covariates of a network stand in their months, by their mean seasonal cycles.

A column in the wrong order still has plausible values: ranges and means do not show it. Its season does. Each covariate has
physical partners: radiation follows the sun, temperature follows radiation, vapour pressure deficit follows temperature, and
greenness goes with photosynthesis. Over the towers of a network the median correlation with the partner has a lower bound. Where
it is missed, rearrangements of the column are tried, and the one that restores the season names the fault: months in text order
(1, 10, 11, 12, 2 ...), a shift by some months, the reversed year, or another column in its place.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl.errors import InputError
from tamrl.solar import potential_radiation_at_towers

_log = logging.getLogger(__name__)

FEWEST_TOWERS = 10
"""Towers with a complete mean year from which on a network is judged; the season of a single tower may be unusual."""
POTENTIAL = "potential_radiation"
MONTHS = np.arange(12)
TEXT_ORDER = np.array(sorted(MONTHS, key=lambda month: str(month + 1)))
"""Calendar months (0 to 11) in the order of their numbers as text."""


@dataclass(frozen=True)
class Partner:
    """A covariate and a quantity whose season it shares.

    Attributes
    ----------
    covariate, partner : str
        Names in the vocabulary.
    least : float
        Lower bound of the median correlation of their mean seasonal cycles over the towers of a network.
    lags : tuple of int
        Months by which the covariate may lag behind its partner.
    """

    covariate: str
    partner: str
    least: float
    lags: tuple[int, ...] = (0,)


PARTNERS = (
    Partner("shortwave_radiation", POTENTIAL, 0.80),
    Partner("net_radiation", POTENTIAL, 0.70),
    Partner("air_temperature", POTENTIAL, 0.70, (0, 1, 2)),
    Partner("dew_point_temperature", "air_temperature", 0.60),
    Partner("vapour_pressure_deficit", "air_temperature", 0.60),
    *(Partner(name, "gpp", 0.50, (-1, 0, 1)) for name in ("evi", "ndvi", "nirv", "kndvi", "lai")),
)
"""Each bound lies well below the median of 164 towers of FLUXNET2015 (doi 10.1038/s41597-020-0534-3), which is above 0.9 for
each of their covariates; the tests compute it."""


def mean_years(records: pd.DataFrame, lat: pd.Series) -> pd.DataFrame:
    """Return the mean seasonal cycle of each tower.

    Parameters
    ----------
    records : DataFrame
        Columns site, date and variables of the vocabulary.
    lat : Series by site
        Latitude, degrees north.

    Returns
    -------
    DataFrame
        Index (site, month 1 to 12), one column per variable that has a partner or is one; potential radiation (W m-2) added.
    """
    dates = pd.DatetimeIndex(records["date"])
    names = sorted({n for p in PARTNERS for n in (p.covariate, p.partner)} & set(records.columns))
    table = records[["site", *names]].assign(month=dates.month)
    middle = dates.day_of_year + np.where(dates.is_month_start & table["site"].map(_is_monthly(records)).astype(bool), 14, 0)
    table[POTENTIAL] = potential_radiation_at_towers(lat=table["site"].map(lat).to_numpy(float), day=np.asarray(middle, float))
    return table.groupby(["site", "month"])[[*names, POTENTIAL]].mean()


def _is_monthly(records: pd.DataFrame) -> pd.Series:
    """Whether each site has one record per month, which then stands for its middle."""
    return pd.DatetimeIndex(records["date"]).to_series(index=records["site"]).dt.day.groupby(level=0).max() == 1


def correlations(cycles: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Correlation of seasonal cycles (site, 12) with those of a partner (site, 12); NaN for a constant or incomplete cycle."""
    first, second = (values - values.mean(axis=1, keepdims=True) for values in (cycles, partners))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / np.where(scale > 0, scale, np.nan))


def compare_seasons(years: pd.DataFrame) -> pd.DataFrame:
    """Compare each covariate of a network with its partner.

    Parameters
    ----------
    years : DataFrame
        From `mean_years`.

    Returns
    -------
    DataFrame
        One row per covariate: covariate, partner, towers, r (median over towers), least, fault (empty if the season fits), and
        r_restored (median after the rearrangement that the fault names).
    """
    cycles = {str(name): years[name].unstack("month").reindex(columns=range(1, 13)).to_numpy(float) for name in years}
    return pd.DataFrame(
        [_row(pair, cycles) for pair in PARTNERS if pair.covariate in cycles and pair.partner in cycles],
        columns=["covariate", "partner", "towers", "r", "least", "fault", "r_restored"],
    )


def _row(pair: Partner, cycles: dict[str, np.ndarray]) -> dict[str, object]:
    values, partner = cycles[pair.covariate], cycles[pair.partner]
    towers = int(np.isfinite(correlations(values, partner)).sum())
    r, fault, restored = _median(values, partner, pair.lags), "", np.nan
    if towers >= FEWEST_TOWERS and r < pair.least:
        fault, restored = _diagnosis(pair, cycles, enough=max(pair.least, r + 0.2))
    key = {"covariate": pair.covariate, "partner": pair.partner, "towers": towers}
    return key | {"r": r, "least": pair.least, "fault": fault, "r_restored": restored}


def _median(values: np.ndarray, partner: np.ndarray, lags: tuple[int, ...]) -> float:
    """Median correlation over towers at the best of the lags allowed."""
    by_lag = [correlations(np.roll(values, -lag, axis=1), partner) for lag in lags]
    return float(max((np.nanmedian(r) for r in by_lag if np.isfinite(r).any()), default=np.nan))


def _diagnosis(pair: Partner, cycles: dict[str, np.ndarray], *, enough: float) -> tuple[str, float]:
    """Return the fault that explains the season, and the median correlation once it is undone; NaN if none does.

    Another order of the column itself explains more than another column, which may have the same season by nature.
    """
    for candidates in (_reordered(cycles[pair.covariate]), _other_columns(pair, cycles)):
        usual = (pair.lags[len(pair.lags) // 2],)  # one lag, so that neighbouring shifts are told apart
        medians = {fault: _median(values, cycles[pair.partner], usual) for fault, values in candidates.items()}
        best = max(medians, key=lambda fault: medians[fault], default="")
        if best and medians[best] >= enough:
            return best, medians[best]
    return "no known rearrangement restores its season", np.nan


def _reordered(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the column (site, 12) with each known fault of its order undone."""
    calendar = np.empty_like(values)
    calendar[:, TEXT_ORDER] = values
    shifted = {f"it is shifted by {(lag + 5) % 12 - 5:+d} months": np.roll(values, -lag, axis=1) for lag in range(1, 12)}
    return {
        "its months stand in text order (1, 10, 11, 12, 2 ...)": calendar,
        "its months are reversed": values[:, ::-1],
    } | shifted


def _other_columns(pair: Partner, cycles: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    others = {name: values for name, values in cycles.items() if name not in (pair.covariate, pair.partner)}
    return {f"the column of {name} has its season": values for name, values in others.items()}


def check_networks(years: pd.DataFrame, networks: pd.Series) -> None:
    """Check the seasons of each network; log them, and refuse a network with a misplaced covariate.

    Parameters
    ----------
    years : DataFrame
        From `mean_years`.
    networks : Series by site
        Network of each tower.

    Raises
    ------
    InputError
        As `check_seasons`.
    """
    for network, part in years.groupby(years.index.get_level_values("site").map(networks)):
        table = check_seasons(part, where=f"network {network}")
        if len(table):
            _log.info("%s: seasons of covariates against their partners\n%s", network, table.to_string(index=False))
        for row in table[table["fault"] != ""].itertuples():
            _log.warning("%s: %s has an unusual season (correlation with %s %.2f)", network, row.covariate, row.partner, row.r)


def check_seasons(years: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Refuse a network in which a known rearrangement of a covariate restores its season.

    Returns
    -------
    DataFrame
        As `compare_seasons`.

    Raises
    ------
    InputError
        Names the covariate, its correlation, and the rearrangement that restores it.
    """
    table = compare_seasons(years)
    for row in table[table["r_restored"].notna()].itertuples():
        pair = f"median seasonal correlation with {row.partner} over {row.towers} towers"
        raise InputError(
            f"{row.covariate} does not stand in its months: {row.fault}",
            where=where,
            found=f"{pair} {row.r:.2f}, expected at least {row.least:.2f}; {row.r_restored:.2f} once this is undone",
            todo="put the column right, or leave `seasons` out of towers.quality.tests if the season is real",
        )
    return table

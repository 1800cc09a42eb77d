"""Compare the mean seasonal cycles of covariates with those of their physical partners, so that misplaced columns show.

Values of a column in the wrong order stay plausible; only its season shows the fault. Each covariate has a physical partner:
radiation follows the sun, temperature follows radiation, vapour pressure deficit follows temperature, and greenness goes with
photosynthesis. The median correlation with the partner over the towers of a network has a lower bound. Below it, known faults are
undone one by one (months in text order 1, 10, 11, 12, 2 ..., a shift, a reversed year, another column), and the one that restores
the season is reported.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl.solar import potential_radiation_at_towers

FEWEST_TOWERS = 10
"""Towers with a complete mean year from which on a network is judged; the season of a single tower may be unusual."""
POTENTIAL = "potential_radiation"
MONTHS = np.arange(12)
TEXT_ORDER = np.array(sorted(MONTHS, key=lambda month: str(month + 1)))
"""Calendar months (0 to 11) in the order of their numbers as text."""


@dataclass(frozen=True)
class Partner:
    """A covariate and a quantity whose season it shares."""

    covariate: str
    partner: str
    """Names in the vocabulary."""
    least: float
    """Lower bound of the median correlation of their mean seasonal cycles over the towers of a network."""
    lags: tuple[int, ...] = (0,)
    """Months by which the covariate may lag behind its partner."""


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
    """Return the mean seasonal cycle of each tower by (site, month 1 to 12), one column per variable of `PARTNERS`.

    `records` has the columns site, date and variables of the vocabulary; `lat` is the latitude by site, degrees north.
    Potential radiation (W m-2) is added.
    """
    dates = pd.DatetimeIndex(records["date"])
    names = sorted({n for p in PARTNERS for n in (p.covariate, p.partner)} & set(records.columns))
    table = records[["site", *names]].assign(month=dates.month)
    monthly = dates.to_series(index=records["site"]).dt.day.groupby(level=0).max() == 1  # a record stands for mid-month
    middle = dates.day_of_year + np.where(dates.is_month_start & table["site"].map(monthly).astype(bool), 14, 0)
    table[POTENTIAL] = potential_radiation_at_towers(lat=table["site"].map(lat).to_numpy(float), day=np.asarray(middle, float))
    return table.groupby(["site", "month"])[[*names, POTENTIAL]].mean()


def correlations(cycles: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Correlation of seasonal cycles (site, 12) with those of a partner (site, 12); NaN for a constant or incomplete cycle."""
    first, second = (values - values.mean(axis=1, keepdims=True) for values in (cycles, partners))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / np.where(scale > 0, scale, np.nan))


def compare_seasons(years: pd.DataFrame) -> pd.DataFrame:
    """Compare each covariate of a network with its partner, from the output of `mean_years`.

    Returns one row per covariate: covariate, partner, towers, r (median over towers), least, fault (empty if the season fits),
    and r_restored (median after the rearrangement that the fault names).
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
    """Return the fault that explains the season, and the median correlation once it is undone; NaN if none does."""
    names = [name for name in cycles if name not in (pair.covariate, pair.partner)]
    others = {f"the column of {name} has its season": cycles[name] for name in names}  # last: seasons may agree by nature
    for candidates in (_reordered(cycles[pair.covariate]), others):
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

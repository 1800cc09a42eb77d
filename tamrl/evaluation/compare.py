"""Comparisons of models over towers, with bootstrap intervals: changes of error against rivals, targets, and spatial skill.

The tower is the unit that is resampled (Efron 1979, doi 10.1214/aos/1176344552): days of one tower are not independent, so an
interval over days would be far too narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.sections.results import Target

REPEATS = 2000
LEVEL = 0.95
SEED = 20260301
"""Fixed, so that the same predictions give the same interval."""

MIN_TOWERS = 5
"""Fewer towers give no interval."""

YES, NO, ABSENT = "yes", "no", "not evaluated"

SIZES = (1, 2, 5, 10, 20)
"""Members of the smaller ensembles that the full one is compared with, to show the gain from a further member."""

CHANGE, TOWER_CHANGE, P90_CHANGE = (
    ("change", "low", "high"),
    ("tower_change", "tower_low", "tower_high"),
    ("p90_change", "p90_low", "p90_high"),
)
"""Columns of a change with its interval: of the median, of the geometric mean over towers, of the 90th percentile."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Statistic of towers: (repeats, towers, columns) to (repeats,)."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval over `n` towers (missing where there are fewer than `MIN_TOWERS`)."""

    estimate: float
    low: float
    high: float
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return bool(self.low > 0 or self.high < 0)

    def text(self, digits: int = 2) -> str:
        """Return the estimate with its interval, such as `0.41 [0.22, 0.55]`."""
        return f"{self.estimate:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def columns(self, names: Sequence[str]) -> dict[str, float]:
        """Return estimate, low and high end under three names."""
        return dict(zip(names, (self.estimate, self.low, self.high), strict=True))


def resample_towers(rows: np.ndarray, statistic: Statistic) -> Interval:
    """Estimate a statistic of towers with its percentile interval; `rows` is (towers,) or (towers, columns)."""
    rows = np.asarray(rows, dtype="f8")
    rows = rows[:, None] if rows.ndim == 1 else rows
    n = len(rows)
    estimate = float(statistic(rows[None])[0]) if n else np.nan
    if n < MIN_TOWERS:
        return Interval(estimate, np.nan, np.nan, n)
    draws = np.random.default_rng(SEED).integers(0, n, size=(REPEATS, n))
    low, high = np.nanquantile(statistic(rows[draws]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high), n)


def median_interval(values: np.ndarray) -> Interval:
    """Median over towers with its interval; `values` (towers,)."""
    return resample_towers(values, lambda rows: np.median(rows[..., 0], axis=1))


def paired_median(ours: pd.Series, theirs: pd.Series) -> Interval:
    """Median of the differences ours - theirs over the towers that both have (series indexed by site)."""
    both = pd.concat([ours, theirs], axis=1, join="inner").dropna()
    return median_interval((both.iloc[:, 0] - both.iloc[:, 1]).to_numpy())


def quantile_change(level: float) -> Statistic:
    """Statistic of RMSE (repeats, towers, 2): change in percent of the quantile `level` from the second to the first column."""

    def statistic(rows: np.ndarray) -> np.ndarray:
        """Pairs (repeats, towers, 2) to the change (repeats,) in percent."""
        ours, theirs = np.moveaxis(np.quantile(rows, level, axis=-2), -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(theirs > 0, 100 * (ours / theirs - 1), np.nan)

    return statistic


def paired_change(rows: np.ndarray) -> np.ndarray:
    """Change in percent of the geometric mean over towers from the second to the first column.

    (repeats, towers, 2) to (repeats,); missing where a tower's error is zero.
    """
    positive = (rows > 0).all(-1, keepdims=True)
    ours, theirs = np.moveaxis(np.where(positive, rows, np.nan), -1, 0)
    return np.asarray(100 * np.expm1(np.log(ours / theirs).mean(-1)))


def compare_models(metrics: pd.DataFrame, *, model: str, targets: Sequence[Target], step: Step) -> pd.DataFrame:
    """Compare the RMSE of `model` with that of each rival at the same towers, with bootstrap intervals over towers.

    Parameters
    ----------
    metrics : table of `contracts.METRICS`
    model : whose errors are compared with all others'
    targets : sequence of Target
        They concern the scale of the steps.
    step : {"day", "month"}

    Returns
    -------
    DataFrame by `contracts.COMPARISONS`; `change` is 100 (median of model / median of rival - 1), so less is better, and
    `tower_change` the same of the geometric mean over towers, which pairs the two models at each tower and so detects smaller
    differences. A target is met if the change of the median is at least as low, its interval excludes zero and, if
    `tail` is set, the 90th percentile is lower. A rival that was not evaluated has one row per flux without numbers.
    """
    wanted = {(t.rival, flux): (getattr(t, flux), t.tail) for t in targets for flux in FLUXES if getattr(t, flux) is not None}
    rivals = sorted(set(metrics["model"]) - {model})
    rows: list[dict[str, object]] = []
    for (split, flux, scale), part in metrics.groupby(["split", "flux", "scale"], observed=True):
        table = part.pivot(index="site", columns="model", values="rmse")
        for rival in rivals if model in table else []:
            if rival in table:
                target = wanted.get((rival, flux)) if scale == step else None
                row = _comparison(table[[model, rival]].dropna().to_numpy(), target)
                rows.append({"model": model, "rival": rival, "split": split, "flux": flux, "scale": scale} | row)
    absent = [(rival, flux) for rival, flux in wanted if rival not in rivals]
    for split in sorted(set(metrics["split"])):
        for rival, flux in absent:
            key = {"model": model, "rival": rival, "split": split, "flux": flux, "scale": step, "towers": 0}
            rows.append(key | {"target": -wanted[rival, flux][0], "met": ABSENT})
    columns = ["model", "rival", "split", "flux", "scale", "towers", "median", "rival_median"]
    texts = dict.fromkeys(("model", "rival", "split", "flux", "scale", "met"), "str")
    frame = pd.DataFrame(rows, columns=[*columns, *CHANGE, *TOWER_CHANGE, *P90_CHANGE, "target", "met"])
    return frame.astype(texts | {"towers": int})  # because an empty column has no type


def _comparison(pairs: np.ndarray, target: tuple[float, bool] | None) -> dict[str, object]:
    """Numbers of one rival, split, flux and scale; `pairs` (towers, 2) holds our RMSE and theirs."""
    if not len(pairs):
        return {"towers": 0, "met": ABSENT if target else None}
    centre, tail = (resample_towers(pairs, quantile_change(q)) for q in (0.5, 0.9))
    row: dict[str, object] = {"towers": len(pairs), "median": np.median(pairs[:, 0]), "rival_median": np.median(pairs[:, 1])}
    row |= centre.columns(CHANGE) | resample_towers(pairs, paired_change).columns(TOWER_CHANGE) | tail.columns(P90_CHANGE)
    if target:
        percent, tail_too = target
        met = centre.estimate <= -percent and centre.high < 0 and (not tail_too or tail.estimate < 0)
        row |= {"target": -percent, "met": YES if met else NO}
    return row


def score_smaller_ensembles(frame: pd.DataFrame, *, qc: float) -> pd.DataFrame:
    """Score the first members of an ensemble, as in a run with fewer members, since each member has its own seed.

    Parameters
    ----------
    frame : checked members (`pairs.check_members`) of one model
    qc : steps with a lower NEE quality, or none, are not scored

    Returns
    -------
    DataFrame
        model (`<model>, k of n members`, then all of them as `<model>`), flux, site and rmse at the same steps.
    """
    count = frame["member"].nunique()
    values = frame["predicted"].to_numpy("f8").reshape(count, -1)  # (member, row)
    one = frame.iloc[: values.shape[1]]
    scored = ((one["qc"] >= qc) & one["observed"].notna()).to_numpy() & np.isfinite(values).all(0)
    keys = [one[name][scored] for name in ("flux", "site")]
    name, observed, parts = str(one["model"].iloc[0]), one["observed"].to_numpy("f8")[scored], []
    for k in [k for k in SIZES if k < count] + [count]:
        square = pd.Series((values[:k, scored].mean(0) - observed) ** 2, index=one.index[scored])
        rmse = np.sqrt(square.groupby(keys, observed=True).mean()).rename("rmse").reset_index()
        parts.append(rmse.assign(model=name if k == count else f"{name}, {k} of {count} members"))
    return pd.concat(parts, ignore_index=True)


def spatial_skill(means: pd.DataFrame) -> Interval:
    """R² = 1 - SSE / SST of the means of towers (rows of one model, split and flux) with its bootstrap interval.

    Does the model know which of two unseen towers has the larger mean flux? A map can have a good seasonal cycle and still
    place its sinks at random. SST is taken about the mean of the towers, so a constant would score zero.
    """

    def r2(rows: np.ndarray) -> np.ndarray:
        """Columns observed and predicted (repeats, towers, 2) to R² (repeats,)."""
        o, p = rows[..., 0], rows[..., 1]
        total = ((o - o.mean(-1, keepdims=True)) ** 2).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 0, 1 - ((o - p) ** 2).sum(-1) / total, np.nan)

    return resample_towers(means[["observed", "predicted"]].to_numpy(), r2)


def skill_sentence(interval: Interval) -> str:
    """Return the spatial skill of a flux in words, for maps and report."""
    if interval.n < MIN_TOWERS:
        return f"no demonstrated spatial skill ({interval.n} held-out towers with a mean are too few to tell)"
    number = f"R² of site means {interval.text()} at {interval.n} held-out towers"
    return number if interval.low > 0 else f"no demonstrated spatial skill ({number})"

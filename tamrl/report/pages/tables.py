"""Tables of the report: frames in, texts out."""

import numpy as np
import pandas as pd

from tamrl.evaluation import bootstrap
from tamrl.report.figures.maps import BAND_NAMES
from tamrl.report.figures.scores import SCALE_NAMES, paired
from tamrl.report.pages.html import Table
from tamrl.report.style import FLUX_NAMES, FLUX_UNITS, number

HARD = (("koppen", "Tropical"), ("igbp", "EBF"))
"""Where upscaling is known to fail, told by name."""


def inputs_of(split: str) -> str:
    """`tower` or `grid`, from the column `split`."""
    return "tower" if split.endswith(":tower") else "grid"


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """A table of a run without grids: its only inputs are the towers', which its splits do not say."""
    return rows.assign(split=rows["split"].astype(str) + ":tower")


def tower_scores(metrics: pd.DataFrame) -> Table:
    """Medians and tails over held-out towers by flux, scale, inputs and model."""
    rows = []
    for flux in FLUX_NAMES:
        for scale in (s for s in SCALE_NAMES if s in set(metrics["scale"])):
            part = metrics[(metrics["flux"] == flux) & (metrics["scale"] == scale)]
            for (split, model), group in part.groupby(["split", "model"]):
                rows.append([FLUX_NAMES[flux], SCALE_NAMES[scale], inputs_of(split), model, f"{len(group)}", *_summary(group)])
    columns = ["flux", "scale", "inputs", "model", "towers", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "R²", "NSE"]
    return Table(
        f"Scores at held-out towers: medians over towers, and the RMSE that 90 % of the towers keep below ({FLUX_UNITS})",
        columns,
        rows,
        labels=4,
    )


def _summary(group: pd.DataFrame) -> list[str]:
    median = group[["rmse", "mae", "bias", "r2", "nse"]].median()
    tail = group["rmse"].quantile(0.9)
    return [number(median["rmse"]), number(tail), *(number(median[k]) for k in ("mae", "bias", "r2", "nse"))]


def hard_places(metrics: pd.DataFrame, *, scale: str) -> Table:
    """The same for the tropics and for evergreen broadleaf forest."""
    rows = []
    for column, name in HARD:
        here = metrics[(metrics[column] == name) & (metrics["scale"] == scale)]
        for (flux, split, model), group in here.groupby(["flux", "split", "model"]):
            rows.append([name, FLUX_NAMES[flux], inputs_of(split), model, f"{len(group)}", *_summary(group)])
    columns = ["class", "flux", "inputs", "model", "towers", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "R²", "NSE"]
    return Table(f"Where models usually fail: medians by {scale} ({FLUX_UNITS})", columns, rows, labels=4)


def paired_differences(metrics: pd.DataFrame, *, map_model: str) -> Table:
    """Median paired differences of RMSE with 95 % bootstrap intervals over towers."""
    rows = []
    for rival in sorted(set(metrics["model"]) - {map_model}):
        for (flux, split, scale), part in metrics.groupby(["flux", "split", "scale"]):
            found = paired(part, map_model, rival)
            if found.n:
                rows.append((rival, flux, split, scale, found))
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    rows.sort(key=lambda r: (r[0], order[r[1]], r[2], order[r[3]]))
    texts = [
        [f"{map_model} − {r}", FLUX_NAMES[f], inputs_of(s), SCALE_NAMES[k], f"{v.n}", *_interval(v)] for r, f, s, k, v in rows
    ]
    columns = ["models", "flux", "inputs", "scale", "towers", "difference", "95 % interval", "verdict"]
    return Table(
        f"Paired differences of RMSE, median over towers ({FLUX_UNITS}); below zero the first model is better",
        columns,
        texts,
        labels=4,
    )


def _interval(found: bootstrap.Interval) -> list[str]:
    verdict = ("better" if found.high < 0 else "worse") if found.excludes_zero else "not told apart"
    return [number(found.estimate, 3), f"[{number(found.low, 3)}, {number(found.high, 3)}]", verdict]


def normalised(scores: pd.DataFrame, *, scale: str) -> Table:
    """Relative errors over towers (`contracts.SCORES`): median, quartiles and 90th percentile, by climate and for the tropics."""
    rows = []
    kept = scores[(scores["scale"] == scale) & scores["kind"].isin(["all", "koppen", "latitude"])]
    names = {"nmae": "nMAE", "rae": "RAE"}
    for flux in FLUX_NAMES:
        for (score, group, split, model), part in kept[kept["flux"] == flux].groupby(["score", "group", "split", "model"]):
            if score in names:
                r = part.iloc[0]
                values = [number(r[k]) for k in ("q25", "median", "q75", "p90")]
                rows.append([FLUX_NAMES[flux], names[score], group, inputs_of(split), model, f"{r['towers']}", *values])
    columns = ["flux", "score", "towers of", "inputs", "model", "towers", "25th pct.", "median", "75th pct.", "90th pct."]
    title = "Errors relative to the mean absolute flux (nMAE) and to the error of the tower's own mean (RAE)"
    return Table(f"{title}, by {scale}", columns, rows, labels=5)


def changes(comparisons: pd.DataFrame) -> Table:
    """Relative changes of RMSE against each rival with targets (`contracts.COMPARISONS`)."""
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    ranked = comparisons.assign(a=comparisons["flux"].map(order), b=comparisons["scale"].map(order))
    rows = []
    for r in ranked.sort_values(["rival", "a", "split", "b"]).itertuples(index=False):
        head = [f"{r.model} against {r.rival}", FLUX_NAMES[r.flux], inputs_of(r.split), SCALE_NAMES[r.scale], f"{r.towers}"]
        rows.append([*head, *change_texts(r)])
    changed = ["median (%)", "same tower (%)", "90th pct. (%)", "target (%)", "met"]
    columns = ["models", "flux", "inputs", "scale", "towers", *changed]
    return Table(
        "Change of RMSE over towers in percent, with 95 % intervals; below zero the first model is better", columns, rows, 4
    )


def change_texts(row: object) -> list[str]:
    """Change of the median, at the same tower and of the tail with their intervals, target, and whether it is met."""

    def text(estimate: float, low: float, high: float) -> str:
        return f"{number(estimate, 1)} [{number(low, 1)}, {number(high, 1)}]" if np.isfinite(estimate) else "–"

    target = number(row.target, 0) if np.isfinite(row.target) else "–"
    met = row.met if isinstance(row.met, str) else "–"
    tower, tail = (row.tower_change, row.tower_low, row.tower_high), (row.p90_change, row.p90_low, row.p90_high)
    return [text(row.change, row.low, row.high), text(*tower), text(*tail), target, met]


def reliability(table: pd.DataFrame) -> Table:
    """Coverage, width and proper scores of the intervals, where they fail first (`contracts.RELIABILITY`)."""
    failed = (table["met"] != "no").astype(int)
    rows = []
    for r in table.assign(failed=failed).sort_values(["failed"], kind="stable").itertuples(index=False):
        limits = f"{100 * r.least:.0f}–{100 * r.most:.0f}" if np.isfinite(r.least) else "–"
        met = r.met if isinstance(r.met, str) else "–"
        head = [FLUX_NAMES[r.flux], r.group, inputs_of(r.split), r.model, r.intervals, f"{r.towers}", number(100 * r.coverage, 1)]
        rows.append([*head, limits, met, number(r.width), number(r.crps), number(r.interval_score)])
    columns = [
        "flux",
        "towers of",
        "inputs",
        "model",
        "intervals from",
        "towers",
        "inside 90 % interval (%)",
        "limits (%)",
        "held",
    ]
    columns += [f"width ({FLUX_UNITS})", "CRPS", "interval score"]
    return Table("Intervals at held-out towers, by class and season; what fails stands first", columns, rows, labels=5)


def budgets(table: pd.DataFrame) -> Table:
    """All of `budgets.csv`."""
    rows = [
        [
            FLUX_NAMES[r.flux],
            r.year,
            BAND_NAMES.get(r.region, r.region),
            number(r.area_m2 / 1e12, 1),
            *(number(v) for v in (r.mean, r.std, r.minimum, r.maximum)),
        ]
        for r in table.itertuples(index=False)
    ]
    columns = ["flux", "year", "region", "land area (10⁶ km²)", "mean", "std. dev.", "minimum", "maximum"]
    return Table("Budgets in PgC yr⁻¹: mean, standard deviation and range of the members", columns, rows, labels=3)


def dropped_towers(quality: pd.DataFrame) -> Table:
    """Towers that were left out as a whole, with the reason."""
    whole = quality[(quality["kept"] == 0) & quality["note"].notna()].sort_values(["test", "site"])
    rows = [[r.site, r.test, r.note, f"{r.dropped}"] for r in whole.itertuples(index=False)]
    return Table("Towers left out", ["tower", "test", "reason", "good steps lost"], rows, labels=3)


def timings(benchmarks: dict[str, list[tuple[float, float]]]) -> Table:
    """Seconds and memory per rule: `{rule: [(seconds, MB), ...]}`."""
    rows = []
    for rule, jobs in sorted(benchmarks.items(), key=lambda item: -sum(s for s, _ in item[1])):
        seconds, memory = np.array(jobs, dtype="f8").T
        rows.append(
            [rule, f"{len(jobs)}", number(seconds.sum(), 1), number(np.nanmax(memory), 0) if np.isfinite(memory).any() else "–"]
        )
    return Table("Time and memory of the rules", ["rule", "jobs", "seconds, all jobs", "largest memory (MB)"], rows)


def pairs(caption: str, entries: dict[str, str]) -> Table:
    """Names and values."""
    return Table(caption, ["", ""], [[k, v] for k, v in entries.items()], labels=2)

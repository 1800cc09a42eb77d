"""Tables of the report: frames in, texts out."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tamrl.evaluation.compare import CHANGE, NO, P90_CHANGE, TOWER_CHANGE, Interval
from tamrl.report.figures.scores import SCALE_NAMES, paired_rmse_difference
from tamrl.report.pages.html import ReportTable
from tamrl.report.results import Timings
from tamrl.report.style import BAND_NAMES, FLUX_NAMES, FLUX_UNITS, format_number

HARD = (("koppen", "Tropical"), ("igbp", "EBF"))
"""Columns and groups where upscaling is known to fail."""


def inputs_of(split: str) -> str:
    """Return `tower` or `grid`, from the column `split`."""
    return "tower" if split.endswith(":tower") else "grid"


def tower_score_table(metrics: pd.DataFrame) -> ReportTable:
    """List medians and tails over held-out towers by flux, scale, inputs and model."""
    rows = []
    for flux in FLUX_NAMES:
        for scale in (s for s in SCALE_NAMES if s in set(metrics["scale"])):
            part = metrics[(metrics["flux"] == flux) & (metrics["scale"] == scale)]
            for (split, model), group in part.groupby(["split", "model"]):
                rows.append([FLUX_NAMES[flux], SCALE_NAMES[scale], inputs_of(split), model, f"{len(group)}", *score_texts(group)])
    columns = ["flux", "scale", "inputs", "model", "towers", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "R²", "NSE"]
    return ReportTable(
        f"Scores at held-out towers: medians over towers, and the RMSE that 90 % of the towers keep below ({FLUX_UNITS})",
        columns,
        rows,
        labels=4,
    )


def score_texts(group: pd.DataFrame) -> list[str]:
    """Format the median RMSE, its 90th percentile, and the medians of MAE, bias, R² and NSE over towers."""
    median = group[["rmse", "mae", "bias", "r2", "nse"]].median()
    tail = group["rmse"].quantile(0.9)
    return [format_number(median["rmse"]), format_number(tail), *(format_number(median[k]) for k in ("mae", "bias", "r2", "nse"))]


def hard_place_table(metrics: pd.DataFrame, *, scale: str) -> ReportTable:
    """List the same for the tropics and for evergreen broadleaf forest."""
    rows = []
    for column, name in HARD:
        part = metrics[(metrics[column] == name) & (metrics["scale"] == scale)]
        for (flux, split, model), group in part.groupby(["flux", "split", "model"]):
            rows.append([name, FLUX_NAMES[flux], inputs_of(split), model, f"{len(group)}", *score_texts(group)])
    columns = ["class", "flux", "inputs", "model", "towers", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "R²", "NSE"]
    return ReportTable(f"Where models usually fail: medians by {scale} ({FLUX_UNITS})", columns, rows, labels=4)


def difference_table(metrics: pd.DataFrame, *, map_model: str) -> ReportTable:
    """List median paired differences of RMSE with 95 % bootstrap intervals over towers."""
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    groups = sorted(metrics.groupby(["flux", "split", "scale"]), key=lambda g: (order[g[0][0]], g[0][1], order[g[0][2]]))
    rows = []
    for rival in sorted(set(metrics["model"]) - {map_model}):
        for (flux, split, scale), part in groups:
            change = paired_rmse_difference(part, map_model, rival)
            if change.n:
                head = [f"{map_model} − {rival}", FLUX_NAMES[flux], inputs_of(split), SCALE_NAMES[scale], f"{change.n}"]
                rows.append([*head, *_difference_texts(change)])
    columns = ["models", "flux", "inputs", "scale", "towers", "difference", "95 % interval", "verdict"]
    caption = f"Paired differences of RMSE, median over towers ({FLUX_UNITS}); below zero the first model is better"
    return ReportTable(caption, columns, rows, labels=4)


def _difference_texts(change: Interval) -> list[str]:
    verdict = ("better" if change.high < 0 else "worse") if change.excludes_zero else "not told apart"
    return [format_number(change.estimate, 3), f"[{format_number(change.low, 3)}, {format_number(change.high, 3)}]", verdict]


def normalised_table(scores: pd.DataFrame, *, scale: str) -> ReportTable:
    """List relative errors over towers (`contracts.SCORES`): quartiles and 90th percentile, by climate and for the tropics."""
    rows = []
    rated = scores[(scores["scale"] == scale) & scores["kind"].isin(["all", "koppen", "latitude"])]
    names = {"nmae": "nMAE", "rae": "RAE"}
    for flux in FLUX_NAMES:
        for (score, group, split, model), part in rated[rated["flux"] == flux].groupby(["score", "group", "split", "model"]):
            if score in names:
                r = part.iloc[0]
                values = [format_number(r[k]) for k in ("q25", "median", "q75", "p90")]
                rows.append([FLUX_NAMES[flux], names[score], group, inputs_of(split), model, f"{r['towers']}", *values])
    columns = ["flux", "score", "towers of", "inputs", "model", "towers", "25th pct.", "median", "75th pct.", "90th pct."]
    title = "Errors relative to the mean absolute flux (nMAE) and to the error of the tower's own mean (RAE)"
    return ReportTable(f"{title}, by {scale}", columns, rows, labels=5)


def change_table(comparisons: pd.DataFrame) -> ReportTable:
    """List relative changes of RMSE against each rival with targets (`contracts.COMPARISONS`)."""
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    ranked = comparisons.assign(a=comparisons["flux"].map(order), b=comparisons["scale"].map(order))
    rows = []
    for r in ranked.sort_values(["rival", "a", "split", "b"]).itertuples(index=False):
        head = [f"{r.model} against {r.rival}", FLUX_NAMES[r.flux], inputs_of(r.split), SCALE_NAMES[r.scale], f"{r.towers}"]
        rows.append([*head, *change_texts(r)])
    changed = ["median (%)", "same tower (%)", "90th pct. (%)", "target (%)", "met"]
    columns = ["models", "flux", "inputs", "scale", "towers", *changed]
    return ReportTable(
        "Change of RMSE over towers in percent, with 95 % intervals; below zero the first model is better", columns, rows, 4
    )


def interval_text(estimate: float, low: float, high: float) -> str:
    """Format a change in percent with its interval."""
    return f"{format_number(estimate, 1)} [{format_number(low, 1)}, {format_number(high, 1)}]"


def change_texts(row: NamedTuple) -> list[str]:
    """Format the change of the median, at the same tower and of the tail, the target, and whether it is met."""
    values = row._asdict()
    triples = ([values[name] for name in names] for names in (CHANGE, TOWER_CHANGE, P90_CHANGE))
    texts = [interval_text(*triple) if np.isfinite(triple[0]) else "–" for triple in triples]
    return [*texts, format_number(values["target"], 0), values["met"] if isinstance(values["met"], str) else "–"]


def reliability_table(table: pd.DataFrame) -> ReportTable:
    """List coverage, width and proper scores of the intervals, failures first (`contracts.RELIABILITY`)."""
    failed = (table["met"] != NO).astype(int)
    rows = []
    for r in table.assign(failed=failed).sort_values(["failed"], kind="stable").itertuples(index=False):
        limits = f"{100 * r.least:.0f}–{100 * r.most:.0f}" if np.isfinite(r.least) else "–"
        met = r.met if isinstance(r.met, str) else "–"
        head = [
            FLUX_NAMES[r.flux],
            r.group,
            inputs_of(r.split),
            r.model,
            r.intervals,
            f"{r.towers}",
            format_number(100 * r.coverage, 1),
        ]
        rows.append([*head, limits, met, format_number(r.width), format_number(r.crps), format_number(r.interval_score)])
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
    return ReportTable("Intervals at held-out towers, by class and season; what fails stands first", columns, rows, labels=5)


def all_budgets_table(table: pd.DataFrame) -> ReportTable:
    """List all of `budgets.csv`."""
    rows = []
    for r in table.itertuples(index=False):
        head = [FLUX_NAMES[r.flux], r.year, BAND_NAMES.get(r.region, r.region), format_number(r.area_m2 / 1e12, 1)]
        rows.append([*head, *map(format_number, (r.mean, r.std, r.minimum, r.maximum))])
    columns = ["flux", "year", "region", "land area (10⁶ km²)", "mean", "std. dev.", "minimum", "maximum"]
    return ReportTable("Budgets in PgC yr⁻¹: mean, standard deviation and range of the members", columns, rows, labels=3)


def dropped_tower_table(quality: pd.DataFrame) -> ReportTable:
    """List the towers that were left out, with the reason."""
    dropped = quality[(quality["kept"] == 0) & quality["note"].notna()].sort_values(["test", "site"])
    rows = [[r.site, r.test, r.note, f"{r.dropped}"] for r in dropped.itertuples(index=False)]
    return ReportTable("Towers left out", ["tower", "test", "reason", "good steps lost"], rows, labels=3)


def timing_table(timings: Timings) -> ReportTable:
    """List seconds and memory per rule."""
    rows = []
    for rule, jobs in sorted(timings.items(), key=lambda item: -sum(s for s, _ in item[1])):
        seconds, memory = np.array(jobs, dtype="f8").T
        largest = format_number(np.nanmax(memory), 0) if np.isfinite(memory).any() else "–"
        rows.append([rule, f"{len(jobs)}", format_number(seconds.sum(), 1), largest])
    return ReportTable("Time and memory of the rules", ["rule", "jobs", "seconds, all jobs", "largest memory (MB)"], rows)

"""Tables of the report: frames in, texts out."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tamrl.evaluation.bootstrap import Interval, TowerGroups
from tamrl.evaluation.compare import CHANGE, NO, P90_CHANGE, TOWER_CHANGE
from tamrl.layout import File
from tamrl.report.figures.scores import SCALE_NAMES, paired_rmse_difference
from tamrl.report.figures.ways import ceiling_name
from tamrl.report.pages.html import ReportTable
from tamrl.report.pages.texts import CEILING_NAMES, SCORE_NAMES
from tamrl.report.results import Timings
from tamrl.report.style import BAND_NAMES, FLUX_NAMES, FLUX_UNITS, format_number
from tamrl.sections.results import BEST

HARD = (("koppen", "Tropical"), ("igbp", "EBF"))
"""Columns and groups where upscaling is known to fail."""


SCORE_COLUMNS = ("towers", "groups", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "NSE", "r²")
"""Numbers of towers and of groups of neighbours, then medians over towers and the tail; errors in gC m-2 d-1."""


def inputs_of(split: str) -> str:
    """Return `tower` or `grid`, from the column `split`."""
    return "tower" if split.endswith(":tower") else "grid"


def tower_score_table(metrics: pd.DataFrame, groups: TowerGroups) -> ReportTable:
    """List medians and tails over held-out towers by flux, scale, inputs and model."""
    rows = []
    for flux in FLUX_NAMES:
        for scale in (s for s in SCALE_NAMES if s in set(metrics["scale"])):
            part = metrics[(metrics["flux"] == flux) & (metrics["scale"] == scale)]
            for (split, model), group in part.groupby(["split", "model"]):
                rows.append([FLUX_NAMES[flux], SCALE_NAMES[scale], inputs_of(split), model, *score_texts(group, groups)])
    columns = ["flux", "scale", "inputs", "model", *SCORE_COLUMNS]
    caption = "Scores at held-out towers: medians over towers, and the RMSE that 90 % of the towers keep below"
    return ReportTable(f"{caption} ({FLUX_UNITS}). {SCORE_NAMES}", columns, rows, labels=4, source=File.SITE_METRICS)


def score_texts(group: pd.DataFrame, groups: TowerGroups) -> list[str]:
    """Format the columns `SCORE_COLUMNS` of rows that have one tower each."""
    median = group[["rmse", "mae", "bias", "nse", "r2"]].median()
    numbers = [median["rmse"], group["rmse"].quantile(0.9), *(median[name] for name in ("mae", "bias", "nse", "r2"))]
    return [f"{len(group)}", f"{groups.count(group['site'])}", *map(format_number, numbers)]


def hard_place_table(metrics: pd.DataFrame, groups: TowerGroups, *, scale: str) -> ReportTable:
    """List the same for the tropics and for evergreen broadleaf forest."""
    rows = []
    for column, name in HARD:
        part = metrics[(metrics[column] == name) & (metrics["scale"] == scale)]
        for (flux, split, model), group in part.groupby(["flux", "split", "model"]):
            rows.append([name, FLUX_NAMES[flux], inputs_of(split), model, *score_texts(group, groups)])
    columns = ["class", "flux", "inputs", "model", *SCORE_COLUMNS]
    caption = f"Where models usually fail: medians by {scale} ({FLUX_UNITS}). {SCORE_NAMES}"
    return ReportTable(caption, columns, rows, labels=4, source=File.SITE_METRICS)


def difference_table(metrics: pd.DataFrame, groups: TowerGroups, *, map_model: str) -> ReportTable:
    """List median paired differences of RMSE with 95 % bootstrap intervals over groups of towers."""
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    parts = sorted(metrics.groupby(["flux", "split", "scale"]), key=lambda g: (order[g[0][0]], g[0][1], order[g[0][2]]))
    rows = []
    for rival in sorted(set(metrics["model"]) - {map_model}):
        for (flux, split, scale), part in parts:
            change = paired_rmse_difference(part, groups, map_model, rival)
            if change.n:
                head = [
                    f"{map_model} − {rival}",
                    FLUX_NAMES[flux],
                    inputs_of(split),
                    SCALE_NAMES[scale],
                    f"{change.n}",
                    f"{change.groups}",
                ]
                rows.append([*head, *_difference_texts(change)])
    columns = ["models", "flux", "inputs", "scale", "towers", "groups", "difference", "95 % interval", "verdict"]
    caption = f"Paired differences of RMSE, median over towers ({FLUX_UNITS}); below zero the first model is better"
    return ReportTable(caption, columns, rows, labels=4, source=File.SITE_METRICS)


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
    return ReportTable(f"{title}, by {scale}", columns, rows, labels=5, source=File.SCORES)


def change_table(comparisons: pd.DataFrame) -> ReportTable:
    """List relative changes of RMSE against each rival with targets (`contracts.COMPARISONS`)."""
    order = {name: k for k, name in enumerate((*FLUX_NAMES, *SCALE_NAMES))}
    ranked = comparisons.assign(a=comparisons["flux"].map(order), b=comparisons["scale"].map(order))
    rows = []
    for r in ranked.sort_values(["rival", "a", "split", "b"]).itertuples(index=False):
        head = [
            f"{r.model} against {r.rival}",
            FLUX_NAMES[r.flux],
            inputs_of(r.split),
            SCALE_NAMES[r.scale],
            f"{r.towers}",
            f"{r.groups}",
        ]
        rows.append([*head, *change_texts(r)])
    changed = ["median (%)", "same tower (%)", "90th pct. (%)", "target (%)", "met"]
    columns = ["models", "flux", "inputs", "scale", "towers", "groups", *changed]
    caption = "Change of RMSE over towers in percent, with 95 % intervals; below zero the first model is better"
    return ReportTable(caption, columns, rows, labels=4, source=File.COMPARISONS)


def interval_text(estimate: float, low: float, high: float) -> str:
    """Format a change in percent with its interval."""
    return f"{format_number(estimate, 1)} [{format_number(low, 1)}, {format_number(high, 1)}]"


def change_texts(row: NamedTuple) -> list[str]:
    """Format the change of the median, at the same tower and of the tail, the target, and whether it is met."""
    values = row._asdict()
    triples = ([values[name] for name in names] for names in (CHANGE, TOWER_CHANGE, P90_CHANGE))
    texts = [interval_text(*triple) if np.isfinite(triple[0]) else "–" for triple in triples]
    return [*texts, format_number(values["target"], 0), values["met"] if isinstance(values["met"], str) else "–"]


WAY_COLUMNS: tuple[str, ...] = (
    "flux",
    "inputs",
    "ceiling",
    "against",
    "towers",
    "groups",
    "rival's RMSE",
    "RMSE",
    "ceiling's RMSE",
)
WAY_COLUMNS += ("share of the way (%)", "target (%)", "met")
"""Columns of `way_texts`; errors are geometric means over towers, gC m-2 d-1."""


def way_texts(shares: pd.DataFrame) -> list[list[str]]:
    """Format shares of the way from rivals to ceilings (`contracts.SHARES`)."""
    rows = []
    for flux in FLUX_NAMES:
        for r in shares[shares["flux"] == flux].itertuples(index=False):
            against = f"{r.against} ({r.rival})" if r.against == BEST and r.towers else r.against
            numbers = [format_number(value) for value in (r.rival_error, r.error, r.ceiling_error)]
            share = interval_text(r.share, r.low, r.high) if np.isfinite(r.share) else "–"
            met = r.met if isinstance(r.met, str) else "–"
            head = [
                FLUX_NAMES[flux],
                inputs_of(r.split),
                ceiling_name(r.ceiling, r.months),
                against,
                f"{r.towers}",
                f"{r.groups}",
            ]
            rows.append([*head, *numbers, share, format_number(r.target, 0), met])
    return rows


def way_table(shares: pd.DataFrame) -> ReportTable:
    """List shares of the way from rivals to ceilings (`contracts.SHARES`)."""
    caption = f"Share of the way from a rival's error to a ceiling's; geometric means over towers ({FLUX_UNITS})"
    return ReportTable(f"{caption}. {CEILING_NAMES}", WAY_COLUMNS, way_texts(shares), labels=4, source=File.SHARES)


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
            r.scale,
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
        "mean of a",
        "intervals from",
        "towers",
        "inside 90 % interval (%)",
        "limits (%)",
        "held",
    ]
    columns += [f"width ({FLUX_UNITS})", "CRPS", "interval score"]
    return ReportTable(
        "Intervals at held-out towers, by class, season, zone and tenth of the observed flux; what fails stands first",
        columns,
        rows,
        labels=6,
        source=File.RELIABILITY,
    )


def all_budgets_table(table: pd.DataFrame) -> ReportTable:
    """List all of `budgets.csv`."""
    rows = []
    for r in table.itertuples(index=False):
        head = [FLUX_NAMES[r.flux], r.year, BAND_NAMES.get(r.region, r.region), format_number(r.area_m2 / 1e12, 1)]
        parts = (r.member_std, r.class_std, r.place_std, r.passing_std)
        rows.append([*head, *map(format_number, (r.mean, r.q05, r.q95, r.std, *parts))])
    columns = ["flux", "year", "region", "land area (10⁶ km²)", "mean", "5 %", "95 %", "std. dev."]
    columns += ["of members", "of classes", "of places", "passing"]
    title = "Budgets in PgC yr⁻¹ with their 90 % intervals, and the standard deviations of the parts of their errors"
    return ReportTable(title, columns, rows, labels=3, source=File.BUDGETS)


def dropped_tower_table(quality: pd.DataFrame) -> ReportTable:
    """List the towers that were left out, with the reason."""
    dropped = quality[(quality["kept"] == 0) & quality["note"].notna()].sort_values(["test", "site"])
    rows = [[r.site, r.test, r.note, f"{r.dropped}"] for r in dropped.itertuples(index=False)]
    return ReportTable("Towers left out", ["tower", "test", "reason", "good steps lost"], rows, 3, File.QUALITY)


def timing_table(timings: Timings) -> ReportTable:
    """List seconds and memory per rule."""
    rows = []
    for rule, jobs in sorted(timings.items(), key=lambda item: -sum(s for s, _ in item[1])):
        seconds, memory = np.array(jobs, dtype="f8").T
        largest = format_number(np.nanmax(memory), 0) if np.isfinite(memory).any() else "–"
        rows.append([rule, f"{len(jobs)}", format_number(seconds.sum(), 1), largest])
    return ReportTable(
        "Time and memory of the rules", ["rule", "jobs", "seconds, all jobs", "largest memory (MB)"], rows, 1, File.PROVENANCE
    )

"""The verdict: five lines that say what a run found, how far to trust it, and where not to use it."""

import numpy as np
import pandas as pd

from tamrl import classes
from tamrl.carbon import FLUXES
from tamrl.evaluation.compare import NO
from tamrl.report.figures import budgets
from tamrl.report.pages import tables, texts
from tamrl.report.pages.html import Headline
from tamrl.report.results import MapResults, RunResults
from tamrl.report.style import FLUX_LONG, FLUX_NAMES, FLUX_UNITS, covered_note, format_number, format_total, true_minus

WORST = 3
"""Most groups of towers that are named for the coverage of their intervals."""


def compose_verdict(results: RunResults) -> list[Headline]:
    """List one line for each flux, one for the intervals and one for what the run must not be used for."""
    maps = results.maps
    fluxes = total_headlines(results, maps) if maps else error_headlines(results)
    return [*fluxes, coverage_headline(results), limits_headline(results)]


def total_headlines(results: RunResults, maps: MapResults) -> list[Headline]:
    """State the totals of all mapped land with their intervals, beside truth or published totals, and the spatial skill."""
    table = budgets.mean_budgets(maps.budgets)
    every = classes.name_of_all(table["region"])
    total = table[table["region"] == every].set_index("flux")
    headlines = []
    for flux in FLUXES:
        low, high = (format_total(total.loc[flux, end], every) for end in ("q05", "q95"))
        value = f"{format_total(total.loc[flux, 'mean'], every)} ({low} to {high})"
        detail = f"{_compared(results, maps, flux, total.loc[flux])} Differences between places: {_skill(results, flux)}"
        headlines.append(Headline(f"{FLUX_LONG[flux]} of the {every}, with its 90 % interval", value, "PgC yr⁻¹", detail, flux))
    return headlines


def _skill(results: RunResults, flux: str) -> str:
    return f"{true_minus(results.held_out.calibration.skill[flux])}."


def _compared(results: RunResults, maps: MapResults, flux: str, total: pd.Series) -> str:
    """Say where the truth, another product or published totals lie."""
    sums, label = maps.summed.fluxes[flux], results.description.reference
    if sums.reference is not None and label:
        every = sums.land.name
        ours, theirs = (sums.common_totals(part)[every] for part in (sums.compared.estimate, sums.compared.mean))
        note, filled = covered_note(sums.covered()[every]), sums.filled_totals()[every]
        beside = f", estimate {format_total(ours, every)}{note}" if note else ""
        inside = "inside" if total["q05"] <= filled <= total["q95"] else "outside"
        verdict = f", {inside} the interval" if np.isfinite(filled) else ""
        return f"{label[0].upper()}{label[1:]}: {format_total(theirs, every)}{beside}{verdict}."
    if results.description.virtual or sums.land.name != classes.GLOBE or (published := budgets.PUBLISHED.get(flux)) is None:
        return "No published total to compare with."
    ends = f"{format_number(published.low, 1)} to {format_number(published.high, 1)}"
    distant = total["q95"] < published.low or total["q05"] > published.high
    outside = " The interval does not reach it: do not use this total." if distant else ""
    return f"Published: {ends} ({published.source}).{outside}"


def error_headlines(results: RunResults) -> list[Headline]:
    """State the median error at held-out towers and that of the best rival."""
    run, metrics = results.description, results.metrics
    rows = metrics[(metrics["scale"] == run.step) & (metrics["split"] == results.split)]
    medians = rows.groupby(["flux", "model"], observed=True)["rmse"].median()
    headlines = []
    for flux in (f for f in FLUXES if f in medians):
        rivals = medians[flux].drop(run.map_model)
        best = f"Best rival {rivals.idxmin()}: {rivals.min():.2f}." if len(rivals) else texts.NO_RIVAL
        label = f"{FLUX_LONG[flux]}, median RMSE by {run.step}"
        detail = f"{best} Differences between places: {_skill(results, flux)}"
        headlines.append(Headline(label, format_number(medians[flux, run.map_model]), FLUX_UNITS, detail, flux))
    return headlines


def coverage_headline(results: RunResults) -> Headline:
    """State the coverage at held-out towers, and of the truth where it is known."""
    shares = " · ".join(f"{100 * results.held_out.calibration.step_coverage[flux]:.0f}" for flux in FLUXES)
    detail = "GPP · RECO · NEE; towers weigh the same. 90 is right."
    if results.maps and results.maps.truth_coverage is not None:
        table = results.maps.truth_coverage
        ours = table[table["intervals"] == "calibrated"]
        worst = ours.loc[ours["coverage"].idxmin()]
        middle = f"{100 * ours['coverage'].median():.0f} % (median over scales and fluxes)"
        detail += f" They hold the truth {middle}, least often {100 * worst['coverage']:.0f} % ({FLUX_NAMES[worst['flux']]}, "
        detail += f"{worst['scale']})."
    return Headline("Held-out observations inside the 90 % interval", shares, "%", detail, "")


def limits_headline(results: RunResults) -> Headline:
    """State what the run must not be used for: fluxes without skill, land unlike the towers, groups whose intervals fail."""
    skill = results.held_out.calibration.skill
    useless = [FLUX_NAMES[flux] for flux in FLUXES if skill[flux].startswith("no ")]
    values, details = [], []
    if missed := _missed_totals(results):
        values.append(f"totals of {_listed(missed)}")
        details.append(f"The intervals of the totals of {_listed(missed)} do not hold the {results.description.reference}.")
    if useless:
        values.append(f"{_listed(useless)} of single places")
        details.append(f"{_listed(useless)}: no demonstrated spatial skill.")
    if results.maps:
        outside = 100 * (1 - results.maps.applicability.share())
        values.append(f"{outside:.0f} % of the land")
        details.append(f"{outside:.0f} % of the mapped land is unlike all towers (area of applicability).")
    if failed := _failing_groups(results):
        details.append(f"Intervals leave their limits most at: {failed}.")
    if not tables.hard_place_table(results.metrics, results.held_out.groups, scale=results.description.step).rows:
        details.append(texts.NONE_HARD)
    value = "; ".join(values) or "nothing that the tests show"
    return Headline("Do not use it for", value, "", " ".join(details) or "All tests at held-out towers passed.", "limit")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _missed_totals(results: RunResults) -> list[str]:
    """Fluxes whose interval of the total of all mapped land does not hold the reference."""
    maps = results.maps
    if maps is None or results.description.reference is None:
        return []
    every = maps.summed.land.name
    ours = budgets.mean_budgets(maps.budgets).set_index(["flux", "region"]).xs(every, level="region")
    totals = {flux: sums.filled_totals()[every] for flux, sums in maps.summed.fluxes.items()}
    return [FLUX_NAMES[f] for f, total in totals.items() if total < ours.loc[f, "q05"] or total > ours.loc[f, "q95"]]


def _failing_groups(results: RunResults) -> str:
    """Name the groups of towers whose coverage is farthest outside its limits."""
    table = results.held_out.reliability
    ours = (table["model"] == results.description.map_model) & (table["split"] == results.split)
    ours &= (table["scale"] == results.description.step) & (table["intervals"] == table.loc[ours, "intervals"].min())
    rows = table[ours & (table["met"] == NO)]
    beyond = np.maximum(rows["least"] - rows["coverage"], rows["coverage"] - rows["most"])
    first = rows.assign(beyond=beyond).sort_values("beyond", ascending=False, kind="stable").drop_duplicates(["flux", "group"])
    return "; ".join(
        f"{FLUX_NAMES[r.flux]}, {r.group} ({100 * r.coverage:.0f} % inside, {r.towers} towers)"
        for r in first.head(WORST).itertuples(index=False)
    )

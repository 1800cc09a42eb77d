"""What the figures of towers show, in numbers: for readers who cannot see them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tamrl import variables
from tamrl.evaluation.bootstrap import Interval, TowerGroups, rank_correlation, resample_groups
from tamrl.report.figures.budgets import QUALITY_TESTS
from tamrl.report.figures.scores import SCALE_NAMES, paired_rmse_difference
from tamrl.report.figures.ways import ceiling_name
from tamrl.report.pages.map_facts import joined
from tamrl.report.pages.tables import interval_text
from tamrl.report.style import FLUX_NAMES, FLUX_UNITS, LEAST, format_number, true_minus
from tamrl.uncertainty.error_model import ErrorModel


def _by_flux(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of each flux that the table has, in the usual order."""
    return {flux: table[table["flux"] == flux] for flux in FLUX_NAMES if (table["flux"] == flux).any()}


def model_errors(metrics: pd.DataFrame, level: float = 0.5) -> str:
    """A quantile over towers of the RMSE of each model; `metrics` of one split and scale."""
    parts = {}
    for flux, rows in _by_flux(metrics).items():
        medians = rows.groupby("model")["rmse"].quantile(level)
        parts[flux] = ", ".join(f"{model} {value:.2f}" for model, value in medians.items())
    return f"{'Median' if level == 0.5 else f'{100 * level:.0f}th percentile of the'} RMSE: {joined(parts)}"


def tower_differences(metrics: pd.DataFrame, groups: TowerGroups, *, scale: str, model: str) -> str:
    """Median paired differences to each rival.

    Parameters
    ----------
    metrics : table by `contracts.METRICS`, one split
    groups : of neighbouring towers, which are resampled
    scale, model : time scale of the scores, and the model that is compared with the others
    """
    parts = {}
    for flux, rows in _by_flux(metrics[metrics["scale"] == scale]).items():
        rivals = sorted(set(rows["model"]) - {model})
        changes = {rival: paired_rmse_difference(rows, groups, model, rival) for rival in rivals}
        parts[flux] = ", ".join(f"{rival} {true_minus(change.text())}" for rival, change in changes.items())
    return f"Difference of RMSE by {scale} to each rival ({FLUX_UNITS}): {joined(parts)}"


def tower_changes(comparisons: pd.DataFrame) -> str:
    """Change of the median against each rival; rows of one scale."""
    parts = {
        flux: ", ".join(
            f"{r.rival} {interval_text(r.change, r.low, r.high)}" for r in rows.drop_duplicates("rival").itertuples(index=False)
        )
        for flux, rows in _by_flux(comparisons).items()
    }
    return f"Change of the median in percent: {joined(parts)}"


def tower_ways(shares: pd.DataFrame) -> str:
    """Share of the way to each ceiling."""
    parts = {
        flux: ", ".join(
            f"{interval_text(r.share, r.low, r.high)} to {ceiling_name(r.ceiling, r.months)}"
            for r in rows[np.isfinite(rows["share"])].drop_duplicates("ceiling").itertuples(index=False)
        )
        or "without a share"
        for flux, rows in _by_flux(shares).items()
    }
    return f"Percent of the way from the best rival: {joined(parts)}"


def worst_groups(metrics: pd.DataFrame, score: str) -> str:
    """Classes or climates with the lowest and highest median of a score; `metrics` of one model, split and scale."""
    parts = {}
    for flux, rows in _by_flux(metrics).items():
        medians = {}
        for column in ("igbp", "koppen"):
            for name, part in rows.groupby(column):
                if len(part) >= LEAST:
                    medians[f"{name} ({len(part)} towers)"] = float(part[score].median())
        if medians:
            low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
            parts[flux] = f"from {format_number(medians[low])} at {low} to {format_number(medians[high])} at {high}"
        else:
            parts[flux] = f"no group of {LEAST} towers"
    return f"Median {score.upper()} by class and climate: {joined(parts)}"


def tower_scales(metrics: pd.DataFrame) -> str:
    """Median NSE by scale; `metrics` of one model and split."""
    parts = {}
    for flux, rows in _by_flux(metrics.dropna(subset=["nse"])).items():
        medians = rows.groupby("scale")["nse"].median()
        parts[flux] = ", ".join(f"{SCALE_NAMES[s]} {format_number(medians[s])}" for s in SCALE_NAMES if s in medians)
    return f"Median NSE: {joined(parts)}"


def tower_density(scored: pd.DataFrame, *, step: str) -> str:
    """Number of steps and their correlation; rows of one split."""
    parts = {}
    for flux, rows in _by_flux(scored).items():
        r2 = rows["observed"].corr(rows["predicted"]) ** 2
        parts[flux] = f"{len(rows):,} {step}s at {rows['site'].nunique()} towers, r² {format_number(r2)}"
    return joined(parts)


def tower_means(skill: Mapping[str, Interval]) -> str:
    """NSE of site means of each flux."""
    return f"NSE of site means: {joined({flux: f'{true_minus(s.text())} at {s.n} towers' for flux, s in skill.items()})}"


def tower_map(metrics: pd.DataFrame) -> str:
    """How many towers are predicted well and badly; `metrics` of one model, split and scale."""
    parts = {}
    for flux, rows in _by_flux(metrics).items():
        good, bad = int((rows["nse"] > 0.5).sum()), int((rows["nse"] < 0).sum())
        parts[flux] = f"above 0.5 at {good} of {len(rows)} towers, below 0 at {bad}"
    return f"NSE: {joined(parts)}"


def tower_calibration(coverage: Mapping[str, float]) -> str:
    """Coverage of each flux."""
    return f"Inside the 90 % interval: {joined({flux: f'{100 * share:.1f} %' for flux, share in coverage.items()})}"


def error_structure(errors: ErrorModel) -> str:
    """Shares of what lasts, recurs and passes."""
    parts = {}
    for flux in FLUX_NAMES:
        of_flux = errors.of_flux(flux)
        parts[flux] = f"{of_flux.level:.2f} lasts, {of_flux.season:.2f} recurs each year, {of_flux.short:.2f} passes"
    return f"Shares of the variance of monthly errors: {joined(parts)}"


def class_coverage(reliability: pd.DataFrame) -> str:
    """The groups with the lowest and highest coverage."""
    parts = {}
    for flux, rows in _by_flux(reliability[reliability["towers"] >= LEAST]).items():
        low, high = rows.loc[rows["coverage"].idxmin()], rows.loc[rows["coverage"].idxmax()]
        parts[flux] = f"{100 * low['coverage']:.0f} % ({low['group']}) to {100 * high['coverage']:.0f} % ({high['group']})"
    return f"Inside the interval, lowest and highest group: {joined(parts)}"


def tower_dissimilarity(metrics: pd.DataFrame, dissimilarity: pd.DataFrame, groups: TowerGroups) -> str:
    """Rank correlation of the dissimilarity with the RMSE; `metrics` of one model, split and scale."""
    parts = {}
    for flux, rows in _by_flux(metrics.merge(dissimilarity[["site", "dissimilarity"]].dropna(), on="site")).items():
        pairs = rows[["dissimilarity", "rmse"]].to_numpy(float)
        parts[flux] = true_minus(resample_groups(pairs, groups.of(rows["site"]), rank_correlation).text())
    return f"Rank correlation: {joined(parts)}"


def tower_series(metrics: pd.DataFrame, chosen: Mapping[str, str]) -> str:
    """RMSE of each flux at the chosen towers; `metrics` of one model, split and scale."""
    texts = []
    for name, site in chosen.items():
        rows = metrics[metrics["site"] == site]
        values = {flux: f"{part['rmse'].iloc[0]:.2f}" for flux, part in _by_flux(rows).items()}
        texts.append(f"{name} {site}: RMSE {joined(values)}")
    return " ".join(texts)


def stations(towers: pd.DataFrame, sites: pd.DataFrame, *, per_year: float) -> str:
    """Number of towers, those left out, and years of good steps."""
    out = sites.loc[~sites["site"].isin(towers["site"]), "site"].nunique()
    years = towers["n"].astype(float) / per_year
    ends = f"from {years.min():.1f} to {years.max():.1f} a tower"
    return f"{len(towers)} towers with {years.sum():,.0f} years of good records, {ends}; {out} left out."


def fingerprints(records: pd.DataFrame, sites: list[str]) -> str:
    """Shares that are missing at the towers shown."""
    shares = {site: 100 * records.loc[records["site"] == site, "nee"].isna().mean() for site in sites}
    return f"Missing: {', '.join(f'{site} {share:.0f} %' for site, share in shares.items())}."


def quality(table: pd.DataFrame) -> str:
    """The tests that removed most."""
    sums = table.groupby("test")["dropped"].sum().sort_values(ascending=False)
    first = [f"{QUALITY_TESTS.get(test, test)} {count:,}" for test, count in sums[sums > 0].head(3).items()]
    return f"Most values were removed for: {'; '.join(first) or 'nothing'}, of {int(sums.sum()):,} in all."


def seasons(table: Sequence[Sequence[str]], chosen: pd.DataFrame) -> str:
    """Latitudes of the towers and the correlations of the seasons (rows of `figures.seasons.season_table`)."""
    south, north = (format_number(float(end), 0) for end in (chosen["lat"].min(), chosen["lat"].max()))
    ends = f"{len(chosen)} towers from {south}° to {north}° of latitude"
    pairs = [f"{row[0]} with {row[1]} {row[3]}" for row in table]
    return f"{ends}. Correlations of seasons: {', '.join(pairs) or 'none'}."


def drivers(comparison: pd.DataFrame) -> str:
    """Drivers with the largest relative bias and the lowest correlation, as medians over towers."""
    relative = (comparison["bias"] / comparison["std_tower"]).where(comparison["std_tower"] > 0)
    bias, r = (values.groupby(comparison["variable"]).median().dropna() for values in (relative, comparison["r"]))
    texts = []
    if len(bias):
        name = bias.abs().idxmax()
        texts.append(f"largest bias: {variables.get(name).long_name}, {format_number(bias[name])} standard deviations")
    if len(r):
        texts.append(f"lowest correlation: {variables.get(r.idxmin()).long_name}, {format_number(r.min())}")
    return f"Medians over towers of {comparison['variable'].nunique()} drivers; {'; '.join(texts)}."


def sensors(table: pd.DataFrame) -> str:
    """Where a later sensor jumps against the one that it follows, or that it does so nowhere (`contracts.SENSORS`)."""
    first, jumps = table.iloc[0], table[table["jump"]]
    change = f"{first['after']} follows {first['before']}"
    if jumps.empty:
        compared = table[(table["region"] == "globe") & (table["season"] == "year")]
        largest = compared.loc[(compared["difference"] / compared["bound"]).abs().idxmax()]
        name = variables.get(largest["variable"]).long_name
        return f"{change}, and jumps nowhere; globally {name} differs by {format_number(largest['difference'])}."
    worst = jumps.loc[(jumps["difference"] / jumps["bound"]).abs().idxmax()]
    where = f"{variables.get(worst['variable']).long_name}, {worst['region']}, {worst['season']}"
    sizes = f"{format_number(worst['difference'])} where {format_number(worst['bound'])} is the bound"
    return (
        f"{change}, and {len(jumps)} of {len(table)} means jump: a step in time in the maps may be one of the sensors. "
        f"Largest jump: {where}, by {sizes}. Trends across the change are not to be trusted."
    )

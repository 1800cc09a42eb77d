"""Sections of the report that every run has: held-out towers, their intervals, quality, drivers, tables and provenance."""

from collections.abc import Mapping

import pandas as pd

from tamrl.evaluation.bootstrap import LEVEL
from tamrl.report.figures import (
    budgets,
    calibration,
    drivers,
    errors,
    gains,
    models,
    scores,
    seasons,
    stations,
    towers,
    ways,
)
from tamrl.report.pages import tables, texts
from tamrl.report.pages import tower_facts as facts
from tamrl.report.pages.captions import captioned
from tamrl.report.pages.html import Fold, Item, Note, Picture, ReportTable, Section
from tamrl.report.results import RunResults
from tamrl.report.style import LEAST


def towers_section(results: RunResults) -> Section:
    """Show where held-out towers are predicted well, their means and the difference to rivals; other scores are folded."""
    run, groups = results.description, results.held_out.groups
    model, step, percent = run.map_model, run.step, 100 * LEVEL
    ours = results.map_metrics[results.map_metrics["scale"] == step]
    split = results.metrics[results.metrics["split"] == results.split]
    skill = {flux: value for (name, flux), value in results.spatial_skill().items() if name == results.split}
    differences = scores.plot_paired_differences(results.metrics, groups, map_model=model)
    located = towers.plot_tower_map(results.map_metrics, results.towers, results.world, scale=step)
    means = towers.plot_site_means(results.site_means, results.spatial_skill())
    classes = scores.plot_nse_by_class(results.metrics, scale=step, map_model=model, split=results.split)
    items: list[Item] = [
        captioned("tower_means", means, facts.tower_means(skill), model=model, percent=percent),
        captioned("tower_map", located, facts.tower_map(ours), model=model),
        captioned(
            "tower_differences",
            differences,
            facts.tower_differences(split, groups, scale=step, model=model),
            step=step,
            percent=percent,
        )
        if differences
        else Note(texts.NO_RIVAL),
        captioned("tower_classes", classes, facts.worst_groups(ours, "nse"), model=model),
        Fold("More scores: errors of each model, by class, by time scale, and of all steps", _more_scores(results)),
    ]
    return Section("towers", "Towers: scores where no model has seen them", items)


def _more_scores(results: RunResults) -> list[Picture | Note]:
    """Figures of scores that repeat or detail the first ones."""
    run, metrics, percent = results.description, results.metrics, 100 * LEVEL
    model, step = run.map_model, run.step
    split = metrics[metrics["split"] == results.split]
    of_step, groups = split[split["scale"] == step], results.held_out.groups
    comparisons, shares = results.held_out.comparisons, results.held_out.shares
    changes = gains.plot_relative_changes(comparisons, scale=step, map_model=model)
    of_split = comparisons[(comparisons["scale"] == step) & (comparisons["split"] == results.split)]
    way = ways.plot_way_shares(shares)
    grouped = models.plot_errors_by_group(split, results.towers, scale=step, map_model=model)
    model_errors = models.plot_model_errors(split, groups, scale=step, map_model=model)
    distributions = scores.plot_rmse_distributions(metrics, scale=step, map_model=model)
    ours, ours_now = split[split["model"] == model], of_step[of_step["model"] == model]
    density = towers.plot_observed_predicted(results.scored, step=step)
    seen = results.scored[results.scored["split"] == results.split]
    return [
        captioned("model_errors", model_errors, facts.model_errors(of_step), qc=run.qc, step=step, percent=percent),
        captioned("tower_rmse", distributions, facts.model_errors(of_step, 0.9), step=step, qc=run.qc),
        *([captioned("tower_changes", changes, facts.tower_changes(of_split), step=step, percent=percent)] if changes else []),
        *([captioned("tower_ways", way, facts.tower_ways(shares), step=step, percent=percent)] if way else []),
        *([captioned("model_groups", grouped, facts.worst_groups(ours_now, "rmse"), least=LEAST, step=step)] if grouped else []),
        captioned("tower_scales", scores.plot_nse_by_scale(metrics, map_model=model), facts.tower_scales(ours)),
        captioned("tower_density", density, facts.tower_density(seen, step=step), step=step, model=model),
    ]


def uncertainty_section(results: RunResults) -> Section:
    """Show coverage, records with intervals and what dissimilarity predicts; the structure of errors is folded."""
    run, split, predictions = results.description, results.split, results.predictions
    step, model, metrics, held_out = run.step, run.map_model, results.map_metrics, results.held_out
    rows = predictions[(predictions["model"] == model) & (predictions["split"] == split)]
    examples = calibration.choose_examples(metrics, scale=step)
    records = calibration.plot_example_records(rows, examples, results.towers, qc=run.qc, step=step)
    reliability = held_out.reliability[(held_out.reliability["split"] == split) & (held_out.reliability["model"] == model)]
    by_class = models.plot_class_coverage(reliability, model=model)
    threshold = results.maps.applicability.threshold if results.maps else None
    unlike = gains.plot_error_by_dissimilarity(metrics, results.dissimilarity, held_out.groups, scale=step, threshold=threshold)
    calibrated = texts.CALIBRATED_BY_FOLDS if rows["fold"].nunique() > 1 else texts.CALIBRATED_BY_HALVES
    coverage = calibration.plot_calibration(results.scored[results.scored["split"] == split])
    structure, of_step = held_out.calibration.errors, metrics[metrics["scale"] == step]
    of_steps = reliability[(reliability["scale"] == step) & (reliability["intervals"] == reliability["intervals"].min())]
    correlation = facts.tower_dissimilarity(of_step, results.dissimilarity, held_out.groups)
    more: list[Picture | Note] = [
        *(
            [captioned("error_structure", errors.plot_error_structure(structure), facts.error_structure(structure))]
            if structure
            else []
        ),
        *([captioned("class_coverage", by_class, facts.class_coverage(of_steps), model=model)] if by_class else []),
    ]
    items: list[Item] = [
        captioned(
            "tower_calibration",
            coverage,
            facts.tower_calibration(held_out.calibration.step_coverage),
            step=step,
            calibrated=calibrated,
        ),
        captioned("tower_series", records, facts.tower_series(of_step, examples), gap=calibration.GAP[step]),
        captioned("tower_dissimilarity", unlike, correlation, step=step, model=model, percent=100 * LEVEL),
        *([Fold("More on intervals: structure of errors, coverage by class and season", more)] if more else []),
    ]
    return Section("uncertainty", "Uncertainty: are the intervals right at held-out towers?", items)


def quality_section(results: RunResults) -> Section:
    """Show the towers, and the records that the quality tests removed."""
    step, sites, quality = results.description.step, results.network_sites, results.quality
    removed, dropped = budgets.plot_removed_values(quality), tables.dropped_tower_table(quality)
    items: list[Item] = [captioned("quality", removed, facts.quality(quality))]
    if sites is not None and results.records is not None:
        counted = facts.stations(results.towers, sites, per_year=stations.PER_YEAR[step])
        located = stations.plot_stations(results.towers, sites, step=step, base=results.world)
        shown = stations.choose_fingerprints(results.towers)
        prints = stations.plot_fingerprints(results.records, results.towers, step=step)
        pictures: list[Picture | Note] = [captioned("fingerprints", prints, facts.fingerprints(results.records, shown))]
        items = [captioned("stations", located, counted, step=step), *items]
        items.append(stations.network_table(results.towers, sites, quality))
        seasonal = _season_items(results.records, results.towers)
        pictures += [item for item in seasonal if isinstance(item, Picture)]
        items.append(Fold("More on the records: year by year, seasons of drivers", pictures))
        items += [item for item in seasonal if isinstance(item, ReportTable)]
    items.append(dropped if dropped.rows else Note(texts.NONE_LEFT_OUT))
    return Section("quality", "Quality: what was removed from the tower records, and why", items)


def _season_items(records: pd.DataFrame, places: pd.DataFrame) -> list[Picture | ReportTable]:
    """Show the seasons of the towers' own drivers, where they have any."""
    chosen = seasons.choose_seasons(records, places)
    if not seasons.driver_names(records) or chosen.empty:
        return []
    table = seasons.season_table(records, places)
    pairs = facts.seasons(table.rows, chosen)
    picture = captioned("seasons", seasons.plot_seasons(records, chosen), pairs, count=len(chosen))
    return [picture, table] if table.rows else [picture]


def drivers_section(comparison: pd.DataFrame | None, sensors: pd.DataFrame | None) -> Section:
    """Compare the drivers of the cells with those of the towers in them, and a later sensor with the one that it follows."""
    items: list[Item] = []
    if sensors is not None:
        items += [Note(facts.sensors(sensors), "warning" if sensors["jump"].any() else "plain"), drivers.sensor_table(sensors)]
    if comparison is not None and drivers.has_biases(comparison):
        picture = captioned("drivers", drivers.plot_driver_comparison(comparison), facts.drivers(comparison))
        items += [picture, drivers.driver_table(comparison)]
    return Section("drivers", "Drivers: how far the grid's are from those of the towers", items)


def tables_section(results: RunResults) -> Section:
    """List all scores and budgets as numbers."""
    run, metrics, held_out = results.description, results.metrics, results.held_out
    differences = tables.difference_table(metrics, held_out.groups, map_model=run.map_model)
    hard = tables.hard_place_table(metrics, held_out.groups, scale=run.step)
    items: list[Item] = [
        Note(texts.TABLES),
        tables.tower_score_table(metrics, held_out.groups),
        hard if hard.rows else Note(texts.NONE_HARD),
        *([differences] if differences.rows else []),
        tables.normalised_table(results.scores, scale=run.step),
        *([tables.change_table(held_out.comparisons)] if len(held_out.comparisons) else []),
        *([tables.way_table(held_out.shares)] if len(held_out.shares) else []),
        tables.reliability_table(held_out.reliability),
        *([tables.all_budgets_table(results.maps.budgets)] if results.maps else []),
    ]
    return Section("tables", "Tables", items)


def provenance_section(results: RunResults, origin: Mapping[str, str]) -> Section:
    """List timings, provenance, citation and licence."""
    virtual, licence = results.description.virtual, results.maps.summed.licence if results.maps else ""
    terms = texts.TERMS_VIRTUAL if virtual else texts.TERMS_REAL
    sources = list(texts.cited_sources(virtual).items())
    items: list[Item] = [
        *([tables.timing_table(results.timings)] if results.timings else []),
        ReportTable("Digests and versions", ["what", "value"], list(origin.items()), labels=2, unfolded=True),
        ReportTable("Method and data to cite", ["for", "source"], sources, labels=2, unfolded=True),
        Note(texts.CITE.format(licence=licence or "not stated in the files", terms=terms)),
    ]
    return Section("provenance", "Provenance: how this came about, and how to cite it", items)

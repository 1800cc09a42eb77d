"""Contents of the report and their order: pictures first, tables last."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from tamrl import simulated
from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import LEVEL
from tamrl.report.figures import (
    budgets,
    calibration,
    drivers,
    errors,
    gains,
    models,
    reference,
    scores,
    seasons,
    stations,
    towers,
    truth,
    ways,
)
from tamrl.report.figures import maps as map_figures
from tamrl.report.pages import tables, texts
from tamrl.report.pages.html import Headline, HtmlPage, Note, Picture, ReportTable, Section, draw_picture
from tamrl.report.pages.products import products_section
from tamrl.report.results import MapResults, RunResults
from tamrl.report.style import FLUX_LONG, FLUX_UNITS, format_number, true_minus
from tamrl.report.sums import GLOBE

Item = Picture | ReportTable | Note


def compose_page(results: RunResults, *, origin: Mapping[str, str], date: str, atlas: str | None) -> HtmlPage:
    """Compose the report.

    Parameters
    ----------
    origin : digests and versions by name
    date : when it is written
    atlas : where the atlas lies, relative to the report
    """
    run, maps = results.description, results.maps
    sections = [
        *([maps_section(results, maps)] if maps else []),
        *([reference_section(results, maps, run.reference)] if maps and run.reference else []),
        towers_section(results),
        uncertainty_section(results),
        *([budgets_section(results, maps)] if maps else []),
        *([products_section(maps.compared)] if maps and maps.compared else []),
        quality_section(results),
        *([drivers_section(results.drivers)] if results.drivers is not None and drivers.has_biases(results.drivers) else []),
        tables_section(results),
        provenance_section(results, origin),
    ]
    return HtmlPage(
        title=run.title,
        run=run.run,
        date=date,
        lead=map_lead(results, maps) if maps else tower_lead(results),
        facts=[(name, value) for name, value in origin.items() if "digest" in name or name == "revision"],
        tiles=[*(total_headlines(results, maps) if maps else error_headlines(results)), coverage_headline(results)],
        sections=sections,
        atlas=atlas,
        world=simulated.STATEMENT if run.virtual else None,
    )


def map_lead(results: RunResults, maps: MapResults) -> str:
    """Describe a run with maps in one paragraph."""
    run, members = results.description, maps.summed.members
    text = texts.LEAD.format(
        world="a virtual Earth whose true fluxes are known" if run.virtual else "the land surface",
        step="daily" if run.step == "day" else "monthly",
        resolution=maps.summed.grid.resolution,
        period=results.period,
        made=f"an ensemble of {members} members of {run.map_model}" if members else f"an ensemble of {run.map_model}",
        held=results.map_metrics["site"].nunique(),
    )
    return text + _simulation_sentence(results)


def _simulation_sentence(results: RunResults) -> str:
    """The sentence that ends the first paragraph of a run on the virtual Earth."""
    if not results.description.virtual:
        return ""
    reference = results.description.reference
    return texts.LEAD_COMPARED.format(label=reference) if reference else texts.LEAD_VIRTUAL


def tower_lead(results: RunResults) -> str:
    """Describe a run without grids in one paragraph."""
    run = results.description
    rivals = sorted(set(results.metrics["model"]) - {run.map_model})
    text = texts.LEAD_TOWERS.format(
        step="daily" if run.step == "day" else "monthly",
        model=run.map_model,
        rivals=", ".join(rivals) or "no rival",
        held=results.map_metrics["site"].nunique(),
        folds=results.predictions["fold"].nunique(),
    )
    return text + _simulation_sentence(results)


def error_headlines(results: RunResults) -> list[Headline]:
    """State the median error at held-out towers and that of the best rival."""
    run, metrics = results.description, results.metrics
    rows = metrics[(metrics["scale"] == run.step) & (metrics["split"] == results.split)]
    medians = rows.groupby(["flux", "model"], observed=True)["rmse"].median()
    headlines = []
    for flux in (f for f in FLUXES if f in medians):
        rivals = medians[flux].drop(run.map_model)
        best = f"best rival {rivals.idxmin()}: {rivals.min():.2f}" if len(rivals) else texts.NO_RIVAL
        label = f"{FLUX_LONG[flux]}, median RMSE by {run.step}"
        headlines.append(Headline(label, format_number(medians[flux, run.map_model]), FLUX_UNITS, best, flux))
    return headlines


def total_headlines(results: RunResults, maps: MapResults) -> list[Headline]:
    """State the global totals with the spatial skill of their model."""
    table = budgets.mean_budgets(maps.budgets)
    globe = table[table["region"] == GLOBE].set_index("flux")
    headlines = []
    for flux in FLUXES:
        low, high = (format_number(globe.loc[flux, end], 1) for end in ("q05", "q95"))
        value = f"{format_number(globe.loc[flux, 'mean'], 1)} ({low} to {high})"
        skill = true_minus(results.held_out.calibration.skill[flux])
        headlines.append(
            Headline(f"{FLUX_LONG[flux]}, globe, with its 90 % interval", value, "PgC yr⁻¹", skill[0].upper() + skill[1:], flux)
        )
    return headlines


def coverage_headline(results: RunResults) -> Headline:
    """State the coverage at held-out towers."""
    shares = " · ".join(f"{100 * results.held_out.calibration.step_coverage[flux]:.0f}" for flux in FLUXES)
    return Headline(
        "Held-out observations inside the 90 % interval", shares, "%", "GPP · RECO · NEE, towers weighing the same", ""
    )


def captioned(name: str, figure: Figure, *, text: str | None = None, **fields: object) -> Picture:
    """Draw a figure with its caption and alternative text; `text` names these where they differ from `name`."""
    key = text or name
    return draw_picture(figure, name, caption=texts.CAPTIONS[key].format(**fields), alt=texts.ALTERNATIVES[key].format(**fields))


def maps_section(results: RunResults, maps: MapResults) -> Section:
    """Show means and spread, applicability, seasonal cycles, Hovmöller."""
    run, fluxes, base, members = results.description, maps.summed.fluxes, results.basemap, maps.summed.members
    missing = 100 * max(sums.missing for sums in fluxes.values())
    skill = results.held_out.calibration.skill["nee"]
    items: list[Item] = [
        captioned("maps", map_figures.plot_flux_maps(fluxes, base), step=run.step, missing=missing),
        Note(f"NEE: {true_minus(skill)}.", "warning" if skill.startswith("no ") else "plain"),
        captioned("member_spread", map_figures.plot_member_spread(fluxes, base), members=members)
        if members > 1
        else Note(texts.NO_MEMBERS),
        captioned("applicability", map_figures.plot_applicability(maps.applicability, base)),
        captioned(
            "seasonal_cycles",
            map_figures.plot_seasonal_cycles(fluxes, reference=run.reference),
            bins="five-day means" if run.step == "day" else "months",
            band=f"; band: 5th to 95th percentile of the {members} members" if members > 1 else "",
            dashed=f"; dashed: {run.reference}" if run.reference else "",
        ),
        captioned("latitude_time", map_figures.plot_hovmoeller(fluxes)),
    ]
    return Section("maps", f"Maps: {results.period}", items)


def reference_section(results: RunResults, maps: MapResults, label: str) -> Section:
    """Compare the maps with the reference."""
    run, fluxes = results.description, maps.summed.fluxes
    items: list[Item] = [Note(texts.VIRTUAL)] if run.virtual else []
    for flux, sums in fluxes.items():
        figure = reference.plot_reference_maps(flux, sums, results.basemap, label=label)
        name, long = f"reference_{flux}", FLUX_LONG[flux]
        items.append(captioned(name, figure, text="reference_flux", flux=long, label=label, step=run.step))
    items += [
        captioned("reference_scatter", reference.plot_reference_scatter(fluxes, label=label), label=label),
        captioned("reference_budgets", reference.plot_reference_totals(fluxes, label=label), label=label),
        captioned("reference_reliability", reference.plot_reference_coverage(fluxes, label=label), label=label),
    ]
    if maps.truth_coverage is not None:
        items += [captioned("truth_coverage", truth.plot_truth_coverage(maps.truth_coverage))]
    return Section("reference", f"Against the {label}: where the maps are right and where not", items)


def towers_section(results: RunResults) -> Section:
    """Show scores and records of held-out towers."""
    run, metrics, sites, percent = results.description, results.metrics, results.towers, 100 * LEVEL
    model, step, split = run.map_model, run.step, results.split
    split_metrics = metrics[metrics["split"] == split]
    differences = scores.plot_paired_differences(metrics, results.held_out.groups, map_model=model)
    changes = gains.plot_relative_changes(results.held_out.comparisons, scale=step, map_model=model)
    way = ways.plot_way_shares(results.held_out.shares)
    groups = models.plot_errors_by_group(split_metrics, sites, scale=step, map_model=model)
    model_errors = models.plot_model_errors(split_metrics, results.held_out.groups, scale=step, map_model=model)
    classes = scores.plot_nse_by_class(metrics, scale=step, map_model=model, split=split)
    located = towers.plot_tower_map(results.map_metrics, sites, results.basemap, scale=step)
    means = towers.plot_site_means(results.site_means, results.spatial_skill())
    distributions = scores.plot_rmse_distributions(metrics, scale=step, map_model=model)
    items: list[Item] = [
        captioned("model_errors", model_errors, qc=run.qc, step=step, percent=percent),
        captioned("tower_rmse", distributions, step=step, qc=run.qc),
        captioned("tower_differences", differences, step=step, percent=percent) if differences else Note(texts.NO_RIVAL),
        *([captioned("tower_changes", changes, step=step, percent=percent)] if changes else []),
        *([captioned("tower_ways", way, step=step, percent=percent)] if way else []),
        *([captioned("model_groups", groups, least=models.LEAST, step=step, percent=percent)] if groups else []),
        captioned("tower_scales", scores.plot_nse_by_scale(metrics, map_model=model)),
        captioned("tower_density", towers.plot_observed_predicted(results.scored, step=step), step=step, model=model),
        captioned("tower_means", means, model=model, percent=percent),
        captioned("tower_classes", classes, model=model),
        captioned("tower_map", located, model=model),
    ]
    return Section("towers", "Held-out towers: scores", items)


def uncertainty_section(results: RunResults) -> Section:
    """Show coverage, PIT, and records with intervals."""
    run, split, predictions = results.description, results.split, results.predictions
    step, model, metrics = run.step, run.map_model, results.map_metrics
    rows = predictions[(predictions["model"] == model) & (predictions["split"] == split)]
    examples = calibration.choose_examples(metrics, scale=step)
    records = calibration.plot_example_records(rows, examples, results.towers, qc=run.qc, step=step)
    reliability = results.held_out.reliability
    by_class = models.plot_class_coverage(reliability[reliability["split"] == split], model=model)
    threshold = results.maps.applicability.threshold if results.maps else None
    groups = results.held_out.groups
    unlike = gains.plot_error_by_dissimilarity(metrics, results.dissimilarity, groups, scale=step, threshold=threshold)
    calibrated = texts.CALIBRATED_BY_FOLDS if rows["fold"].nunique() > 1 else texts.CALIBRATED_BY_HALVES
    coverage = calibration.plot_calibration(results.scored[results.scored["split"] == split])
    structure = results.held_out.calibration.errors
    items: list[Item] = [
        captioned("tower_calibration", coverage, step=step, calibrated=calibrated),
        *([captioned("error_structure", errors.plot_error_structure(structure))] if structure else []),
        *([captioned("class_coverage", by_class, model=model)] if by_class else []),
        captioned("tower_dissimilarity", unlike, step=step, model=model, percent=100 * LEVEL),
        captioned("tower_series", records, gap=calibration.GAP[step]),
    ]
    return Section("uncertainty", "Uncertainty at held-out towers: is it right?", items)


def budgets_section(results: RunResults, maps: MapResults) -> Section:
    """Show totals, published ranges and choices."""
    choices = budgets.plot_choices(maps.budgets, maps.choices) if maps.choices else None
    items: list[Item] = [
        captioned("budgets", budgets.plot_budgets(maps.budgets), period=results.period),
        captioned("choices", choices) if choices else Note(texts.NO_CHOICES),
    ]
    return Section("budgets", "Budgets: totals and how far to trust them", items)


def quality_section(results: RunResults) -> Section:
    """Show the records that the quality tests removed."""
    step, sites, quality = results.description.step, results.network_sites, results.quality
    items: list[Item] = []
    if sites is not None and results.records is not None:
        located = stations.plot_stations(results.towers, sites, step=step, base=results.basemap)
        fingerprints = stations.plot_fingerprints(results.records, results.towers, step=step)
        items += [captioned("stations", located, step=step), captioned("fingerprints", fingerprints, step=step)]
        items.append(stations.network_table(results.towers, sites, quality))
        items += _season_items(results.records, results.towers)
    dropped = tables.dropped_tower_table(quality)
    items.append(captioned("quality", budgets.plot_removed_values(quality)))
    items.append(dropped if dropped.rows else Note(texts.NONE_LEFT_OUT))
    return Section("quality", "Quality: what was taken away from the tower records, and why", items)


def _season_items(records: pd.DataFrame, towers: pd.DataFrame) -> list[Item]:
    """Show the seasons of the towers' own drivers, where they have any."""
    chosen = seasons.choose_seasons(records, towers)
    if not seasons.driver_names(records) or chosen.empty:
        return []
    table = seasons.season_table(records, towers)
    picture = captioned("seasons", seasons.plot_seasons(records, chosen), count=len(chosen))
    return [picture, table] if table.rows else [picture]


def drivers_section(comparison: pd.DataFrame) -> Section:
    """Compare the weather of the cells with that of the towers in them."""
    items: list[Item] = [
        captioned("drivers", drivers.plot_driver_comparison(comparison)),
        drivers.driver_table(comparison),
    ]
    return Section("drivers", "Drivers: how far the grid's are from those of the towers", items)


def tables_section(results: RunResults) -> Section:
    """List all scores and budgets as numbers."""
    run, metrics, held_out = results.description, results.metrics, results.held_out
    differences = tables.difference_table(metrics, held_out.groups, map_model=run.map_model)
    hard = tables.hard_place_table(metrics, held_out.groups, scale=run.step)
    items: list[Item] = [
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
    items: list[Item] = [
        *([tables.timing_table(results.timings)] if results.timings else []),
        ReportTable("Provenance", ["", ""], list(origin.items()), labels=2),
        ReportTable("Method and data: please cite", ["", ""], list(texts.cited_sources(virtual).items()), labels=2),
        Note(texts.CITE.format(licence=licence or "not stated in the files", terms=terms)),
    ]
    return Section("provenance", "Provenance: how this came about, and how to cite it", items)

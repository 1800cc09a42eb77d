"""What stands in the report, in which order: pictures first, tables last."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tamrl import simulated
from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import LEVEL
from tamrl.report.figures import budgets, calibration, drivers, gains, maps, models, reference, scores, stations, towers
from tamrl.report.pages import tables, texts
from tamrl.report.pages.html import Note, Page, Picture, Section, Tile, picture
from tamrl.report.results import Material
from tamrl.report.style import FLUX_LONG, FLUX_UNITS, minus, number


def page(m: Material, *, date: str) -> Page:
    """The whole report."""
    sections = [
        *([maps_section(m)] if m.mapped else []),
        *([reference_section(m)] if m.reference else []),
        towers_section(m),
        uncertainty_section(m),
        *([budgets_section(m)] if m.mapped else []),
        quality_section(m),
        *([] if m.comparison is None or drivers.nothing(m.comparison) else [drivers_section(m.comparison)]),
        tables_section(m),
        provenance_section(m),
    ]
    facts = [(name, value) for name, value in m.provenance.items() if "digest" in name or name == "revision"]
    own = tiles(m) if m.mapped else tower_tiles(m)
    opening, world = lead(m) if m.mapped else tower_lead(m), simulated.STATEMENT if m.virtual else None
    return Page(m.title, m.run, date, opening, facts, [*own, coverage_tile(m)], sections, world=world)


def lead(m: Material) -> str:
    """What this is, in one paragraph."""
    text = texts.LEAD.format(
        world="a virtual Earth whose true fluxes are known" if m.virtual else "the land surface",
        step="daily" if m.step == "day" else "monthly",
        resolution=m.resolution,
        period=m.period,
        made=f"an ensemble of {m.members} members of {m.map_model}" if m.members else f"an ensemble of {m.map_model}",
        held=m.metrics_of(m.split)["site"].nunique(),
    )
    return text + _of_simulation(m)


def _of_simulation(m: Material) -> str:
    """The sentence that a run on the virtual Earth ends its first paragraph with."""
    if not m.virtual:
        return ""
    return texts.LEAD_COMPARED.format(label=m.reference) if m.reference else texts.LEAD_VIRTUAL


def tower_lead(m: Material) -> str:
    """What a run without grids is, in one paragraph."""
    own = m.metrics_of(m.split)
    rivals = sorted(set(m.metrics["model"]) - {m.map_model})
    text = texts.LEAD_TOWERS.format(
        step="daily" if m.step == "day" else "monthly",
        model=m.map_model,
        rivals=", ".join(rivals) or "no rival",
        held=own["site"].nunique(),
        folds=m.predictions["fold"].nunique(),
    )
    return text + _of_simulation(m)


def tower_tiles(m: Material) -> list[Tile]:
    """Median error at held-out towers, and what it is against the best of the rivals."""
    rows = m.metrics[(m.metrics["scale"] == m.step) & (m.metrics["split"] == m.split)]
    medians = rows.groupby(["flux", "model"], observed=True)["rmse"].median()
    found = []
    for flux in (f for f in FLUXES if f in medians):
        rivals = medians[flux].drop(m.map_model)
        best = f"best rival {rivals.idxmin()}: {rivals.min():.2f}" if len(rivals) else texts.NO_RIVAL
        label = f"{FLUX_LONG[flux]}, median RMSE by {m.step}"
        found.append(Tile(label, number(medians[flux, m.map_model]), FLUX_UNITS, best, flux))
    return found


def tiles(m: Material) -> list[Tile]:
    """Global totals with what is known of their skill."""
    table = budgets.years_mean(m.budgets)
    globe = table[table["region"] == budgets.GLOBE].set_index("flux")
    found = []
    for flux in FLUXES:
        value = f"{number(globe.loc[flux, 'mean'], 1)} ± {globe.loc[flux, 'std']:.1f}"
        skill = minus(m.calibration.skill[flux])
        found.append(Tile(f"{FLUX_LONG[flux]}, globe ± members", value, "PgC yr⁻¹", skill[0].upper() + skill[1:], flux))
    return found


def coverage_tile(m: Material) -> Tile:
    """The tested coverage."""
    shares = " · ".join(f"{100 * m.calibration.coverage[flux]:.0f}" for flux in FLUXES)
    return Tile("Held-out observations inside the 90 % interval", shares, "%", "GPP · RECO · NEE, towers weighing the same", "")


def shown(name: str, figure: Figure, *, text: str | None = None, **fields: Any) -> Picture:
    """A figure with its caption and alternative text; `text` names these where they differ from `name`."""
    key = text or name
    return picture(figure, name, caption=texts.CAPTIONS[key].format(**fields), alt=texts.ALTERNATIVES[key].format(**fields))


def maps_section(m: Material) -> Section:
    """Means and spread, applicability, seasonal cycles, Hovmöller."""
    missing = 100 * max(sums.missing for sums in m.fluxes.values())
    skill = m.calibration.skill["nee"]
    section = Section("maps", f"Maps: {m.period}")
    section.items += [
        shown("maps", maps.overview(m.fluxes, m.base), step=m.step, missing=missing),
        Note(f"NEE: {minus(skill)}.", "warning" if skill.startswith("no ") else "plain"),
        shown("member_spread", maps.member_spread(m.fluxes, m.base), members=m.members)
        if m.members > 1
        else Note(texts.NO_MEMBERS),
        shown("applicability", maps.applicability(m.dissimilarity, m.inside, m.base, threshold=m.threshold)),
        shown(
            "seasonal_cycles",
            maps.seasonal(m.fluxes, reference=m.reference),
            bins="five-day means" if m.step == "day" else "months",
            band=f"; band: 5th to 95th percentile of the {m.members} members" if m.members > 1 else "",
            dashed=f"; dashed: {m.reference}" if m.reference else "",
        ),
        shown("latitude_time", maps.hovmoeller(m.fluxes)),
    ]
    return section


def reference_section(m: Material) -> Section:
    """Everything against the reference."""
    label = str(m.reference)
    section = Section("reference", f"Against the {label}: where the maps are right and where not")
    section.items += [Note(texts.VIRTUAL)] if m.virtual else []
    for flux, sums in m.fluxes.items():
        figure = reference.four_maps(flux, sums, m.base, label=label)
        fields = {"flux": FLUX_LONG[flux], "label": label, "step": m.step}
        section.items.append(shown(f"reference_{flux}", figure, text="reference_flux", **fields))
    section.items += [
        shown("reference_scatter", reference.scatter(m.fluxes, label=label), label=label),
        shown("reference_budgets", reference.budgets(m.fluxes, label=label), label=label),
        shown("reference_reliability", reference.reliability(m.fluxes, label=label), label=label),
    ]
    return section


def towers_section(m: Material) -> Section:
    """Scores and records of held-out towers."""
    metrics, model, step, percent = m.metrics, m.map_model, m.step, 100 * LEVEL
    differences = scores.differences(metrics, map_model=model)
    classes = scores.classes(metrics, scale=step, map_model=model, split=m.split)
    improved = gains.changes(m.comparisons, scale=step, map_model=model)
    section = Section("towers", "Held-out towers: scores")
    here = metrics[metrics["split"] == m.split]
    by_group = models.by_group(here, m.towers, scale=step, map_model=model)
    about = {"step": step, "percent": percent}
    section.items += [
        shown("model_errors", models.errors(here, scale=step, map_model=model), qc=m.qc, **about),
        shown("tower_rmse", scores.rmse_distributions(metrics, scale=step, map_model=model), step=step, qc=m.qc),
        shown("tower_differences", differences, step=step, percent=percent) if differences else Note(texts.NO_RIVAL),
        *([shown("tower_changes", improved, step=step, percent=percent)] if improved else []),
        *([shown("model_groups", by_group, least=models.LEAST, **about)] if by_group else []),
        shown("tower_scales", scores.scales(metrics, map_model=model)),
        shown("tower_density", towers.observed_predicted(m.ours, step=step), step=step, model=model),
        shown("tower_means", towers.site_means(m.site_means, m.spatial_skill()), model=model, percent=percent),
        shown("tower_classes", classes, model=model),
        shown("tower_map", towers.tower_map(m.metrics_of(m.split), m.towers, m.base, scale=step), model=model),
    ]
    return section


def uncertainty_section(m: Material) -> Section:
    """Coverage, PIT, and records with intervals."""
    ours = m.ours[m.ours["split"] == m.split]
    every = m.predictions[(m.predictions["model"] == m.map_model) & (m.predictions["split"] == m.split)]
    chosen = calibration.choose(m.metrics_of(m.split), scale=m.step)
    folds = "Each fold is calibrated on the towers of the other folds."
    halves = "Each half of the held-out towers is calibrated on the other half."
    section = Section("uncertainty", "Uncertainty at held-out towers: is it right?")
    by_class = models.coverage(m.reliability[m.reliability["split"] == m.split], model=m.map_model)
    section.items += [
        shown(
            "tower_calibration",
            calibration.coverage_and_pit(ours),
            step=m.step,
            calibrated=folds if every["fold"].nunique() > 1 else halves,
        ),
        *([shown("class_coverage", by_class, model=m.map_model)] if by_class else []),
        shown(
            "tower_dissimilarity",
            gains.by_dissimilarity(m.metrics_of(m.split), m.unlike, scale=m.step, threshold=m.threshold),
            step=m.step,
            model=m.map_model,
            percent=100 * LEVEL,
        ),
        shown("tower_series", calibration.series(every, chosen, m.towers, qc=m.qc, step=m.step), gap=calibration.GAP[m.step]),
    ]
    return section


def budgets_section(m: Material) -> Section:
    """Totals, published ranges and choices."""
    section = Section("budgets", "Budgets: totals and how far to trust them")
    section.items += [
        shown("budgets", budgets.bars(m.budgets), period=m.period),
        shown("choices", budgets.choices(m.budgets, m.choices)) if m.choices else Note(texts.NO_CHOICES),
    ]
    return section


def quality_section(m: Material) -> Section:
    """What the quality tests took away."""
    left_out = tables.dropped_towers(m.quality)
    section = Section("quality", "Quality: what was taken away from the tower records, and why")
    if m.every is not None and m.records is not None:
        section.items += [
            shown("stations", stations.stations(m.towers, m.every, step=m.step, base=m.base), step=m.step),
            shown("fingerprints", stations.fingerprints(m.records, m.towers, step=m.step)),
            stations.networks(m.towers, m.every, m.quality),
        ]
    section.items += [shown("quality", budgets.quality(m.quality)), left_out if left_out.rows else Note(texts.NONE_LEFT_OUT)]
    return section


def drivers_section(comparison: pd.DataFrame) -> Section:
    """How far the weather of the cells is from that of the towers in them."""
    section = Section("drivers", "Drivers: how far the grid's are from those of the towers")
    section.items += [shown("drivers", drivers.figure(comparison)), drivers.table(comparison)]
    return section


def tables_section(m: Material) -> Section:
    """All scores and budgets as numbers."""
    section = Section("tables", "Tables")
    hard = tables.hard_places(m.metrics, scale=m.step)
    section.items += [tables.tower_scores(m.metrics), hard if hard.rows else Note(texts.NONE_HARD)]
    if m.metrics["model"].nunique() > 1:
        section.items.append(tables.paired_differences(m.metrics, map_model=m.map_model))
    section.items += [
        tables.normalised(m.scores, scale=m.step),
        *([tables.changes(m.comparisons)] if len(m.comparisons) else []),
        tables.reliability(m.reliability),
    ]
    section.items += [tables.budgets(m.budgets)] if m.mapped else []
    return section


def provenance_section(m: Material) -> Section:
    """Timings, provenance, citation and licence."""
    terms = texts.TERMS_VIRTUAL if m.virtual else texts.TERMS_REAL
    section = Section("provenance", "Provenance: how this came about, and how to cite it")
    section.items += [tables.timings(m.benchmarks)] if m.benchmarks else []
    section.items += [
        tables.pairs("Provenance", m.provenance),
        tables.pairs("Method and data: please cite", texts.sources(m.virtual)),
        Note(texts.CITE.format(licence=m.licence or "not stated in the files", terms=terms)),
    ]
    return section

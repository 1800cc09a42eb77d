"""Sections of the report that need maps: the maps, where they are wrong, and their totals."""

from tamrl.reduce import COVERED
from tamrl.report.figures import budgets, reference, truth
from tamrl.report.figures import maps as map_figures
from tamrl.report.pages import map_facts, texts
from tamrl.report.pages.captions import captioned
from tamrl.report.pages.html import Fold, Item, Note, Picture, Section
from tamrl.report.results import MapResults, RunResults
from tamrl.report.style import COMPLETE, true_minus


def maps_section(results: RunResults, maps: MapResults) -> Section:
    """Show one row of maps for each flux; the members' spread and latitude against time are folded."""
    run, fluxes, base, members = results.description, maps.summed.fluxes, results.basemap, maps.summed.members
    skill = results.held_out.calibration.skill["nee"]
    means = results.site_means[results.site_means["split"] == results.split].merge(
        results.towers[["site", "lat", "lon"]], on="site"
    )
    figure = map_figures.plot_flux_maps(fluxes, base, reference=run.reference, towers=means)
    spread = (
        captioned("member_spread", map_figures.plot_member_spread(fluxes, base), map_facts.member_spread(fluxes), members=members)
        if members > 1
        else Note(texts.NO_MEMBERS)
    )
    latitudes = captioned("latitude_time", map_figures.plot_hovmoeller(fluxes), map_facts.latitude_time(fluxes))
    items: list[Item] = [
        captioned(
            "maps",
            figure,
            map_facts.flux_maps(fluxes),
            step=run.step,
            missing=100 * max(sums.missing for sums in fluxes.values()),
            middle=texts.MIDDLE_REFERENCE.format(label=run.reference) if run.reference else texts.MIDDLE_TOWERS,
        ),
        Note(f"NEE: {true_minus(skill)}.", "warning" if skill.startswith("no ") else "plain"),
        Fold("More maps: spread of the members, latitude against time", [spread, latitudes]),
    ]
    return Section("maps", f"Maps: {results.period}", items)


def errors_section(results: RunResults, maps: MapResults) -> Section:
    """Show where the maps differ from the reference, the seasons of latitude bands, and where the towers say little."""
    run, fluxes, members = results.description, maps.summed.fluxes, maps.summed.members
    cycles = captioned(
        "seasonal_cycles",
        map_figures.plot_seasonal_cycles(fluxes, reference=run.reference),
        map_facts.seasonal_cycles(fluxes),
        bins="five-day means" if run.step == "day" else "months",
        band=f"; band: 5th to 95th percentile of the {members} members" if members > 1 else "",
        dashed=texts.DASHED.format(label=run.reference, filled=_filled(maps)) if run.reference else ".",
    )
    figure = map_figures.plot_applicability(maps.applicability, results.basemap)
    applicable = captioned("applicability", figure, map_facts.applicability(maps.applicability))
    known: list[Item] = [Note(texts.VIRTUAL)] if run.virtual and run.reference else []
    compared = reference_items(results, maps, run.reference) if run.reference else []
    title = f"Errors: where the maps differ from the {run.reference}" if run.reference else "Errors: where the maps may be wrong"
    return Section("errors", title, [*known, *compared[:1], cycles, applicable, *compared[1:]])


def reference_items(results: RunResults, maps: MapResults, label: str) -> list[Item]:
    """Compare the maps with the reference: first the figure of errors, then the others."""
    run, fluxes = results.description, maps.summed.fluxes
    errors = captioned(
        "reference_errors",
        reference.plot_reference_errors(fluxes, results.basemap, label=label),
        map_facts.reference_errors(fluxes),
        label=label,
        step=run.step,
    )
    folded: list[Picture | Note] = [
        captioned(
            "reference_scatter",
            reference.plot_reference_scatter(fluxes, label=label),
            map_facts.reference_scatter(fluxes),
            label=label,
        ),
        captioned(
            "reference_reliability",
            reference.plot_reference_coverage(fluxes, label=label),
            map_facts.reference_coverage(fluxes, label),
            label=label,
        ),
        captioned(
            "reference_budgets",
            reference.plot_reference_totals(fluxes, label=label),
            map_facts.reference_budgets(fluxes, label),
            label=label,
        ),
    ]
    items: list[Item] = [errors]
    if maps.truth_coverage is not None:
        figure = truth.plot_truth_coverage(maps.truth_coverage)
        items.append(captioned("truth_coverage", figure, map_facts.truth_coverage(maps.truth_coverage)))
    fold = Fold(f"More comparisons with the {label}: cells, coverage by latitude, totals of bands", folded)
    return [*items, fold]


def budgets_section(results: RunResults, maps: MapResults) -> Section:
    """Show totals, published ranges and choices."""
    drawn = budgets.plot_choices(maps.budgets, maps.choices) if maps.choices else None
    label, fluxes = results.description.reference, maps.summed.fluxes
    truth = {flux: sums.filled_totals() for flux, sums in fluxes.items()} if label else None
    figure = budgets.plot_budgets(maps.budgets, truth=truth, label=label or "")
    every, published = maps.summed.land.name, "" if results.description.region else texts.BESIDE_PUBLISHED
    words = {
        "of": texts.OF_REGION if results.description.region else texts.OF_GLOBE,
        "period": results.period,
        "beside": texts.BESIDE_REFERENCE.format(label=label, filled=_filled(maps)) if label else published,
    }
    items: list[Item] = [captioned("budgets", figure, map_facts.totals(maps.budgets), **words), Note(texts.NO_CHOICES)]
    if drawn:
        items[-1] = captioned("choices", drawn, map_facts.choices(maps.budgets, maps.choices), every=every)
    return Section("budgets", "Budgets: totals and how far to trust them", items)


def _filled(maps: MapResults) -> str:
    """State that gaps of the reference are filled, if it has any."""
    share = min(sums.covered()[sums.land.name] for sums in maps.summed.fluxes.values())
    return texts.FILLED.format(share=f"{100 * share:.3g}", least=f"{100 * COVERED:.0f}") if share < COMPLETE else ""

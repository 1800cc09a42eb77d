"""Contents of the report and their order: verdict, maps, errors, towers, uncertainty, budgets, and how it was made."""

from collections.abc import Mapping

from tamrl import simulated
from tamrl.report.figures import drivers
from tamrl.report.pages import map_sections, sections, texts
from tamrl.report.pages.html import HtmlPage
from tamrl.report.pages.independent import independent_section
from tamrl.report.pages.products import products_section
from tamrl.report.pages.verdict import compose_verdict
from tamrl.report.results import MapResults, RunResults


def compose_page(results: RunResults, *, origin: Mapping[str, str], date: str, atlas: str | None) -> HtmlPage:
    """Compose the report.

    Parameters
    ----------
    origin : digests and versions by name
    date : when it is written
    atlas : where the atlas lies, relative to the report
    """
    run, maps = results.description, results.maps
    has_drivers = drivers.has_biases(results.drivers) or results.sensors is not None
    parts = [
        *([map_sections.maps_section(results, maps), map_sections.errors_section(results, maps)] if maps else []),
        sections.towers_section(results),
        *([independent_section(maps.independent)] if maps and maps.independent else []),
        sections.uncertainty_section(results),
        *([map_sections.budgets_section(results, maps)] if maps else []),
        *([products_section(maps.compared, results.interannual())] if maps and maps.compared else []),
        sections.quality_section(results),
        *([sections.drivers_section(results.drivers, results.sensors)] if has_drivers else []),
        sections.tables_section(results),
        sections.provenance_section(results, origin),
    ]
    return HtmlPage(
        title=run.title,
        run=run.run,
        date=date,
        lead=map_lead(results, maps) if maps else tower_lead(results),
        verdict=compose_verdict(results),
        sections=parts,
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
    place = texts.LEAD_REGION.format(region=run.region) if run.region else ""
    return text + place + _simulation_sentence(results)


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

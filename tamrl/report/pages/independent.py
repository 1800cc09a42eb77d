"""The section of the report on towers whose yearly sums the models of the maps never saw."""

from tamrl.layout import File
from tamrl.report.figures.independent import plot_independent
from tamrl.report.independent import COLUMNS, LABELS, IndependentTowers
from tamrl.report.pages import texts
from tamrl.report.pages.captions import captioned
from tamrl.report.pages.html import Item, Note, ReportTable, Section


def independent_section(towers: IndependentTowers) -> Section:
    """Show yearly sums against the map, and list the scores of all places, the tropics, classes and climates."""
    head = [*LABELS, *COLUMNS]
    every, parts = towers.rows(("all", "zone", "distance")), towers.rows(("class", "climate"))
    items: list[Item] = [Note(f"{texts.INDEPENDENT} {towers.origin}")]
    items.append(captioned("independent", plot_independent(towers.places), _facts(every)))
    caption = "Yearly sums of towers (gC m⁻² yr⁻¹), bias is predicted minus measured"
    items.append(ReportTable(caption, head, every, labels=len(LABELS), source=File.INDEPENDENT_SCORES, unfolded=True))
    if parts:
        items.append(
            ReportTable(f"{caption}: classes and climates", head, parts, labels=len(LABELS), source=File.INDEPENDENT_SCORES)
        )
    return Section("independent", "Independent towers: yearly sums that no model saw", items)


def _facts(rows: list[list[str]]) -> str:
    """Bias, squared correlation and coverage of all places."""
    named = [dict(zip((*LABELS, *COLUMNS), row, strict=True)) for row in rows]
    return " ".join(
        f"{row['flux']}, {row['judged']}: {row['number']} places, bias {row['bias']} gC m⁻² yr⁻¹, r² {row['r²']}, "
        f"{row['inside 90 % (%)']} % inside."
        for row in named
        if row["places"] == "all"
    )

"""Stage of the report: reads a run, and writes `report.html` and `figures/`."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tamrl import files, provenance
from tamrl.calendar import Step
from tamrl.layout import RunFiles
from tamrl.report.map_sums import pair_reference, write_map_sums
from tamrl.report.pages.contents import compose_page
from tamrl.report.pages.html import HtmlPage, render_html
from tamrl.report.results import RunResults
from tamrl.sections.results import RunDescription
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("templates") / "report.html"


@stage
def write_report(
    *,
    files: Sequence[str],
    folder: str,
    description: RunDescription,
    report: str,
    figures: str,
    code: str,
    reference: Sequence[str] = (),
    atlas: str | None = None,
) -> None:
    """Write the report of a run: one HTML file that needs nothing else, and its figures as PNG.

    Parameters
    ----------
    files : those of the run that the report may read; figures that need missing files are left out
    code : digest of the code of the report
    reference : gridded fluxes to compare the maps with, by flux and then label
    atlas : path of the atlas relative to the report
    """
    run = RunFiles.of(folder, files)
    results = RunResults.read(run, description, pair_reference(list(reference), description.labels))
    origin = _origin(results, code)
    page = compose_page(results, origin=origin, date=f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC", atlas=atlas)
    _write_page(page, report, figures)


@stage
def sum_maps(*, files: Sequence[str], folder: str, label: str, step: Step, sums: str, reference: Sequence[str] = ()) -> None:
    """Sum the maps of one label for the report, where there are several.

    Parameters
    ----------
    files : maps of all fluxes, and of the members where the run has them
    folder : of the run
    label, step : year of the maps and length of their steps
    sums : folder to write
    reference : gridded fluxes to compare the maps with, by flux
    """
    write_map_sums(RunFiles.of(folder, files), label, pair_reference(list(reference), (label,)), sums, step=step)


def _origin(results: RunResults, code: str) -> dict[str, str]:
    """Return the digests and versions that the report states; those of the maps are read from their files."""
    maps = results.maps.summed.code_digest if results.maps else "not stated"
    origin = {"configuration digest": results.description.config_digest, "maps' code digest": maps}
    origin |= {"report's code digest": code, "revision": provenance.revision()}
    origin["software of models and maps"] = "see made in provenance.json"
    return origin | {f"report written with {name}": version for name, version in provenance.software().items()}


def _write_page(page: HtmlPage, report: str, figures: str) -> None:
    pictures = [picture for section in page.sections for picture in section.pictures]
    with files.atomic(figures) as part:
        part.mkdir()
        for item in pictures:
            (part / f"{item.name}.png").write_bytes(item.png)
    files.save_text(report, render_html(page, TEMPLATE.read_text(encoding="utf-8")))
    _log.info("%d figures, %.1f MB", len(pictures), Path(report).stat().st_size / 1e6)

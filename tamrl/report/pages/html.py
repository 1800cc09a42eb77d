"""The HTML page: its parts, and how it is rendered. Everything is inside the one file; nothing is fetched."""

import base64
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import jinja2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tamrl.layout import File
from tamrl.report.style import constrained

MARGIN = 0.03
"""Inches that stay free around the contents of a figure."""


@dataclass(frozen=True)
class Picture:
    """A figure with its caption and what a reader who cannot see it should know."""

    name: str
    """Also the name of its file in `figures/`."""
    png: bytes
    width: int
    height: int
    caption: str
    alt: str

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    @property
    def file(self) -> str:
        """Path of the picture in full size, relative to the page."""
        return f"{File.FIGURES}/{self.name}.png"


@dataclass(frozen=True)
class ReportTable:
    """A table of texts; the first `labels` columns are left-aligned."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    source: str | None = None
    """File of the numbers, relative to the page."""
    unfolded: bool = False
    """Whether the rows are shown from the start."""

    @property
    def title(self) -> str:
        """The caption up to its first clause."""
        return re.split(r"[:;(.]", self.caption)[0].strip()


@dataclass(frozen=True)
class Note:
    """A paragraph; `kind` is `plain` or `warning`."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Headline:
    """A line of the verdict: what, its number, and how far to trust it."""

    label: str
    value: str
    unit: str
    detail: str
    flux: str


@dataclass(frozen=True)
class Fold:
    """Figures and notes that are shown when they are asked for."""

    title: str
    items: Sequence[Picture | Note]


Item = Picture | ReportTable | Note | Fold


@dataclass
class Section:
    """A part of the page."""

    anchor: str
    title: str
    items: list[Item] = field(default_factory=list)

    @property
    def pictures(self) -> Iterator[Picture]:
        """All figures in their order, those in folds too."""
        for item in self.items:
            yield from (part for part in (item.items if isinstance(item, Fold) else [item]) if isinstance(part, Picture))

    @property
    def short(self) -> str:
        """The title up to its first colon, for the contents."""
        return self.title.split(":")[0]


@dataclass(frozen=True)
class HtmlPage:
    """The report."""

    title: str
    run: str
    date: str
    lead: str
    verdict: Sequence[Headline]
    sections: Sequence[Section]
    atlas: str | None = None
    """Where the atlas of the run lies, relative to the page."""
    world: str | None = None
    """What a run on the virtual Earth states beside its title (`simulated.STATEMENT`)."""


def _draw(figure: Figure) -> FigureCanvasAgg:
    """Draw a figure; where the layout lets something stick out of the paper, draw once more with that much room."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # not `savefig`, which draws every figure with a layout twice
    (width, height), box = figure.get_size_inches(), figure.get_tightbbox(canvas.get_renderer())  # type: ignore[no-untyped-call]
    left, below = max(0.0, MARGIN - box.x0), max(0.0, MARGIN - box.y0)
    right, above = max(0.0, box.x1 + MARGIN - width), max(0.0, box.y1 + MARGIN - height)
    if left + below + right + above > 0:
        room = (1 - (left + right) / width, 1 - (below + above) / height)
        constrained(figure).set(rect=(left / width, below / height, *room))
        canvas.draw()  # type: ignore[no-untyped-call]
    return canvas


def draw_picture(figure: Figure, name: str, *, caption: str, alt: str) -> Picture:
    """Draw a figure as PNG.

    Parameters
    ----------
    name : file name without ending
    caption, alt : texts below and instead of the picture
    """
    pixels = np.asarray(_draw(figure).buffer_rgba())  # type: ignore[no-untyped-call]
    image, title, buffer = Image.fromarray(pixels).convert("RGB"), PngInfo(), io.BytesIO()
    title.add_itxt("Title", alt)
    image.save(buffer, format="png", pnginfo=title)
    return Picture(name, buffer.getvalue(), *image.size, caption, alt)


def render_html(page: HtmlPage, template: str) -> str:
    """Render the page as HTML from the text of `templates/report.html`; everything that comes from data is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests["picture"] = lambda item: isinstance(item, Picture)
    environment.tests["table"] = lambda item: isinstance(item, ReportTable)
    environment.tests["fold"] = lambda item: isinstance(item, Fold)
    return environment.from_string(template).render(page=page) + "\n"

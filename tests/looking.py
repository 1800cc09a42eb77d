"""Pictures of atlas and report as readers see them: screens, print, dark, forced colours, and with colour vision that differs.

`python -m tests.looking RUN FOLDER` makes them of a finished run, to be looked at; the tests make them of synthetic runs.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 90_000  # ms: a loaded machine is slow, not wrong
DESKTOP = {"viewport": {"width": 1400, "height": 900}}


@dataclass(frozen=True)
class Look:
    """One way to look at a page."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the context of the browser."""
    media: str | None = None
    vision: str | None = None
    """A colour-vision deficiency by the names of Chromium."""


LOOKS = {
    "desktop": Look(),
    "laptop": Look({"viewport": {"width": 1366, "height": 768}}),
    "phone": Look({"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}),
    "zoom200": Look({"viewport": {"width": 700, "height": 450}, "device_scale_factor": 2}),
    "print": Look({"viewport": {"width": 760, "height": 1080}}, media="print"),
    "dark": Look({"color_scheme": "dark"}),
    "forced-colours": Look({"forced_colors": "active"}),
    "deuteranopia": Look(vision="deuteranopia"),
    "achromatopsia": Look(vision="achromatopsia"),
}

ATLAS = {
    "welcome": "",
    "place": "at=45,25",
    "nee": "f=nee&at=45,25",
    "regions": "tab=regions&region=SREX-AMZ",
    "towers": "tab=towers",
    "two": "c=two&tab=regions",
    "difference": "c=difference",
    "about": "tab=about",
}
"""Views of the atlas."""

WHOLE = {"phone", "print"}
"""Looks whose pictures hold the whole page."""


def open_look(browser: Any, look: Look, url: str) -> Any:
    """A page of a context of its own, as the look says."""
    context = browser.new_context(**(DESKTOP | {"reduced_motion": "reduce", "bypass_csp": True} | dict(look.options)))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    if look.vision:
        context.new_cdp_session(page).send("Emulation.setEmulatedVisionDeficiency", {"type": look.vision})
    page.goto(url)
    if look.media:
        page.emulate_media(media=look.media)
    return page


def settle(page: Any) -> None:
    """Wait for the map and the panel of the atlas."""
    page.wait_for_selector("html[data-drawn]", state="attached")
    page.wait_for_selector("#panel[data-shown]")
    page.wait_for_timeout(900)  # coastlines and charts come a little later


def atlas_pages(browser: Any, atlas: Path, look: Look, views: Mapping[str, str] = ATLAS) -> Iterator[tuple[str, Any]]:
    """Yield each view of the atlas, drawn; a page ends when the next is asked for."""
    for name, address in views.items():
        page = open_look(browser, look, f"file://{atlas.resolve()}/index.html#{address}")
        settle(page)
        yield name, page
        page.context.close()


def shoot(page: Any, folder: Path, name: str, *, whole: bool) -> Path:
    """Save a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    return path


def main(words: list[str]) -> int:
    """Make the pictures of a finished run."""
    from playwright.sync_api import sync_playwright

    from tests.conftest import CHROMIUM

    run, folder = Path(words[0]), Path(words[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        for name, look in LOOKS.items():
            for view, page in atlas_pages(browser, run / "atlas", look):
                shoot(page, folder, f"atlas-{name}-{view}", whole=name in WHOLE)
            page = open_look(browser, look, f"file://{(run / 'report.html').resolve()}")
            shoot(page, folder, f"report-{name}", whole=name in WHOLE)
            page.context.close()
            print(f"{name}: {folder}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

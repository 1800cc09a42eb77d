"""The atlas as readers see it: axe-core finds nothing in any state, and every look is kept as a picture."""

import pytest
from PIL import Image

from tests import looking
from tests.accessibility import fetch_axe, violations
from tests.atlas.conftest import ROOT

PICTURES = ROOT / "results/looks"
AXE = {
    "desktop": looking.ATLAS,
    "dark": {name: looking.ATLAS[name] for name in ("place", "regions", "two")},
    "phone": {name: looking.ATLAS[name] for name in ("welcome", "place", "towers")},
    "forced-colours": {name: looking.ATLAS[name] for name in ("regions", "nee")},
    "zoom200": {"place": looking.ATLAS["place"]},
}
"""States in which axe-core looks, by look."""


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize("look", AXE)
def test_axe_finds_nothing(chromium, atlas, axe, look):
    for name, page in looking.atlas_pages(chromium, atlas, looking.LOOKS[look], AXE[look]):
        if look == "phone":
            page.click("#more")
        for folded in page.locator("#panel summary").all():
            folded.click()
        assert violations(page, axe) == [], name


def test_axe_finds_nothing_in_polygons_two_runs_and_problems(chromium, atlas, axe):
    views = {
        "runs": "c=two&br=mean&tab=regions",
        "place of two runs": "c=two&br=mean&at=45,25",
        "unknown": "tab=regions&region=none",
        "problem": "",
    }
    for name, page in looking.atlas_pages(chromium, atlas, looking.LOOKS["desktop"], views):
        if name == "problem":
            page.click("#tab-regions")
            page.wait_for_selector("#polygons-file", state="attached")
            page.set_input_files("#polygons-file", {"name": "a.json", "mimeType": "application/json", "buffer": b"{}"})
            page.wait_for_selector(".polygons .problem")
        elif name != "unknown":
            page.wait_for_selector("#comparison")
        assert violations(page, axe) == [], name


def test_axe_would_find_a_button_without_a_name(chromium, atlas, axe):
    for _, page in looking.atlas_pages(chromium, atlas, looking.LOOKS["desktop"], {"welcome": ""}):
        page.evaluate(
            "document.querySelector('#in').textContent = ''; document.querySelector('#in').removeAttribute('aria-label')"
        )
        assert [line.split(":")[0] for line in violations(page, axe)] == ["button-name"]


@pytest.mark.parametrize("look", looking.LOOKS)
def test_every_look_is_a_picture(chromium, atlas, look):
    for name, page in looking.atlas_pages(chromium, atlas, looking.LOOKS[look]):
        path = looking.shoot(page, PICTURES, f"atlas-{look}-{name}", whole=look in looking.WHOLE)
        with Image.open(path) as picture:
            colours = picture.convert("RGB").resize((200, 200)).getcolors(40_000)
        assert len(colours) > 40, f"{look} {name} is nearly blank"
        grey = sum(n for n, (r, g, b) in colours if max(r, g, b) - min(r, g, b) < 6)
        assert (grey > 39_000) is (look == "achromatopsia"), f"{look} {name}"
        if look == "print" or name == "about":
            continue
        box = page.locator("#pane-a").bounding_box()
        assert box["width"] > 300 and box["height"] > (120 if look in ("zoom200", "phone") else 200), f"{look} {name}: {box}"

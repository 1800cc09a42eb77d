"""The atlas in Chromium, given addresses, names and titles of strangers."""

import re
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

from tests.atlas.conftest import broken, edited

PLACES = [
    "{evil}/",
    "../../evil/",
    "../../../{name}/evil/",
    "..",
    "../..",
    "%2e%2e",
    "evil/..",
    "evil%2F..",
    "file://{evil}/",
    "a b",
    "",
]
PLACES += ["http://127.0.0.1:9/", "//127.0.0.1/x/", "javascript:alert(1)//", "daily/../evil", "\\\\evil\\", "daily\n", "x" * 65]


def hostile(folder: Path) -> Path:
    """A folder with a script that marks the page which loads it, under any name that an atlas asks for."""
    for name in ("data/index.js", "atlas/data/index.js", "gpp.mean/0.js", "data/gpp.mean/0.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("document.documentElement.dataset.evil = 1;")
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_an_address_loads_no_script_but_of_runs_beside_this_one(opened, atlas, tmp_path, place):
    copy = broken(atlas, tmp_path / "results/mine")
    evil = hostile(tmp_path / "results/evil")
    hostile(tmp_path / "results/mine/evil")
    one = opened()
    one.go(copy, "c=two&br=" + quote(place.format(evil=evil, name=tmp_path.name), safe="%"), drawn=not place)
    one.page.wait_for_selector("#problem p" if place else "html[data-drawn]", state="attached")
    assert not place or "is no name of a run" in one.text("#problem")
    assert one.page.get_attribute("html", "data-evil") is None
    assert all(url.startswith((f"file://{copy}/", "data:", "blob:")) for url in one.asked), one.asked
    one.complaints.clear()


@pytest.mark.parametrize("label", ["../../evil", "..%2f..%2fevil", "%2e%2e/%2e%2e/evil", "/evil", "//evil/x"])
def test_no_name_within_an_atlas_leads_out_of_it(opened, atlas, tmp_path, label):
    copy = edited(broken(atlas, tmp_path / "results/mine"), labels=[label])
    hostile(tmp_path / "results/mine/evil")
    one = opened()
    one.go(copy, drawn=False)
    one.page.wait_for_selector("#problem p")
    assert one.page.get_attribute("html", "data-evil") is None and "is missing" in one.text("#problem")
    assert all(url.startswith((f"file://{copy}/", "data:", "blob:")) for url in one.asked), one.asked
    one.complaints.clear()


def test_no_cell_of_the_csv_of_a_place_is_a_formula(opened, atlas, tmp_path):
    title = "T,=1+1; @SUM(1)\t-2\n=cmd|' /C calc'!A0,+\"=3"
    copy = edited(broken(atlas, tmp_path), title=title, virtual_earth="=A1")
    one = opened().go(copy, "at=45,25")
    one.page.wait_for_selector("#csv")
    with one.page.expect_download() as waiting:
        one.page.click("#csv")
    waiting.value.save_as(tmp_path / "cell.csv")
    text = (tmp_path / "cell.csv").read_text()
    for separator in (",", ";", "\t", '"'):
        for part in (part.strip() for line in text.splitlines() for part in line.split(separator)):
            assert part[:1] not in tuple("=+@") and (part[:1] != "-" or re.fullmatch(r"-[0-9.]+|-[0-9.,]+.*'=A1", part)), part
    table = pd.read_csv(tmp_path / "cell.csv", comment="#")
    assert (table["virtual_earth"] == "'=A1").all() and table["gpp_mean"].dtype == float

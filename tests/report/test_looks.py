"""Pictures of the report in every look, kept to be looked at."""

import pytest
from PIL import Image

from tamrl.report import style
from tamrl.report.stage import write_report
from tests import looking

PICTURES = looking.Path(__file__).parents[2] / "results/looks"


@pytest.fixture(scope="module")
def report(day_run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 160)
        write_report(**day_run.keywords(), atlas="atlas/index.html")
    return f"file://{day_run.folder}/report.html"


@pytest.mark.parametrize("look", looking.LOOKS)
def test_every_look_is_a_picture(chromium, report, look):
    page = looking.open_look(chromium, looking.LOOKS[look], report)
    path = looking.shoot(page, PICTURES, f"report-{look}", whole=look in looking.WHOLE)
    assert page.is_visible(".verdict")
    page.context.close()
    with Image.open(path) as picture:
        assert len(picture.convert("RGB").resize((200, 200)).getcolors(40_000)) > 40

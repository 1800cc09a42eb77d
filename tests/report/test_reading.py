"""The report in a browser: accessible, short, readable on a phone, and whole words in print."""

import pytest

from tamrl.report import style
from tamrl.report.stage import write_report
from tests.accessibility import fetch_axe, violations

SCREEN, SCREENS = 900, 25
"""Height of a laptop's screen in pixels, and the most of them that the report may fill."""

PRINTED = 703
"""Width of an A4 page between the margins of the report, pixels."""

OPEN = "document.querySelectorAll('details').forEach(d => { d.open = true; })"

CUT = """() => {
  const cut = [];
  for (const cell of document.querySelectorAll('details:not(.plain) :is(th, td)')) {
    const text = cell.firstChild;
    if (!text) continue;
    for (const word of text.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top)));
      if (lines.size > 1) cut.push(word[0]);
    }
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def page_of(day_run, chromium):
    """Open the report in a context with options."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 160)  # as it is: text of figures and heights of the page
        write_report(**day_run.keywords(), atlas="atlas/index.html")
    contexts = []

    def make(**options):
        contexts.append(chromium.new_context(bypass_csp=True, **({"viewport": {"width": 1400, "height": SCREEN}} | options)))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)
        page.goto(f"file://{day_run.folder}/report.html")
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}],
    ids=["light", "dark", "phone"],
)
@pytest.mark.parametrize("opened", [False, True], ids=["folded", "opened"])
def test_axe_finds_nothing(page_of, axe, options, opened):
    page = page_of(**options)
    if opened:
        page.evaluate(OPEN)
    assert violations(page, axe) == []


def test_axe_would_find_a_table_without_a_head(page_of, axe):
    page = page_of()
    page.evaluate(OPEN)
    page.evaluate("document.querySelector('thead th').textContent = ''")
    assert [line.split(":")[0] for line in violations(page, axe)] == ["empty-table-header"]


def test_the_answer_is_on_the_first_screen_and_the_page_is_short(page_of):
    page = page_of()
    assert page.evaluate("document.querySelector('.verdict').getBoundingClientRect().bottom") < SCREEN
    assert page.evaluate("document.documentElement.scrollHeight") < SCREENS * SCREEN


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_nothing_sticks_out_sideways(page_of, width):
    page = page_of(viewport={"width": width, "height": 844})
    page.evaluate(OPEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tables_print_without_cut_words(page_of):
    page = page_of(viewport={"width": PRINTED, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate(OPEN)
    assert page.evaluate(CUT) == []
    page.add_style_tag(
        content="td.text, th { overflow-wrap: anywhere !important; max-width: 2em; white-space: normal !important; }"
    )
    assert page.evaluate(CUT), "cut words would be seen"


def test_folded_tables_do_not_fill_the_print(page_of):
    pages = page_of().pdf(format="A4").count(b"/Type /Page\n")
    assert 5 <= pages <= 14

"""From the README a reader reaches what readers ask for first in two clicks, by words that stand in or beside the links."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")

ASKED = {
    "start": (r"start", r"^## Start\b[\s\S]*?make maps"),
    "cost": (
        r"\bcosts?\b",
        r"^## What it costs\b[\s\S]*?\| time on .*\d min[\s\S]*?\| disk.*\d GB[\s\S]*?\| memory.*\d GiB",
    ),
    "my tower": (r"my tower", r"^# .*tower[\s\S]*?```[\s\S]*?make maps"),
    "Europe only": (r"Europe", r"^# .*[Rr]egion[\s\S]*?(sellonlatbox|region:|\.sel\()"),
    "what ± means": (r"±", r"^# .*([Uu]ncertainty|±)[\s\S]*?90 %"),
    "how to cite": (r"cite", r"^# .*[Cc]it[\s\S]*?10\.48550/arXiv"),
}
"""What is asked for: words that lead to it, and what the page that answers holds."""


def links(page: Path) -> Iterator[tuple[str, str]]:
    """The words of each link to a page of the project, with those of its line, and its target."""
    for line in page.read_text(encoding="utf-8").splitlines():
        for text, target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                yield f"{text} {line}", target


def reached(page: Path, target: str) -> tuple[Path, str]:
    """The page of a link and the part of its text that the link opens."""
    name, _, anchor = target.partition("#")
    found = (page.parent / name).resolve() if name else page
    assert found.exists(), f"{page.name}: {target} leads nowhere"
    text = found.read_text(encoding="utf-8") if found.suffix == ".md" else ""
    if not anchor:
        return found, text
    for heading in re.finditer(r"^#+ (.*)$", text, re.MULTILINE):
        if re.sub(r"[^\w\- ]", "", heading.group(1).lower()).replace(" ", "-") == anchor:
            return found, text[heading.start() :]
    raise AssertionError(f"{page.name}: {target} has no such heading")


def clicks(words: str, answer: str) -> int | None:
    """Clicks from the README to the answer, along links whose line holds the words; None beyond two."""
    pages = [ROOT / "README.md"]
    for count in (1, 2):
        opened = [reached(page, target) for page in pages for text, target in links(page) if re.search(words, text)]
        if any(re.search(answer, text, re.MULTILINE) for _, text in opened):
            return count
        pages = [page for page, _ in opened if page.suffix == ".md"]
    return None


@pytest.mark.parametrize("asked", ASKED)
def test_what_readers_ask_first_is_two_clicks_away(asked):
    assert clicks(*ASKED[asked]) in (1, 2)


def test_what_is_nowhere_is_not_found():
    assert clicks("unicorn", ".") is None and clicks("start", "unicorn") is None


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/first-hour.md", "docs/atlas.md"])
def test_no_link_leads_nowhere(page):
    assert [reached(ROOT / page, target) for _, target in links(ROOT / page)]

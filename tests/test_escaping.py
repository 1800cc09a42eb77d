"""Text of strangers is text in spreadsheets, pages, logs and command lines."""

import ast
import csv
import subprocess
import sys
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tamrl import config, contracts, escaping
from tamrl.errors import ConfigError, InputError
from tamrl.report import style

ROOT = Path(__file__).parents[1]
FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    "''=1",
    "＝1",
    "=",
    "-",
    "+49 89",
]
TITLES = [
    "A {virtual} Earth",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "`x` *a* _b_ ~~c~~ | d",
    "# &lt; $x$ \\*",
    "![x](y)",
]


def _cells(path: Path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@given(
    st.lists(st.sampled_from(FORMULAS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)
)
@settings(max_examples=200, deadline=None)
def test_no_cell_of_text_is_a_formula_and_all_of_it_is_read_back(tmp_path_factory, texts):
    frame = pd.DataFrame({"=name": pd.Series([t or "x" for t in texts], dtype=object), "number": -1.5})
    escaping.write_csv(frame, path := tmp_path_factory.mktemp("csv") / "x.csv")
    head, *rows = _cells(path)
    assert head == ["'=name", "number"] and all(row[1] == "-1.5" for row in rows)
    for cell, _ in rows:
        assert cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n＝＋－＠") or escaping.NUMBER.fullmatch(cell), cell
    read = escaping.unescape_table(pd.read_csv(path, dtype={"'=name": str}, keep_default_na=False, lineterminator=None))
    assert [t.replace("\r\n", "\n").replace("\r", "\n") for t in read["=name"]] == [
        (t or "x").replace("\r\n", "\n").replace("\r", "\n") for t in texts
    ]


def test_a_table_between_stages_keeps_such_text(tmp_path):
    row = {"site": "DE-Hai", "network": "x", "lat": -51.0, "lon": -10.5, "igbp": "DBF", "koppen": "Temperate"}
    row |= {"elevation": -2.0, "utc_offset": -1.0, "managed": FORMULAS[1], "citation": "=HYPERLINK(1)"}
    escaping.write_csv(pd.DataFrame([row]), path := tmp_path / "towers.csv")
    assert _cells(path)[1] == [
        "DE-Hai",
        "x",
        "-51.0",
        "-10.5",
        "DBF",
        "Temperate",
        "-2.0",
        "-1.0",
        "'" + FORMULAS[1],
        "'=HYPERLINK(1)",
    ]
    assert contracts.read_csv(str(path), contracts.SITES).to_dict("records") == [row]


def test_every_table_of_a_run_goes_through_the_one_writer_and_reader():
    own = {"escaping.py", "twin/archives.py"}  # the rule itself, and files in the formats of providers
    for file in (ROOT / "tamrl").rglob("*.py"):
        name = str(file.relative_to(ROOT / "tamrl"))
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        written = [n for n in calls if ast.unparse(n.func).endswith((".to_csv", "csv.writer", "csv.DictWriter"))]
        assert not written or name in own, name
        read = {ast.unparse(n) for n in calls if ast.unparse(n.func) == "pd.read_csv" and "verified(" in ast.unparse(n)}
        back = {ast.unparse(a) for n in calls if ast.unparse(n.func) == "escaping.unescape_table" for a in n.args}
        text = ast.unparse(ast.parse(file.read_text()))
        for call in read - back:
            assert f"frame = {call}" in text and "escaping.unescape_table(frame)" in text, (name, call)


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_text_in_markdown(title):
    html = MarkdownIt("gfm-like", {"linkify": False}).render(f"# {escaping.escape_markdown(title)}\n")
    assert html == f"<h1>{html[4:-6]}</h1>\n" and "<" not in html[4:-6] and unescape(html[4:-6]) == title


def test_a_title_of_several_lines_is_one():
    assert escaping.escape_markdown("A\n\n## B\x1b[2J") == r"A \#\# B \[2J"


def test_control_characters_reach_no_terminal(tmp_path):
    odd = "XX\x1b[2J\x9b1m\u202e"
    error = InputError("no tower", where=odd, found="two\nlines")
    assert str(error) == "no tower\n  where: XX\\x1b[2J\\x9b1m\\u202e\n  found: two\nlines"
    code = "import sys, logging; from tamrl import log; _, path, odd = sys.argv; log.to_file(path); "
    code += "logging.error('%s', odd); raise ValueError(odd)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "logs/x.log", odd], capture_output=True, text=True, check=False)
    for text in (done.stderr, (tmp_path / "logs/x.log").read_text()):
        assert "\x1b" not in text and "\u202e" not in text and text.count("XX\\x1b[2J") >= 2


@style.styled
def test_a_dollar_sign_in_a_label_is_drawn():
    figure = style.new_figure(2, 1)
    figure.suptitle("the $\\frac{truth$ costs $5")
    figure.canvas.draw()


@pytest.mark.parametrize(
    "launcher",
    ["srun {x}", "srun {}", "srun {0}", "srun {nodes.real}", "srun {nodes!r}", "srun ${X}", "srun {", "srun 'a", "", " "],
)
def test_a_launcher_that_cannot_be_filled_in_is_refused_when_it_is_loaded(launcher):
    with pytest.raises(ConfigError, match=r"inference\.launcher"):
        config.load({"inference": {"launcher": launcher}})


def test_a_launcher_is_split_as_a_shell_would():
    words = escaping.split_command("run -n {nodes} 'a b' {{x}}", nodes=2, threads=3)
    assert words == ["run", "-n", "2", "a b", "{x}"]

"""YAML that users write: nothing is lost without a word, and what is no YAML is named with its line."""

import string
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tamrl import config, variables
from tamrl.errors import ConfigError
from tamrl.intake import document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("towers:\n  exclude: [a]\nrun: x\ntowers: {}\n", r"towers occurs twice \(lines 1 and 4\)"),
        ("choices:\n  a: {}\n  b: {}\n  a: {}\n", r"choices.a occurs twice \(lines 2 and 4\)"),
        (
            "training:\n  variants: {few: {model: tamrl}, few: {model: lightgbm}}\n",
            r"training.variants.few occurs twice \(line 2\)",
        ),
        ("a:\n- {b: 1}\n- b: 1\n  b: 2\n", r"a.1.b occurs twice \(lines 3 and 4\)"),
        ("a: 1\n'a': 2\n", r"a occurs twice \(lines 1 and 2\)"),
        ("on: 1\nyes: 2\n", r"occurs twice \(lines 1 and 2\)"),
        ("a:\n  <<: {b: 1}\n  <<: {c: 1}\n", r"a.<< occurs twice \(lines 2 and 3\)"),
        ('{"a": 1,\n\t"a": 2}', r"a occurs twice \(lines 1 and 2\)"),
        ("a: 1\nb:\n\t- 1\n", r"line 3, column 1[\s\S]*blanks, not by tabs"),
        ("a: [1\nb: 2\n", "line 2"),
        ("path: {data}/x\n", "line 1"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("a: !!python/object/apply:os.system ['x']\n", "line 1"),
        ("? {a: 1}\n: 2\n", "unhashable"),
        ("- 1\n- 2\n", "a list"),
        ("towers\n", "a str"),
        ("", "nothing"),
        ("# nothing yet\n", "nothing"),
        (b"\x89HDF\r\n\x1a\n", "line 1"),
        (b"a: 1\nb: caf\xe9\n", "line 2"),
        (b"a: \x00\n", "not allowed"),
    ],
)
def test_what_would_be_lost_or_misread_is_refused_with_file_and_line(tmp_path, text, said):
    file = tmp_path / "own.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said) as caught:
        document.read_document(file)
    assert "own.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {x: 1, y: NO}\nd: {<<: *b, x: 2}\n",
        "a: {<<: [{b: 1, c: 1}, {b: 2}]}\n",
        "a: {b: 1}\nc: {b: 1}\n",
        "on: 1\n'on': 2\n",
        "rate: 1e-3\nyears: [2011, 2012]\nuntil: 2012-05\n",
        "\ufeffa: 1\r\nb: é\r\n",
    ],
)
def test_what_is_legal_is_read_as_before(tmp_path, text):
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    assert document.read_document(file) == yaml.safe_load(text)


def test_json_keeps_its_numbers():
    assert document.parse_document('{"a": 1e5,\n\t"b": "\\ud83c\\udf32"}', where="x") == {"a": 1e5, "b": "🌲"}


nested = st.recursive(
    st.integers() | st.booleans() | st.none() | st.text(string.ascii_letters, min_size=1),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(content=st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=3), nested, min_size=1), flow=st.booleans())
def test_any_mapping_is_read_and_refused_once_one_of_its_keys_is_repeated(content, flow):
    text = yaml.safe_dump(content, default_flow_style=flow, sort_keys=False)
    assert document.parse_document(text, where="x") == content
    key = next(iter(content))
    extra = yaml.safe_dump({key: 1}, default_flow_style=flow)
    twice = "{" + text.strip()[1:-1] + ", " + extra.strip()[1:-1] + "}" if flow else text + extra
    with pytest.raises(ConfigError, match="occurs twice"):
        document.parse_document(twice, where="x")


def test_the_vocabulary_and_the_plan_read_through_it(tmp_path, monkeypatch):
    file = tmp_path / "twice.yaml"
    file.write_text("evi: {}\nevi: {}\n")
    for reader in (variables.read_vocabulary, lambda path: config.load_files([path])):
        with pytest.raises(ConfigError, match=r"evi occurs twice \(lines 1 and 2\)"):
            reader(file)


def test_a_plan_of_two_files_keeps_the_keys_of_both(tmp_path):
    one, two, merged = (tmp_path / f"{name}.yaml" for name in ("one", "two", "merged"))
    one.write_text("run: both\ngrid: {resolution: 5, tile: 12}\ntraining: {members: 7}\n")
    two.write_text("training: {steps: 9}\n")
    merged.write_text("run: both\ngrid: {resolution: 5, tile: 12}\ntraining: {members: 7, steps: 9}\n")
    plans = [
        subprocess.run([sys.executable, "-m", "tamrl.costs", *map(str, paths)], capture_output=True, text=True, check=True).stdout
        for paths in ((one, two), (merged,))
    ]
    assert plans[0] == plans[1] and "`both`" in plans[0]


def _bomb(kind, levels=12):
    """Ten times as many values with each line, by aliases of the line before."""
    inner = {"list": "[{}]", "mapping": "{{{}}}", "merge": "{{<<: [{}]}}"}[kind]
    lines = ["a0: &a0 " + {"list": "[x]"}.get(kind, "{k: x}")]
    for n in range(1, levels):
        parts = [f"k{k}: *a{n - 1}" if kind == "mapping" else f"*a{n - 1}" for k in range(10)]
        lines.append(f"a{n}: &a{n} " + inner.format(", ".join(parts)))
    return "\n".join(lines) + "\n"


HOSTILE = {kind: _bomb(kind) for kind in ("list", "mapping", "merge")}
HOSTILE |= {"itself": "a: &a [*a]\n", "deep": "a: " + "[" * 60 + "]" * 60 + "\n", "wide": "a: [" + "x, " * 100_001 + "]\n"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_settings_that_grow_without_a_bound_are_refused_at_once(tmp_path, kind):
    path = tmp_path / "mine.yaml"
    path.write_text(HOSTILE[kind])
    begun = time.process_time()
    with pytest.raises(ConfigError, match=r"more than 100,000 keys and values[\s\S]*mine\.yaml"):
        document.read_document(path)
    if kind not in ("wide", "merge"):  # YAML itself would follow the merges
        with pytest.raises(ConfigError, match=r"more than 100,000 keys and values[\s\S]*--config"):
            document.check_value("{" + HOSTILE[kind].replace("\n", ", ") + "}", where="--config x")
        with pytest.raises(ConfigError, match="more than 100,000 keys and values"):  # laid over others by Snakemake
            config.load(yaml.safe_load(HOSTILE[kind]))
    assert time.process_time() - begun < 30


def test_a_file_too_long_for_settings_is_refused_unread(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: " + "x" * document.MOST_TEXT)
    with pytest.raises(ConfigError, match=r"mine\.yaml[\s\S]*more than"):
        document.read_document(tmp_path / "mine.yaml")


def test_aliases_that_repeat_little_are_read(tmp_path):
    assert document.parse_document("a: &a {k: 1}\nb: *a\nc: [*a, *a]\n", where="x") == {
        "a": {"k": 1},
        "b": {"k": 1},
        "c": [{"k": 1}] * 2,
    }

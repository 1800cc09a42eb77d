"""What advisory services say stands on the page; where they say nothing, the last answer does."""

import json

import pytest

from tamrl import audit

FOUND = {"name": "torch", "version": "2.13.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2"], "fix_versions": ["2.14"]}]}
SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
SILENT = {"name": "numpy", "skip_reason": "Dependency not found: numpy (2.4.6)"}
NPM = {"vulnerabilities": {"esbuild": {"range": "<1", "fixAvailable": True, "via": ["x", {"title": "a | <b>"}]}}}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Programs that answer as told, and the page that this makes."""
    monkeypatch.setattr(audit, "PAGE", tmp_path / "audit.md")

    def written(python: object, npm: object) -> tuple[int, str]:
        answers = [(answer if isinstance(answer, str) else json.dumps(answer), "cannot connect") for answer in (python, npm)]
        monkeypatch.setattr(audit, "run_program", lambda command, folder: answers.pop(0))
        return audit.main("pip-audit"), audit.PAGE.read_text()

    return written


def test_advisories_are_listed_as_text(page):
    code, text = page({"dependencies": [FOUND, SOUND]}, NPM)
    assert code == 1 and "| torch | 2.13.0 | PYSEC-1 CVE-2 | 2.14 |" in text
    assert r"| esbuild | \<1 | a \| \<b\> | a newer version |" in text and "2 of 2 packages known" in text


def test_nothing_known_is_said_with_its_date(page):
    code, text = page({"dependencies": [SOUND]}, {"vulnerabilities": {}})
    assert code == 0 and text.count("no known vulnerability") == 2 and "no answer" not in text


@pytest.mark.parametrize("silent", ["", "<html>", "[]", {"dependencies": [SILENT]}, {"dependencies": []}])
@pytest.mark.parametrize("npm", ["", {"message": "405 - POST https://mirror.example/x"}, {"vulnerabilities": None}])
def test_silence_is_no_health_and_the_last_answer_stays(page, silent, npm):
    code, text = page(silent, npm)
    assert code == 2 and text.count("**no answer**") == 2 and text.count("Last answer: none yet.") == 2 and "mirror" not in text
    _, answered = page({"dependencies": [FOUND]}, {"vulnerabilities": {}})
    last = answered[answered.index("Last answer") : answered.index("## npm")].strip()
    for _ in range(2):
        code, text = page(silent, npm)
        assert code == 2 and last in text and "## npm\n\nLast asked" in text and text.count("PYSEC-1") == 1
    assert page({"dependencies": [SOUND]}, npm)[1].count("**no answer**") == 1


def test_a_program_that_is_not_there_is_no_answer(tmp_path):
    assert "nowhere" in audit.run_program([tmp_path / "nowhere"], tmp_path)[1]

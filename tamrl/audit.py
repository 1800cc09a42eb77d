"""Ask the advisory services of PyPI and npm about every locked package and write `docs/audit.md`.

No answer is not a good answer: if a service does not answer, the page says so and keeps the last answer with its date.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tamrl import escaping
from tamrl.atlas.bundle import NODE, NPM

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/audit.md"
SITE = ROOT / "tamrl/atlas/site"
LOCKS = ("requirements.lock.txt", "requirements-real.lock.txt", "envs/torch-cuda.lock.txt")
PATIENCE = 900.0
"""Seconds to wait for the answer of a service."""

HEAD = """# Known vulnerabilities of the locked packages

`make audit` writes this page: it asks the advisory services of PyPI and npm about every package of the locks. It fails if a
vulnerability is known or a service does not answer. In the second case the last answer stays here, with its date.
"""


@dataclass(frozen=True)
class Advisories:
    """Answer of an advisory service."""

    asked: int
    known: int = 0
    """Number of packages asked about, and of those the service knows."""
    rows: tuple[tuple[str, str, str, str], ...] = ()
    """Known vulnerabilities: (package, version, advisory, remedy)."""
    failed: str = ""
    """Why there is no answer; empty if there is one."""


def parse_pip_audit(text: str, stderr: str) -> Advisories:
    """Parse the JSON of `pip-audit`."""
    packages = _json(text).get("dependencies", [])
    known = [entry for entry in packages if "vulns" in entry]
    if not known:
        return Advisories(len(packages), failed=_reason(next((entry.get("skip_reason") for entry in packages), stderr)))
    rows = [
        (entry["name"], entry["version"], " ".join([bad["id"], *bad.get("aliases", ())]), ", ".join(bad.get("fix_versions", ())))
        for entry in known
        for bad in entry["vulns"]
    ]
    return Advisories(len(packages), len(known), tuple(sorted(rows)))


def parse_npm_audit(text: str, stderr: str, asked: int) -> Advisories:
    """Parse the JSON of `npm audit`."""
    answer = _json(text)
    if not isinstance(answer.get("vulnerabilities"), dict):
        return Advisories(asked, failed=_reason(answer.get("message") or stderr))
    rows = [
        (name, str(bad.get("range", "")), str(via.get("title", "")), "a newer version" if bad.get("fixAvailable") else "")
        for name, bad in answer["vulnerabilities"].items()
        for via in bad.get("via", ())
        if isinstance(via, dict)
    ]
    return Advisories(asked, asked, tuple(sorted(rows)))


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _reason(text: object) -> str:
    """Return the reason for a missing answer without addresses, because the service may be asked through a mirror."""
    return escaping.one_line(re.sub(r"\w+://\S+", "the service", str(text or "empty answer")))[:200]


def format_section(title: str, answer: Advisories, before: str, *, day: str) -> str:
    """Format a section of the page; `before` is the previous page.

    Parameters
    ----------
    title : heading
    answer : what the advisory service said
    before : the previous page, whose section is kept where there is no answer
    day : date of the question, yyyy-mm-dd
    """
    if answer.failed:
        old = re.search(rf"^## {title}\n.*?(^Last answer: .*?)(?=^## |\Z)", before, re.MULTILINE | re.DOTALL)
        last = old[1].strip() if old else "Last answer: none yet."
        return f"## {title}\n\nLast asked {day}: **no answer** ({escaping.escape_markdown(answer.failed)}).\n\n{last}\n"
    lines = [f"## {title}", "", f"Last answer: {day}, {answer.known} of {answer.asked} packages known to the service, "]
    lines[-1] += f"{len(answer.rows)} advisories." if answer.rows else "no known vulnerability."
    if answer.rows:
        lines += ["", "| package | version | advisory | remedy |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(map(escaping.escape_markdown, row))} |" for row in answer.rows]
    return "\n".join(lines) + "\n"


def run_program(command: Sequence[object], folder: Path) -> tuple[str, str]:
    """Run a program and return its output and the end of its error output."""
    try:
        done = subprocess.run(
            [*map(str, command)], cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return done.stdout, done.stderr[-500:]


def main(pip_audit: str) -> int:
    """Write the page; return 0 if no vulnerability is known, 1 if one is, and 2 if a service did not answer."""
    options = [part for lock in LOCKS for part in ("-r", lock)]
    options += ["--require-hashes", "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
    answers = {"Python": parse_pip_audit(*run_program([Path(pip_audit).absolute(), *options], ROOT))}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SITE / name, folder)
        lock = json.loads((SITE / "package-lock.json").read_text(encoding="utf-8"))
        node = NODE / "bin/node" if (NODE / "bin").exists() else NODE / "node.exe"
        output = run_program([node, NODE / NPM, "audit", "--json", "--package-lock-only"], Path(folder))
        answers["npm"] = parse_npm_audit(*output, asked=len(lock["packages"]) - 1)
    before, day = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", f"{datetime.now(UTC):%Y-%m-%d}"
    PAGE.write_text("\n".join([HEAD, *(format_section(t, a, before, day=day) for t, a in answers.items())]), encoding="utf-8")
    for title, answer in answers.items():
        print(f"{title}: " + (f"no answer: {answer.failed}" if answer.failed else f"{len(answer.rows)} advisories"))
    return 2 if any(a.failed for a in answers.values()) else int(any(a.rows for a in answers.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

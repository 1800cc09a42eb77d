"""Ask the advisory services about every locked package, and write what they say into `docs/audit.md`.

Silence is no health: where a service gives no answer the page says so, and keeps the last answer with its date.
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
"""Seconds that a service has for its answer."""

HEAD = """# Known vulnerabilities of the locked packages

`make audit` writes this page: it asks the advisory services of PyPI and npm about every package of the locks. It ends with an
error where something is known, and where a service is silent: then its last answer stays here, with its date.
"""


@dataclass(frozen=True)
class Answer:
    """What a service said: packages that it knows, rows of package, version, advisory, remedy; `failed` if it said nothing."""

    asked: int
    known: int = 0
    rows: tuple[tuple[str, str, str, str], ...] = ()
    failed: str = ""


def of_python(text: str, said: str) -> Answer:
    """From the JSON of `pip-audit`; `said` is what it printed beside that."""
    packages = _json(text).get("dependencies", [])
    known = [entry for entry in packages if "vulns" in entry]
    if not known:
        return Answer(len(packages), failed=_reason(next((entry.get("skip_reason") for entry in packages), said)))
    rows = [
        (entry["name"], entry["version"], " ".join([bad["id"], *bad.get("aliases", ())]), ", ".join(bad.get("fix_versions", ())))
        for entry in known
        for bad in entry["vulns"]
    ]
    return Answer(len(packages), len(known), tuple(sorted(rows)))


def of_npm(text: str, said: str, asked: int) -> Answer:
    """From the JSON of `npm audit`."""
    answer = _json(text)
    if not isinstance(answer.get("vulnerabilities"), dict):
        return Answer(asked, failed=_reason(answer.get("message") or said))
    rows = [
        (name, str(bad.get("range", "")), str(via.get("title", "")), "a newer version" if bad.get("fixAvailable") else "")
        for name, bad in answer["vulnerabilities"].items()
        for via in bad.get("via", ())
        if isinstance(via, dict)
    ]
    return Answer(asked, asked, tuple(sorted(rows)))


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _reason(text: object) -> str:
    """Why there is no answer, without addresses: whoever asks may do so through a mirror."""
    return escaping.line(re.sub(r"\w+://\S+", "the service", str(text or "nothing was said")))[:200]


def section(title: str, answer: Answer, before: str, *, day: str) -> str:
    """A section of the page; `before` is the page as it was."""
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


def ask(command: Sequence[object], folder: Path) -> tuple[str, str]:
    """What a program printed, and what it complained of."""
    try:
        done = subprocess.run(
            [*map(str, command)], cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return done.stdout, done.stderr[-500:]


def main(pip_audit: str) -> int:
    """Ask, write the page, and say how it went: 0 for nothing known, 1 for something, 2 for no answer."""
    options = [part for lock in LOCKS for part in ("-r", lock)]
    options += ["--require-hashes", "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
    answers = {"Python": of_python(*ask([Path(pip_audit).absolute(), *options], ROOT))}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SITE / name, folder)
        lock = json.loads((SITE / "package-lock.json").read_text(encoding="utf-8"))
        node = NODE / "bin/node" if (NODE / "bin").exists() else NODE / "node.exe"
        said = ask([node, NODE / NPM, "audit", "--json", "--package-lock-only"], Path(folder))
        answers["npm"] = of_npm(*said, asked=len(lock["packages"]) - 1)
    before, day = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", f"{datetime.now(UTC):%Y-%m-%d}"
    PAGE.write_text("\n".join([HEAD, *(section(t, a, before, day=day) for t, a in answers.items())]), encoding="utf-8")
    for title, answer in answers.items():
        print(f"{title}: " + (f"no answer: {answer.failed}" if answer.failed else f"{len(answer.rows)} advisories"))
    return 2 if any(a.failed for a in answers.values()) else int(any(a.rows for a in answers.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

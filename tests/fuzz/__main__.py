"""`make fuzz`: mutated files of every kind are read as the project reads them; prints the table that `docs/faults.md` shows."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.base import BAD, Target
from tests.fuzz.run import ROOT, Tally, run_all
from tests.fuzz.targets import TARGETS

COLUMNS = ("same", "refused", "other", *BAD)
PAGE = ROOT / "docs" / "faults.md"
MARKS = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"


def table(tallies: Sequence[Tally], *, seed: int, cases: int) -> str:
    """The table in Markdown."""
    lines = [f"`make fuzz SEED={seed} CASES={cases}`", "", f"| file | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    lines += [f"| {t.name} | {' | '.join(str(t.counts[c]) for c in COLUMNS)} |" for t in tallies]
    total = [sum(t.counts[c] for t in tallies) for c in COLUMNS]
    return "\n".join([*lines, f"| **all** | {' | '.join(f'**{n}**' for n in total)} |"]) + "\n"


def publish(text: str, page: Path = PAGE) -> None:
    """Put the table between the marks of the page."""
    begin, end = MARKS
    old = page.read_text(encoding="utf-8")
    new = re.sub(f"(?s){re.escape(begin)}.*{re.escape(end)}", lambda _: f"{begin}\n{text}{end}", old)
    page.write_text(new, encoding="utf-8")


def _chosen(names: Sequence[str]) -> list[Target]:
    unknown = set(names) - {t.name for t in TARGETS}
    if unknown:
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; choose from: {', '.join(t.name for t in TARGETS)}")
    return [t for t in TARGETS if not names or t.name in names]


def main() -> None:
    """Run, print, and end with 1 if any case is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", action="append", default=[], help="only this kind of file; may be given again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=60, help="mutations of each kind of file")
    parser.add_argument("--case", type=int, help="this one alone, to see a fault again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--publish", action="store_true", help="put the table into docs/faults.md")
    given = parser.parse_args()
    cases = range(given.cases) if given.case is None else range(given.case, given.case + 1)
    tallies = []
    for tally in run_all(_chosen(given.target), seed=given.seed, cases=cases, jobs=given.jobs):
        tallies.append(tally)
        print(f"{tally.name:32} {'  '.join(f'{c} {tally.counts[c]}' for c in COLUMNS)}", flush=True)
        for fault in tally.faults:
            print(json.dumps(fault, indent=1, ensure_ascii=False))
    text = table(tallies, seed=given.seed, cases=given.cases)
    print(f"\n{text}")
    if given.publish:
        publish(text)
    sys.exit(any(t.faults for t in tallies))


if __name__ == "__main__":
    main()

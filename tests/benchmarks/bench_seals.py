"""What seals cost: one pass over all that a finished run sealed, as a share of the seconds of its jobs.

A file is passed over once when it is written, and once by each job that reads it.
"""

import json
from pathlib import Path

import pandas as pd

from tamrl import files
from tests.benchmarks.rows import row, took

SHARE = 0.02
"""Most that may be spent."""


def run() -> list[dict]:
    """The share in the run of `results/` whose jobs ended last; none where no run is there."""
    journals = sorted(Path("results").glob("*/logs/jobs.tsv"), key=lambda path: path.stat().st_mtime)
    if not journals:
        return []
    folder = journals[-1].parents[1]
    jobs = pd.read_csv(journals[-1], sep="\t").drop_duplicates(["rule", "wildcards"], keep="last")
    sealed = [path for seal in folder.rglob(f".*{files.SEAL}") for path in _named(seal) if path.is_file()]
    seconds = took(lambda: [files.checksum(path) for path in sealed])
    amount = sum(path.stat().st_size for path in sealed) / 1e6
    print(f"  {len(sealed)} files of {folder}, {amount:.0f} MB in {seconds:.2f} s, jobs {jobs['seconds'].sum():.0f} s")
    share = float(seconds / jobs["seconds"].sum())
    return [row(f"seals: one pass over {folder.name}, of its jobs", share, "share", SHARE, below=True)]


def _named(seal: Path) -> list[Path]:
    """The files that a seal speaks of."""
    path = seal.with_name(seal.name.removeprefix(".").removesuffix(files.SEAL))
    content = json.loads(seal.read_text(encoding="utf-8"))
    return [path / name for name in content["files"]] if "files" in content else [path]

"""`make bench`: run every benchmark, print a table, write `results/bench.json`."""

import importlib
import os
from pathlib import Path

from tamrl import files


def main() -> None:
    """Run each `bench_*.py` in this process, one after the other, so that ratios compare like with like."""
    rows = []
    for file in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"running {file.stem} ...", flush=True)
        rows += importlib.import_module(f"tests.benchmarks.{file.stem}").run()
    files.write_json("results/bench.json", rows)
    print(f"\n{'benchmark':58} {'value':>12} {'unit':14} {'target':>10}  met")
    for row in rows:
        target = "-" if row["target"] is None else f"{row['target']:g}"
        print(f"{row['name']:58} {row['value']:12.4g} {row['unit']:14} {target:>10}  {row['met']}")
    print(f"\n{len(rows)} ratios on {os.cpu_count()} cores in results/bench.json")


if __name__ == "__main__":
    main()

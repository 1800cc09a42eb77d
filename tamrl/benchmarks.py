"""Benchmarks of Snakemake: what a finished job took."""

from pathlib import Path

import pandas as pd

from tamrl.intake import border


def read_benchmark(path: str | Path) -> pd.Series:
    """Return the last measurement of a job; a dash, which stands where it was too short to measure, is missing.

    Raises `InputError` if the file is no benchmark.
    """
    with border.reading("not a benchmark of Snakemake", where=path, todo="delete it and run its rule again"):
        row: pd.Series = pd.read_csv(path, sep="\t", na_values=["-"]).iloc[-1]
        row["s"], row["max_rss"] = float(row["s"]), float(row["max_rss"])
        return row

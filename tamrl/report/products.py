"""Comparisons of the maps with products of others, as the report reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tamrl import contracts
from tamrl.layout import File, RunFiles
from tamrl.reference.tables import COMPARED_CYCLES, COMPARED_SCORES, COMPARED_TOTALS


@dataclass(frozen=True)
class ProductComparisons:
    """Tables of all products that the maps are compared with."""

    titles: dict[str, str]
    """Names for people by the names of the configuration."""
    scores: pd.DataFrame
    cycles: pd.DataFrame
    totals: pd.DataFrame
    """Of all products; scores and cycles are empty where there are tables of totals alone."""

    @classmethod
    def read(cls, run: RunFiles, titles: Mapping[str, str]) -> "ProductComparisons | None":
        """Read the comparisons of a run; None where it has none."""
        if not titles:
            return None
        tables = (
            (File.COMPARED_SCORES, COMPARED_SCORES),
            (File.COMPARED_CYCLES, COMPARED_CYCLES),
            (File.COMPARED_TOTALS, COMPARED_TOTALS),
        )
        frames = []
        for file, schema in tables:
            paths = [path for name in titles if (path := run.find(file, compared=name))]
            parts = [contracts.read_csv(path, schema) for path in paths]
            frames.append(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(schema.columns)))
        labels = {name: title if name.startswith(title) else f"{title} ({name})" for name, title in titles.items()}
        return cls(labels, *frames)

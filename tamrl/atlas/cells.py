"""The cells of the atlas and their order: block by block, so that one block of one layer is one small file."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tamrl.grid import Grid, Tile

BLOCK = 120
"""Cells per side of a block: 30° at 0.25°."""


@dataclass(frozen=True)
class ShownCells:
    """Cells with a value in any step, in the order of the atlas."""

    grid: Grid
    shown: np.ndarray
    """Bool array (lat, lon)."""

    @cached_property
    def blocks(self) -> tuple[Tile, ...]:
        """Blocks that hold a cell, row by row."""
        return tuple(t for t in self.grid.tiles(BLOCK) if self.shown[t.rows, t.columns].any())

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Cells of each block."""
        return tuple(int(self.shown[t.rows, t.columns].sum()) for t in self.blocks)

    @property
    def total(self) -> int:
        """All cells."""
        return sum(self.counts)

    @property
    def lat(self) -> np.ndarray:
        """Array (cell): degrees north."""
        return self.pick(np.broadcast_to(self.grid.lat[:, None], self.shown.shape))

    def pick(self, values: np.ndarray) -> np.ndarray:
        """Return the cells (..., cell) of a field (..., lat, lon), block by block, row by row within the block."""
        parts = [values[..., b.rows, b.columns][..., self.shown[b.rows, b.columns]] for b in self.blocks]
        return np.concatenate(parts, axis=-1)

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Split `values` (..., cell) into blocks."""
        return np.split(values, np.cumsum(self.counts)[:-1], axis=-1)

    def to_json(self) -> list[dict[str, int]]:
        """Return position on the global grid, sides and number of cells of each block."""
        top, left = self.grid.window[:2] if self.grid.window else (0, 0)
        return [
            {
                "row": block.rows.start + top,
                "column": block.columns.start + left,
                "rows": block.rows.stop - block.rows.start,
                "columns": block.columns.stop - block.columns.start,
                "cells": count,
            }
            for block, count in zip(self.blocks, self.counts, strict=True)
        ]

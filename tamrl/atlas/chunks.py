"""The data of the atlas as scripts, because a page that is opened from disk may load scripts but not read files."""

import json
from pathlib import Path

import numpy as np

from tamrl.atlas import pack
from tamrl.atlas.cells import ShownCells
from tamrl.atlas.layers import Layer


def write_script(path: Path, key: str, content: object) -> None:
    """Write a script that passes JSON-like `content` to the page under a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    path.write_text(f"ATLAS.put({json.dumps(key)},{text});\n", encoding="utf-8")


def write_layer(folder: Path, layer: Layer, values: np.ndarray, cells: ShownCells) -> None:
    """Write one script for each block of cells.

    Parameters
    ----------
    folder : its name is the label, or `static`
    values : array (step, cell)
    """
    write_numbers(folder, layer, pack.quantise(values, layer.quantum, name=layer.name), cells)


def write_numbers(folder: Path, layer: Layer, numbers: np.ndarray, cells: ShownCells) -> None:
    """Write one script for each block of cells.

    Parameters
    ----------
    folder : its name is the label, or `static`
    numbers : int16 array (step, cell), multiples of the quantum of the layer
    """
    for k, part in enumerate(cells.split(numbers)):
        write_script(folder / layer.name / f"{k}.js", f"{folder.name}/{layer.name}/{k}", pack.pack(part))

"""Identify the legend of a class map by its codes, and refuse maps with another legend.

Land cover is read by the IGBP legend of MCD12C1, climate by the five main Köppen-Geiger groups or by the 30 classes of the
published maps (Beck et al. 2018, doi 10.1038/sdata.2018.214; 2023, doi 10.1038/s41597-023-02549-6). Codes of another legend would
silently become wrong classes, so a map with codes outside the legend is refused. The functions are pure.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal

import numpy as np

from tamrl import classes
from tamrl.errors import InputError

_log = logging.getLogger(__name__)

Legend = Literal["igbp", "koppen"]

UNCLASSIFIED = 255
"""Code for unclassified pixels in MCD12C1 and MCD12Q1; no legend here contains it."""

ACCEPTED = 0.001
"""Share of the classified pixels that may have codes outside the legend; they count as unknown."""

THIRTY = ((1, 3), (4, 7), (8, 16), (17, 28), (29, 30))
"""First and last of the 30 Köppen-Geiger classes in each main group: 1 Af to 30 EF (Beck et al. 2018, table 2)."""

SURELY_THIRTY = 0.1
"""Share of codes 6 to 30 above which a map of climates has 30 classes."""

MANY, GLOBE = 8, 0.25
"""Least number of classes, and least share of land, of a map that shows the globe with its ice and deserts."""

OTHERS = {
    "igbp": {
        "ESA CCI or C3S land cover": {
            *range(10, 13), 20, 30, 40, 50, *range(60, 63), *range(70, 73), *range(80, 83), 90, 100, 110, *range(120, 123),
            130, 140, *range(150, 154), 160, 170, 180, 190, *range(200, 203), 210, 220,
        },
        "ESA WorldCover": {*range(10, 101, 10), 95},
        "Copernicus Global Land Cover": {*range(20, 101, 10), *range(111, 117), *range(121, 127), 200},
        "GlobCover": {11, 14, 20, 30, 40, 50, 60, 70, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220, 230},
        "GLC2000": set(range(1, 24)),
    },
    "koppen": {
        "Kottek et al. 2006, 11 Af to 62 ET": {*range(11, 15), 21, 22, 26, 27, *range(31, 40), *range(41, 53), 61, 62},
        "Rubel and Kottek, 0 to 32": set(range(1, 33)),
    },
}  # fmt: skip
"""Legends of other published maps, for the hint."""

EXPECTED = {"igbp": "the IGBP legend, 0 (water) to 16 or 17", "koppen": "the five main groups, 1 to 5, or the 30 classes, 0 sea"}


def count_codes(blocks: Iterable[np.ndarray], *, where: object) -> Counter[int]:
    """Count the codes in the blocks of a map, without NaN; raise `InputError` if a number is not whole."""
    counts: Counter[int] = Counter()
    for block in blocks:
        for part in np.array_split(block, max(1, block.size >> 22)):  # counting takes eight bytes per pixel
            if part.dtype == np.uint8:
                numbers = np.bincount(part.ravel(), minlength=256)
                counts.update({int(code): int(numbers[code]) for code in np.flatnonzero(numbers)})
                continue
            codes, numbers = np.unique(part[np.isfinite(part)], return_counts=True)
            if (broken := codes[codes != np.floor(codes)]).size:
                raise InputError("class codes must be whole numbers", where=where, found=broken[:3].tolist())
            counts.update({int(code): int(number) for code, number in zip(codes, numbers, strict=True)})
    return counts


def class_table(kind: Legend, counts: Mapping[int, int], *, nodata: float | None = None, where: object) -> np.ndarray:
    """Return the position in the class list of each code, int8 (256,), -1 for unknown codes and for the sea in a map of climates.

    Raise `InputError` if more than `ACCEPTED` of the classified pixels have codes outside the legend, or if a global map of land
    cover lacks ice or deserts, which some other legends with the same codes do not have.

    Parameters
    ----------
    kind : `igbp` (`classes.IGBP`) or `koppen` (`classes.KOPPEN`)
    counts : number of pixels per code (`count_codes`)
    nodata : the code for missing values, if the file declares one
    """
    known = {code: n for code, n in counts.items() if n and code not in (nodata, UNCLASSIFIED)}
    legend = {code: classes.igbp_index(code) for code in range(18)} if kind == "igbp" else _koppen(known, where)
    water = (0, 17) if kind == "igbp" else (0,)
    odd = {code: n for code, n in known.items() if code != 0 and code not in legend}
    named = {code: n for code, n in known.items() if code in legend and code not in water}
    share = sum(odd.values()) / max(sum(odd.values()) + sum(named.values()), 1)
    if share > ACCEPTED:
        similar = [f": this looks like {name}" for name, others in OTHERS[kind].items() if {*odd, *named} <= others]
        excess = f"codes {format_codes(odd)} on {share:.1%} of the pixels with a class{similar[0] if similar else ''}"
        raise InputError(f"the codes of the map do not fit {EXPECTED[kind]}", where=where, found=excess, todo="give that legend")
    if odd:
        message = "%s: codes %s are in no legend (%.3f %% of the pixels with a class): unknown"
        _log.warning(message, where, format_codes(odd), 100 * share)
    if kind == "igbp":
        _require_globe(named, sum(counts.values()), where)
    positions = np.full(256, -1, "int8")
    positions[list(legend)] = list(legend.values())
    return positions


def class_positions(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the entry of each code in the table `positions` (`class_table`); codes without one get that of `UNCLASSIFIED`."""
    if codes.dtype != np.uint8:
        codes = np.where((codes >= 0) & (codes < UNCLASSIFIED), codes, UNCLASSIFIED).astype("uint8")
    return np.take(positions, codes)


def format_codes(codes: Iterable[int]) -> str:
    """Return codes as text: `6 to 30, 62`."""
    parts = []
    for _, run in groupby(enumerate(sorted(codes)), lambda pair: pair[1] - pair[0]):
        numbers = [code for _, code in run]
        parts.append(f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 2 else ", ".join(map(str, numbers)))
    return ", ".join(parts)


def _koppen(known: Mapping[int, int], where: object) -> dict[int, int]:
    """Return the legend of five groups, or that of 30 classes if more than five occur."""
    beyond = sum(n for code, n in known.items() if 6 <= code <= 30)
    share = beyond / max(sum(n for code, n in known.items() if 1 <= code <= 30), 1)
    if share < SURELY_THIRTY:
        return {code: code - 1 for code in range(1, len(classes.KOPPEN) + 1)}
    _log.info("%s: the map has 30 Köppen-Geiger classes, read as their five main groups", where)
    return {code: group for group, (first, last) in enumerate(THIRTY) for code in range(first, last + 1)}


def _require_globe(named: Mapping[int, int], pixels: int, where: object) -> None:
    """Refuse a global map of many classes without ice or deserts, which plant functional types, UMD, LAI and BGC lack."""
    needed = {classes.IGBP.index(name) + 1: name for name in ("SNO", "BSV")}
    lacking = [f"{code} ({name})" for code, name in needed.items() if code not in named]
    if lacking and len(named) >= MANY and sum(named.values()) >= GLOBE * pixels:
        excess = f"a globe with codes {format_codes(named)} and no {' or '.join(lacking)}"
        todo = "take the layer of IGBP classes (Type 1), not plant functional types, UMD, LAI or BGC"
        raise InputError(f"the map does not fit {EXPECTED['igbp']}", where=where, found=excess, todo=todo)

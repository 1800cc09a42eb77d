"""Names and order of the classes that towers and grids share."""

from collections.abc import Iterable

IGBP = ("ENF", "EBF", "DNF", "DBF", "MF", "CSH", "OSH", "WSA", "SAV", "GRA", "WET", "CRO", "URB", "CVM", "SNO", "BSV", "WAT")
"""IGBP classes in the order of MCD12C1 codes 1..16, then water (code 0 there, 17 elsewhere)."""

UNVEGETATED = ("SNO", "BSV", "WAT")
"""Classes that carry no flux: ice, barren land and inland water."""

KOPPEN = ("Tropical", "Arid", "Temperate", "Continental", "Polar")
"""Main Köppen-Geiger groups A, B, C, D, E (Beck et al. 2023, doi 10.1038/s41597-023-02549-6)."""

GLOBE = "globe"
"""Name of all land in the tables of a run that maps the globe."""

REGION = "mapped region"
"""Name of all mapped land in the tables of a regional run, whose totals are none of the globe."""

LATITUDE_BANDS = {
    "90S-60S": (-90, -60),
    "60S-23S": (-60, -23),
    "23S-0": (-23, 0),
    "0-23N": (0, 23),
    "23N-50N": (23, 50),
    "50N-90N": (50, 90),
}
"""Bands of the budgets, degrees north."""

BOXES = {
    "box N America": ((13, 90), (-170, -30)),
    "box S America": ((-60, 13), (-90, -30)),
    "box Europe": ((35, 90), (-30, 60)),
    "box Africa and Arabia": ((-60, 35), (-30, 60)),
    "box N Asia": ((45, 90), (60, 180)),
    "box S and E Asia": ((0, 45), (60, 180)),
    "box Oceania": ((-60, 0), (60, 180)),
}
"""Boxes of latitude and longitude (degrees; south and west edges belong to the box) of about the size of regions of published
carbon budgets. They follow no border or coast. Cells outside all boxes are in `box none`."""


def name_of_all(names: Iterable[str]) -> str:
    """Return the name of all mapped land among those of regions: `REGION` if it is there, else `GLOBE`."""
    return REGION if REGION in set(names) else GLOBE


def igbp_index(code: int) -> int:
    """Position in `IGBP` of an MCD12C1 code (0 and 17 are water)."""
    return len(IGBP) - 1 if code in (0, 17) else code - 1

"""Regions, and what each takes up and releases in each month: sums of the members, then mean and spread.

Regions are the globe, latitude bands, land-cover classes, and the 26 regions of the IPCC's SREX report, of which the Amazon is
one (Seneviratne et al. 2012, table 3.A-1, doi 10.1017/CBO9781139177245.006). A cell belongs to the region of its centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.path import Path as Polygon

from tamrl import classes
from tamrl.atlas.stations import number
from tamrl.maps import budgets

Corners = tuple[tuple[float, float], ...]
Weights = tuple[np.ndarray, np.ndarray]
"""Land area and the part of it that carries flux, (lat, lon) in m2."""


@dataclass(frozen=True)
class Region:
    """A region with an outline; corners are (lon, lat)."""

    name: str
    corners: Corners

    @property
    def ring(self) -> Corners:
        """Closed outline."""
        return (*self.corners, self.corners[0])


def _box(west: float, east: float, south: float, north: float) -> Corners:
    return ((west, south), (west, north), (east, north), (east, south))


_OUTLINES = {
    "AMZ": Region("Amazon", ((-66.377, -20), (-79.729, -1.239), (-68.8, 11.439), (-50, 11.439), (-50, -20))),
    "ALA": Region("Alaska and NW Canada", _box(-168.022, -105, 60, 72.554)),
    "CGI": Region("Canada, Greenland, Iceland", _box(-105, -10, 50, 85)),
    "WNA": Region("Western North America", _box(-130, -105, 28.566, 60)),
    "CNA": Region("Central North America", _box(-105, -85, 28.566, 50)),
    "ENA": Region("Eastern North America", _box(-85, -60, 25, 50)),
    "CAM": Region("Central America, Mexico", ((-68.8, 11.439), (-79.729, -1.239), (-118.323, 28.566), (-90.315, 28.566))),
    "NEB": Region("North-east Brazil", _box(-50, -34, -20, 0)),
    "WSA": Region(
        "West coast of South America",
        ((-79.729, -1.239), (-66.377, -20), (-72.141, -50), (-67.348, -56.704), (-82.022, -56.704), (-82.022, 0.53)),
    ),
    "SSA": Region(
        "South-east South America", ((-39.376, -20), (-39.376, -56.704), (-67.348, -56.704), (-72.141, -50), (-66.377, -20))
    ),
    "NEU": Region("Northern Europe", ((-10, 48), (-10, 75), (40, 75), (40, 61.32))),
    "CEU": Region("Central Europe", ((-10, 45), (-10, 48), (40, 61.32), (40, 45))),
    "MED": Region("Southern Europe, Mediterranean", _box(-10, 40, 30, 45)),
    "SAH": Region("Sahara", _box(-20, 40, 15, 30)),
    "WAF": Region("West Africa", _box(-20, 25, -11.365, 15)),
    "EAF": Region("East Africa", _box(25, 51.99, -11.365, 15)),
    "SAF": Region("Southern Africa", _box(-10, 51.99, -35, -11.365)),
    "NAS": Region("Northern Asia", _box(40, 180, 50, 70)),
    "WAS": Region("West Asia", _box(40, 60, 15, 50)),
    "CAS": Region("Central Asia", _box(60, 75, 30, 50)),
    "TIB": Region("Tibetan Plateau", _box(75, 100, 30, 50)),
    "EAS": Region("East Asia", _box(100, 145, 20, 50)),
    "SAS": Region("South Asia", ((60, 5), (60, 30), (100, 30), (100, 20), (95, 20), (95, 5))),
    "SEA": Region("South-east Asia", _box(95, 155, -10, 20)),
    "NAU": Region("Northern Australia", _box(110, 155, -30, -10)),
    "SAU": Region("Southern Australia, New Zealand", _box(110, 180, -50, -30)),
}

SREX = {f"SREX-{code}": region for code, region in _OUTLINES.items()}
"""Under names that are no land-cover class (both know a WSA)."""


def masks(*, lat: np.ndarray, lon: np.ndarray) -> dict[str, np.ndarray]:
    """Cells (lat, lon) whose centre lies in each region of `SREX`."""
    y, x = np.meshgrid(lat, lon, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], 1)
    return {code: Polygon(region.ring).contains_points(points).reshape(y.shape) for code, region in SREX.items()}


def weights(globe: Weights, *, lat: np.ndarray, lon: np.ndarray) -> dict[str, Weights]:
    """Land of each region and the part of it that carries flux, as `maps.land.regions`; `globe` is its entry of the globe."""
    land, carrying = globe
    return {code: (land * mask, carrying * mask) for code, mask in masks(lat=lat, lon=lon).items()}


def shown(regions: Mapping[str, Weights]) -> dict[str, Weights]:
    """Of the regions of `maps.land.regions` those that the atlas shows: it has outlines of its own instead of boxes."""
    return {name: found for name, found in regions.items() if name in {"globe", *classes.LATITUDE_BANDS, *classes.IGBP}}


def kind(region: str) -> str:
    """`globe`, `band`, `class` or `region`."""
    known = {"globe": ("globe",), "band": classes.LATITUDE_BANDS, "class": classes.IGBP, "region": SREX}
    return next(name for name, members in known.items() if region in members)


def table(totals: dict[int, budgets.Totals], days: dict[int, float], *, label: str) -> pd.DataFrame:
    """Rows of `contracts.REGIONS`: PgC of each month, and of the year (month 0).

    Parameters
    ----------
    totals, days : dict
        Sums and length of each month that has steps.
    """
    parts = totals | {0: reduce(add, totals.values())}
    length = days | {0: sum(days.values())}
    frames = []
    for month in sorted(parts):
        frame = budgets.table(parts[month], label=label, days=length[month])
        frames.append(frame.assign(month=month, kind=frame["region"].map(kind)))
    found = pd.concat(frames, ignore_index=True)
    first = ["flux", "year", "month", "region", "kind"]
    return found[[*first, *(c for c in found.columns if c not in first)]]


def plain(regions: pd.DataFrame) -> dict[str, Any]:
    """For the page, a table by `contracts.REGIONS`.

    Returns
    -------
    `totals`: {label: {region: {flux: [[mean, std, least, most] of the year and of the months]}}}, PgC, None where missing;
    kinds, outlines (lon, lat) and land area (m2) of the regions.
    """
    totals: dict[str, Any] = {}
    for row in regions.to_dict("records"):
        place = totals.setdefault(row["year"], {}).setdefault(row["region"], {}).setdefault(row["flux"], [None] * 13)
        place[row["month"]] = [number(row[k], 6) for k in ("mean", "std", "minimum", "maximum")]
    area = regions[regions["month"] == 0].groupby("region", sort=False)["area_m2"].mean()
    return {
        "totals": totals,
        "kinds": dict(zip(regions["region"], regions["kind"], strict=True)),
        "outlines": {code: {"name": region.name, "ring": region.ring} for code, region in SREX.items()},
        "area": {name: number(value, 0) for name, value in area.items()},
    }

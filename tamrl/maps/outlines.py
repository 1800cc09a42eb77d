"""Outlines of regions on any grid: latitude bands, boxes, and the regions of the IPCC.

The 26 regions of the IPCC's SREX report, of which the Amazon is one, are polygons (Seneviratne et al. 2012, table 3.A-1,
doi 10.1017/CBO9781139177245.006). A cell belongs to the band, box and polygon of its centre.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path as Polygon

from tamrl import classes
from tamrl.grid import Grid

Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outline:
    """A region that is a polygon; corners are (lon, lat)."""

    name: str
    corners: Corners

    @property
    def ring(self) -> Corners:
        """Closed outline."""
        return (*self.corners, self.corners[0])


def _box(west: float, east: float, south: float, north: float) -> Corners:
    return ((west, south), (west, north), (east, north), (east, south))


_OUTLINES = {
    "AMZ": Outline("Amazon", ((-66.377, -20), (-79.729, -1.239), (-68.8, 11.439), (-50, 11.439), (-50, -20))),
    "ALA": Outline("Alaska and NW Canada", _box(-168.022, -105, 60, 72.554)),
    "CGI": Outline("Canada, Greenland, Iceland", _box(-105, -10, 50, 85)),
    "WNA": Outline("Western North America", _box(-130, -105, 28.566, 60)),
    "CNA": Outline("Central North America", _box(-105, -85, 28.566, 50)),
    "ENA": Outline("Eastern North America", _box(-85, -60, 25, 50)),
    "CAM": Outline("Central America, Mexico", ((-68.8, 11.439), (-79.729, -1.239), (-118.323, 28.566), (-90.315, 28.566))),
    "NEB": Outline("North-east Brazil", _box(-50, -34, -20, 0)),
    "WSA": Outline(
        "West coast of South America",
        ((-79.729, -1.239), (-66.377, -20), (-72.141, -50), (-67.348, -56.704), (-82.022, -56.704), (-82.022, 0.53)),
    ),
    "SSA": Outline(
        "South-east South America", ((-39.376, -20), (-39.376, -56.704), (-67.348, -56.704), (-72.141, -50), (-66.377, -20))
    ),
    "NEU": Outline("Northern Europe", ((-10, 48), (-10, 75), (40, 75), (40, 61.32))),
    "CEU": Outline("Central Europe", ((-10, 45), (-10, 48), (40, 61.32), (40, 45))),
    "MED": Outline("Southern Europe, Mediterranean", _box(-10, 40, 30, 45)),
    "SAH": Outline("Sahara", _box(-20, 40, 15, 30)),
    "WAF": Outline("West Africa", _box(-20, 25, -11.365, 15)),
    "EAF": Outline("East Africa", _box(25, 51.99, -11.365, 15)),
    "SAF": Outline("Southern Africa", _box(-10, 51.99, -35, -11.365)),
    "NAS": Outline("Northern Asia", _box(40, 180, 50, 70)),
    "WAS": Outline("West Asia", _box(40, 60, 15, 50)),
    "CAS": Outline("Central Asia", _box(60, 75, 30, 50)),
    "TIB": Outline("Tibetan Plateau", _box(75, 100, 30, 50)),
    "EAS": Outline("East Asia", _box(100, 145, 20, 50)),
    "SAS": Outline("South Asia", ((60, 5), (60, 30), (100, 30), (100, 20), (95, 20), (95, 5))),
    "SEA": Outline("South-east Asia", _box(95, 155, -10, 20)),
    "NAU": Outline("Northern Australia", _box(110, 155, -30, -10)),
    "SAU": Outline("Southern Australia, New Zealand", _box(110, 180, -50, -30)),
}

SREX = {f"SREX-{code}": region for code, region in _OUTLINES.items()}
"""The prefix keeps them apart from land-cover classes, which have a WSA too."""


def srex_masks(lat: np.ndarray, lon: np.ndarray) -> dict[str, np.ndarray]:
    """Cells (lat, lon) whose centre lies in each region of `SREX`."""
    y, x = np.meshgrid(lat, lon, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], 1)
    return {code: Polygon(region.ring).contains_points(points).reshape(y.shape) for code, region in SREX.items()}


def band_masks(lat: np.ndarray, lon: np.ndarray) -> dict[str, np.ndarray]:
    """Return masks (lat, lon) of the latitude bands."""
    bands = {n: (lat >= south) & ((lat < north) | (north == 90)) for n, (south, north) in classes.LATITUDE_BANDS.items()}
    return {name: np.broadcast_to(mask[:, None], (lat.size, lon.size)) for name, mask in bands.items()}


def box_masks(lat: np.ndarray, lon: np.ndarray) -> dict[str, np.ndarray]:
    """Return masks (lat, lon) of the boxes, and of the cells outside all of them."""
    masks = {}
    for name, ((south, north), (west, east)) in classes.BOXES.items():
        masks[name] = ((lat >= south) & (lat < north))[:, None] & ((lon >= west) & (lon < east))[None]
    return masks | {"box none": ~np.logical_or.reduce(list(masks.values()))}


def regions_inside(mapped: np.ndarray, grid: Grid) -> frozenset[str]:
    """Return the latitude bands, boxes and regions of `SREX` all of whose cells are `mapped` (lat, lon) on a global grid."""
    masks = band_masks(grid.lat, grid.lon) | box_masks(grid.lat, grid.lon) | srex_masks(grid.lat, grid.lon)
    return frozenset(name for name, mask in masks.items() if not (mask & ~mapped).any())

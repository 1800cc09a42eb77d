"""Where the virtual towers stand: as unevenly as the real ones.

Shares of regions are rough counts by eye of the real networks: crowded in Europe and North America, a handful in the
tropics. A quarter of the towers stand within 25 km of another one.
"""

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from tamrl.classes import IGBP
from tamrl.errors import ConfigError
from tamrl.grid import Grid
from tamrl.twin.mosaic import Mosaic, vegetated

# south, north, west, east (degrees), share of towers
DENSITY = (
    ("Central and western Europe", 45, 58, -8, 20, 0.24),
    ("Northern Europe", 58, 69, 5, 32, 0.05),
    ("Mediterranean", 36, 45, -9, 25, 0.07),
    ("Eastern North America", 29, 47, -95, -70, 0.15),
    ("Western North America", 31, 49, -124, -96, 0.15),
    ("Canada", 46, 64, -125, -60, 0.07),
    ("Alaska", 60, 71, -164, -142, 0.02),
    ("Australia", -38, -12, 115, 152, 0.07),
    ("Eastern Asia", 22, 46, 98, 142, 0.06),
    ("Siberia", 52, 72, 60, 160, 0.025),
    ("Tropical South America", -20, 6, -76, -42, 0.035),
    ("Southern South America", -40, -22, -70, -50, 0.01),
    ("Africa", -30, 16, -16, 36, 0.035),
    ("South-eastern Asia", -8, 20, 96, 118, 0.015),
)

FAVOUR = {"ENF": 1.6, "DBF": 1.5, "WET": 3.0, "EBF": 1.2, "CSH": 1.0, "GRA": 1.1, "CRO": 0.6, "URB": 0.1, "CVM": 0.1}
"""How much likelier a class gets a tower than its area says (others 1)."""

NEIGHBOURS = 0.25
MANAGED = 0.05
KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class Towers:
    """Towers, each field (tower,)."""

    site: np.ndarray
    """Ids such as XV-Aab."""
    lat: np.ndarray
    lon: np.ndarray
    tile: np.ndarray
    """The tile of the mosaic that the tower measures."""
    irrigated: np.ndarray
    """Bool."""


def place_towers(mosaic: Mosaic, tiles: np.ndarray, *, number: int, resolution: float, rng: np.random.Generator) -> Towers:
    """Draw `number` towers.

    Raise `ConfigError` if the world has no vegetated pixel in any of the regions.

    Parameters
    ----------
    tiles : int array (lat, lon), the tile of each pixel, -1 on water (`mosaic.tile_of_pixels`)
    resolution : degrees of a pixel
    """
    pixels = Grid(resolution)
    favour = np.array([FAVOUR.get(name, 1.0) for name in IGBP])[mosaic.tile_kind] * vegetated(mosaic.tile_kind)
    regions = _regions(pixels, np.append(favour, 0.0)[tiles])
    places: list[tuple[float, float, int]] = []
    while len(places) < number:
        near = places and rng.random() < NEIGHBOURS
        spot = _near(places, rng) if near else _anywhere(pixels, regions, rng)
        row, column = pixels.index(lat=np.asarray(spot[0]), lon=np.asarray(spot[1]))
        tile = int(tiles[row, column])
        if tile >= 0 and vegetated(mosaic.tile_kind[tile]):
            places.append((*spot, tile))
    lat, lon, at = (np.array(values) for values in zip(*places, strict=True))
    return Towers(_names(number), lat.round(4), lon.round(4), at, _managed(mosaic.tile_kind[at], rng))


def _regions(pixels: Grid, weight: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Share of towers, flat pixels and their chances, of each region with vegetated land."""
    regions = []
    weight = weight * np.cos(np.deg2rad(pixels.lat))[:, None]
    for _, south, north, west, east, share in DENSITY:
        inside = ((pixels.lat > south) & (pixels.lat < north))[:, None] & (pixels.lon > west) & (pixels.lon < east)
        spots = np.flatnonzero(inside & (weight > 0))
        if spots.size:
            regions.append((share, spots, weight.ravel()[spots] / weight.ravel()[spots].sum()))
    if not regions:
        raise ConfigError("no land to put towers on", where="twin.towers", todo="take a finer grid.resolution")
    return regions


def _anywhere(pixels: Grid, regions: list[tuple[float, np.ndarray, np.ndarray]], rng: np.random.Generator) -> tuple[float, float]:
    """A place in a region drawn by `DENSITY`, in a pixel drawn by weight."""
    shares = np.array([r[0] for r in regions])
    _, spots, chance = regions[rng.choice(len(regions), p=shares / shares.sum())]
    row, column = divmod(int(rng.choice(spots, p=chance)), pixels.shape[1])
    shift = (rng.random(2) - 0.5) * 0.98 * pixels.resolution
    return float(pixels.lat[row] + shift[0]), float(pixels.lon[column] + shift[1])


def _near(places: list[tuple[float, float, int]], rng: np.random.Generator) -> tuple[float, float]:
    """A place 2 to 25 km from a tower already there."""
    lat, lon, _ = places[rng.integers(len(places))]
    distance, angle = rng.uniform(2, 25) / KM_PER_DEGREE, rng.uniform(0, 2 * np.pi)
    east = lon + distance * np.sin(angle) / np.cos(np.deg2rad(lat))
    return float(np.clip(lat + distance * np.cos(angle), -89.9, 89.9)), float((east + 180) % 360 - 180)


def _names(number: int) -> np.ndarray:
    letters = ascii_lowercase
    return np.array([f"XV-{letters[k // 676].upper()}{letters[k // 26 % 26]}{letters[k % 26]}" for k in range(number)])


def _managed(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few irrigated towers among croplands, grasslands and savannas; at least one where there are such towers."""
    suited = np.isin(kind, [IGBP.index(n) for n in ("CRO", "CVM", "GRA", "OSH", "SAV")])
    drawn = suited & (rng.random(kind.size) < 2 * MANAGED)
    if suited.any() and not drawn.any():
        drawn[np.flatnonzero(suited)[0]] = True
    return drawn

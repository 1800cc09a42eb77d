"""The virtual Earth before time starts: land, climate, land cover, hidden traits and towers."""

from dataclasses import dataclass

import numpy as np

from tamrl.arrays import Floats
from tamrl.grid import Grid
from tamrl.sections.inputs import Equations
from tamrl.twin import geography, landcover, mosaic, network
from tamrl.twin.climate import Climate, monthly_climate
from tamrl.twin.ecosystem import STANDARD
from tamrl.twin.lattice import Bilinear, WeatherLattice, from_pixels
from tamrl.twin.noise import generator, static_field

ROWS_AT_ONCE = 20
"""Rows of cells whose pixels are worked on together: bounds the memory, changes no number."""


@dataclass(frozen=True)
class Earth:
    """All that stays."""

    resolution: float
    ratio: int
    seed: int
    """Degrees of a cell, pixels per cell side, seed."""
    climate: Climate
    """Mean climate at the nodes."""
    land_cover: np.ndarray
    koppen: np.ndarray
    """`uint8` (pixel lat, pixel lon), codes of `landcover`."""
    elevation: np.ndarray
    """`float32` (lat, lon), m at the cells, NaN where there is no land."""
    mosaic: mosaic.Mosaic
    vigour: np.ndarray
    age: np.ndarray
    """`float32` (tile,), hidden traits."""
    towers: network.Towers
    equations: Equations = STANDARD

    @property
    def nodes(self) -> WeatherLattice:
        """The lattice of the weather."""
        return WeatherLattice(self.resolution)

    @property
    def grid(self) -> Grid:
        """The grid of the cells."""
        return Grid(self.resolution)

    @property
    def cell_lat(self) -> Floats:
        """Latitudes of the land cells, (cell,) degrees north."""
        return np.asarray(self.grid.lat[self.mosaic.cell // self.grid.shape[1]])

    @property
    def cell_lon(self) -> Floats:
        """Longitudes of the land cells, (cell,) degrees east."""
        return np.asarray(self.grid.lon[self.mosaic.cell % self.grid.shape[1]])


def create(land: np.ndarray, *, resolution: float, ratio: int, towers: int, seed: int, equations: Equations = STANDARD) -> Earth:
    """Create a world.

    Parameters
    ----------
    land : share of land of the pixels, (lat, lon) of `resolution` / `ratio` degrees
    resolution, ratio : degrees of a cell, and pixels per cell side
    towers : number of towers
    seed : the same seed gives the same world
    equations : of its vegetation
    """
    nodes, grid, pixels = WeatherLattice(resolution), Grid(resolution), Grid(resolution / ratio)
    dry = (land >= 0.5) & ~geography.lakes(lat=pixels.lat[:, None], lon=pixels.lon)
    climate = mean_climate(land, nodes, ratio=ratio, seed=seed)
    cover, koppen = surface(dry, climate, nodes, pixels, seed=seed, rows=ROWS_AT_ONCE * ratio)
    parts = mosaic.build_mosaic(cover, resolution, ratio)
    height = geography.elevation(lat=grid.lat[:, None], lon=grid.lon, seed=seed)
    sea = np.ones(height.size, bool)
    sea[parts.cell] = False
    lat, lon = grid.lat[parts.cell // grid.shape[1]], grid.lon[parts.cell % grid.shape[1]]
    vigour, age = mosaic.traits(parts, lat=lat, lon=lon, seed=seed, spread=equations.traits)
    tiles = mosaic.tile_of_pixels(parts, cover, grid.shape, ratio)
    placed = network.place_towers(parts, tiles, number=towers, resolution=pixels.resolution, rng=generator(seed, "towers"))
    height = np.where(sea.reshape(grid.shape), np.float32(np.nan), height)
    return Earth(resolution, ratio, seed, climate, cover, koppen, height, parts, vigour, age, placed, equations)


def mean_climate(land: np.ndarray, nodes: WeatherLattice, *, ratio: int, seed: int) -> Climate:
    """Mean climate at the nodes (latitude, longitude); at the poles all longitudes agree.

    Parameters
    ----------
    land : (lat, lon) of the pixels, whether they are land
    nodes : of the weather
    ratio : pixels between two nodes
    seed : of the world
    """
    share = from_pixels(land, ratio)
    share[[0, -1]] = share[[0, -1]].mean(1, keepdims=True)
    lat, lon = (v.astype("float32") for v in np.meshgrid(nodes.lat, nodes.lon, indexing="ij"))
    lon[[0, -1]] = 0
    height = geography.elevation(lat=lat, lon=lon, seed=seed) * share
    inland = geography.continentality(share)
    inland[[0, -1]] = inland[[0, -1]].mean(1, keepdims=True)
    return Climate(lat, lon, height, inland)


def surface(
    land: np.ndarray, climate: Climate, nodes: WeatherLattice, pixels: Grid, *, seed: int, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Land cover and climate zone of the pixels, uint8 (lat, lon), worked on in blocks of `rows`.

    Parameters
    ----------
    land : (lat, lon) of the pixels
    climate : at the nodes
    nodes, pixels : of climate and result
    seed : of the world
    rows : of a block
    """
    warmth, rain = monthly_climate(climate)
    coarse = WeatherLattice(max(nodes.resolution, 1.0))
    lat, lon = np.meshgrid(coarse.lat, coarse.lon, indexing="ij")
    patches = [static_field(seed, f"cover {k}", lat=lat, lon=lon, scale_km=350, count=160) for k in range(3)]
    rng = generator(seed, "cover pixels")
    cover, koppen = np.empty(land.shape, "uint8"), np.empty(land.shape, "uint8")
    for top in range(0, land.shape[0], rows):
        part = slice(top, top + rows)
        near = Bilinear.between(nodes, lat=pixels.lat[part], lon=pixels.lon)
        far = Bilinear.between(coarse, lat=pixels.lat[part], lon=pixels.lon)
        # drawn row by row, so that blocks of any height agree
        drawn = [rng.standard_normal((3, land.shape[1]), dtype="float32") for _ in land[part]]
        chance = np.stack([0.6 * far(p) for p in patches]) + 0.8 * np.stack(drawn, axis=1)
        zone = landcover.bioclimate(near(warmth), near(rain))
        farms = landcover.farmland(lat=pixels.lat[part][:, None], lon=pixels.lon)
        koppen[part] = landcover.koppen(zone, land[part])
        cover[part] = landcover.land_cover(zone, land=land[part], farms=farms, lon=pixels.lon, chance=chance)
    koppen[cover == 0] = 0
    return cover, koppen

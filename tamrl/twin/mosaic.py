"""Cells and their tiles: which classes share the land of a cell, and how much of it each has."""

from dataclasses import dataclass

import numpy as np

from tamrl.arrays import Floats
from tamrl.classes import IGBP, UNVEGETATED
from tamrl.grid import Grid
from tamrl.twin.noise import generator, static_field

WATER = len(IGBP) - 1


@dataclass(frozen=True)
class Mosaic:
    """Land cells and their tiles, in grid order."""

    cell: np.ndarray
    """Int array (cell,), position of each land cell in the flat grid, rising."""
    land: np.ndarray
    """Float array (cell,), share of the cell that is land, inland water taken off."""
    tile_cell: np.ndarray
    tile_kind: np.ndarray
    """Int arrays (tile,), position of the tile's cell in `cell`, and of its class in `tamrl.classes.IGBP`."""
    tile_share: np.ndarray
    """Float array (tile,), share of the cell's land; sums to 1 in each cell."""

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of (tile,) values per area of the cell's land, (cell,) float32."""
        return np.bincount(self.tile_cell, self.tile_share * values, minlength=self.cell.size).astype("float32")


def build_mosaic(land_cover: np.ndarray, resolution: float, ratio: int) -> Mosaic:
    """The mosaic of a land cover map of MCD12C1 codes (lat, lon) with `ratio` pixels per cell side, pixels weighed by area."""
    grid, pixels = Grid(resolution), Grid(resolution / ratio)
    flat = np.arange(np.prod(grid.shape)).reshape(grid.shape).repeat(ratio, 0).repeat(ratio, 1)
    key = flat.ravel() * len(IGBP) + (land_cover.ravel().astype(int) - 1) % len(IGBP)
    area = np.broadcast_to(pixels.area(), pixels.shape).ravel()
    sums = np.bincount(key, area, minlength=flat.size // ratio**2 * len(IGBP)).reshape(-1, len(IGBP))
    total = sums.sum(1)
    sums[:, WATER] = 0
    cell = np.flatnonzero(sums.sum(1) > 0)
    shares = sums[cell] / sums[cell].sum(1, keepdims=True)
    tile_cell, tile_kind = np.nonzero(shares)
    return Mosaic(cell, sums[cell].sum(1) / total[cell], tile_cell, tile_kind, shares[tile_cell, tile_kind])


def tile_of_pixels(mosaic: Mosaic, land_cover: Floats, shape: tuple[int, int], ratio: int) -> Floats:
    """The tile that each pixel (lat, lon) belongs to, int32; -1 on water.

    Parameters
    ----------
    mosaic : tiles of the cells
    land_cover : code of the class of each pixel
    shape : (lat, lon) of the cells
    ratio : pixels along a side of a cell
    """
    position = np.full(shape[0] * shape[1], -1)
    position[mosaic.cell] = np.arange(mosaic.cell.size)
    lookup = np.full((mosaic.cell.size + 1, len(IGBP)), -1, "int32")
    lookup[mosaic.tile_cell, mosaic.tile_kind] = np.arange(mosaic.tile_cell.size)
    cells = position.reshape(shape).repeat(ratio, 0).repeat(ratio, 1)
    return np.asarray(lookup[cells, (land_cover.astype(int) - 1) % len(IGBP)])


def vegetated(kind: np.ndarray) -> np.ndarray:
    """Whether classes (positions in `IGBP`) carry fluxes."""
    return ~np.isin(kind, [IGBP.index(name) for name in UNVEGETATED])


def traits(mosaic: Mosaic, *, lat: np.ndarray, lon: np.ndarray, seed: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Hidden traits of the tiles, float32: vigour about 1 and age about 0.9 (`ecosystem.Tiles`).

    Each is log-normal: a field smooth over some 1100 km, a value of the class anywhere, and chance of the tile.

    Parameters
    ----------
    mosaic : of the world
    lat, lon : arrays (cell,), centres of the land cells, degrees
    seed : of the world
    spread : factor on the standard deviations of the logarithms
    """
    fields = []
    for name, middle, *deviations in (("vigour", 1.0, 0.15, 0.05, 0.08), ("age", 0.88, 0.10, 0.04, 0.09)):
        smooth, by_class, by_tile = (spread * deviation for deviation in deviations)
        rng = generator(seed, f"trait {name}")
        log = by_class * rng.standard_normal(len(IGBP))[mosaic.tile_kind] + by_tile * rng.standard_normal(mosaic.tile_cell.size)
        log += smooth * static_field(seed, f"trait field {name}", lat=lat, lon=lon, scale_km=1100)[mosaic.tile_cell]
        fields.append((middle * np.exp(log - (smooth**2 + by_class**2 + by_tile**2) / 2)).astype("float32"))
    return fields[0], fields[1]

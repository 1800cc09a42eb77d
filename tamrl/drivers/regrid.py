"""From a source's grid to the cells of the maps. Pure functions on arrays; sums Σw·x and Σw, so no tiling changes a number.

Nodes (ERA5) are points at the corners of cells: a cell is the mean of its four corners, and a coarser cell the
area-weighted mean of such cells. Taking the nearest node instead shifts the field by half a cell.
Pixels (MODIS, land cover) are boxes that nest in cells.
All arrays are north-up with `lon` from -180, the first node at -180 and the first pixel centre half a pixel east of it.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.sparse import csr_array

from tamrl.errors import ConfigError
from tamrl.grid import Grid, coarsen

LAND_NODE = 0.5
"""Share of land in the box around a node from which on it counts as land, as in ERA5's binary mask."""


def native_per_cell(*, target: float, native: float, name: str) -> int:
    """How many native steps make a target cell side; raises `ConfigError` unless it is a whole number."""
    steps = target / native
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        asked = f"cells of {target:g}° are not a whole multiple of the {native:g}° of {name}"
        raise ConfigError(asked, where="grid.resolution", todo=f"take a multiple of {native:g} that divides 180")
    return round(steps)


def consecutive_blocks(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def corners(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of the four corner nodes of each cell: (..., lat, lon), dtype of `values`.

    A missing node among those used makes its cells missing.

    Parameters
    ----------
    values : array (..., lat + 1, lon), both poles and every longitude once; the last column's eastern neighbour is the first
    weights : array (lat + 1, lon) of 0 and 1, nodes to use (land). Cells without any such corner take all four.
    """
    if weights is None:
        mean: np.ndarray = _corner_sum(values) / values.dtype.type(4)
        return mean
    used = weights > 0
    count = _corner_sum(used.astype(values.dtype))
    covered = count > 0
    chosen = _corner_sum(np.where(used, values, values.dtype.type(0))) / np.where(covered, count, 1)
    return np.where(covered, chosen, _corner_sum(values) / values.dtype.type(4))


def _corner_sum(values: np.ndarray) -> np.ndarray:
    pairs: np.ndarray = values[..., :-1, :] + values[..., 1:, :]
    sums: np.ndarray = pairs + np.concatenate([pairs[..., 1:], pairs[..., :1]], axis=-1)
    return sums


def nodes_to_cells(values: np.ndarray, *, target: Grid, weights: np.ndarray | None = None) -> np.ndarray:
    """Global node values (..., lat + 1, lon) as area-weighted means of the cells of `target`, dtype of `values`.

    Raise `ConfigError` if the cells are not a whole multiple of the node spacing.
    """
    native = Grid(180.0 / (values.shape[-2] - 1))
    k = native_per_cell(target=target.resolution, native=native.resolution, name="the nodes")
    fine = corners(values, weights)
    return fine if k == 1 else _mean(*coarsen_strict(fine, native.area(), k)).astype(values.dtype)


def coarsen_strict(values: np.ndarray, weights: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of `tamrl.grid.coarsen`, but one missing value makes its block missing (meteorology has no gaps in space)."""
    sums, weight = coarsen(values, weights, k)
    *rest, rows, columns = values.shape
    missing = ~np.isfinite(values).reshape(*rest, rows // k, k, columns // k, k).all((-3, -1))
    sums[missing] = np.nan
    return sums, weight


def pixel_sums(values: np.ndarray, area: np.ndarray, k: int, quality: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Sums Σw·x and Σw of pixels in cells of k x k, w = area x quality; missing pixels weigh nothing.

    Parameters
    ----------
    values : array (..., lat, lon)
    area : array (lat, 1)
    quality : array like `values`, 0 to 1, optional
    """
    if quality is None:
        return coarsen(values, area, k)
    usable = np.where(np.isfinite(quality), quality, 0.0)
    return coarsen(values, area * usable, k)


def _mean(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    means: np.ndarray = np.divide(sums, weights, out=np.full(sums.shape, np.nan), where=weights > 0)
    return means


def mean(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σw·x / Σw, missing where nothing weighs; float32 of the same shape."""
    return _mean(sums, weights).astype("float32")


def class_areas(positions: np.ndarray, area: np.ndarray, k: int, classes: int) -> np.ndarray:
    """Area of each class in cells of k x k pixels: (classes, lat / k, lon / k), float64, unit of `area`.

    In a cell of one class the others are exactly zero.

    Parameters
    ----------
    positions : int array (lat, lon) of positions in the class list, negative where unknown
    area : array (lat, 1), pixel areas
    """
    rows, columns = positions.shape
    blocks = positions.reshape(rows, columns // k, k)
    areas = np.zeros((classes, rows // k, columns // k))
    for index in range(classes):
        counts = np.count_nonzero(blocks == index, axis=-1)
        areas[index] = (counts * area).reshape(rows // k, k, -1).sum(1)
    return areas


def fractions(areas: np.ndarray, *, without: int | None = None) -> np.ndarray:
    """Class areas (class, lat, lon) as fractions of their sum, float32; class `without` (water) counts as none.

    Missing where the sum is zero. A cell of one class holds exactly 1 there and exactly 0 elsewhere: rounding leaves no
    trace of vegetation on ice.
    """
    areas = areas.copy()
    if without is not None:
        areas[without] = 0.0
    total = areas.sum(0)
    shares: np.ndarray = np.divide(areas, total, out=np.full(areas.shape, np.nan), where=total > 0)
    return shares.astype("float32")


def land_nodes(land: np.ndarray, spacing: float) -> np.ndarray:
    """Which nodes lie on land, at least half of the box of one `spacing` (degrees) around them: (lat + 1, lon), float32, 0 or 1.

    `land` are the shares (lat, lon) of pixels; missing ones count as sea. The area change within a box is neglected.
    """
    share = np.where(np.isfinite(land), land, 0).astype("float32")
    rows, columns = share.shape
    size = 180.0 / rows
    lat = _overlap(count=round(180.0 / spacing) + 1, pixels=rows, spacing=spacing, size=size, wrap=False)
    lon = _overlap(count=round(360.0 / spacing), pixels=columns, spacing=spacing, size=size, wrap=True)
    around: np.ndarray = lat @ (share @ lon.T)
    return (around >= LAND_NODE - 1e-6).astype("float32")


def _overlap(*, count: int, pixels: int, spacing: float, size: float, wrap: bool) -> np.ndarray:
    """Share of each pixel in the box around each node of one axis, rows summing to one: (count, pixels), float32."""
    centre = np.arange(count)[:, None] * spacing
    edge = np.arange(pixels)[None] * size
    shares = np.zeros((count, pixels))
    for shift in (-pixels * size, 0.0, pixels * size) if wrap else (0.0,):
        low = np.maximum(centre - spacing / 2, edge + shift)
        high = np.minimum(centre + spacing / 2, edge + shift + size)
        shares += np.clip(high - low, 0, None)
    normalised: np.ndarray = shares / shares.sum(1, keepdims=True)
    return normalised.astype("float32")


def boxes_to_cells(values: np.ndarray, *, target: Grid) -> np.ndarray:
    """Means of the cells of `target` over boxes around nodes (..., lat + 1, lon), by shared area; any ratio of sizes.

    A box reaches half a spacing around its node; the boxes at the poles are cut there. Missing boxes weigh nothing, a cell
    without any is missing; dtype of `values`. The mean over the globe, by area, is conserved where nothing is missing.
    """
    rows, columns = _shares(values.shape[-2] - 1, target)
    present = np.isfinite(values)
    sums = _separable(np.where(present, values, 0), rows, columns)
    weights = _separable(present.astype("float64"), rows, columns)
    return _mean(sums, weights).astype(values.dtype)


@cache
def _shares(bands: int, target: Grid) -> tuple[csr_array, csr_array]:
    """Area that rows (sine of latitude) and columns (degrees) of boxes share with those of cells: (cell, box), float64."""
    spacing, size = 180.0 / bands, target.resolution
    node, north = 90.0 - np.arange(bands + 1) * spacing, target.lat + size / 2
    top, bottom = np.minimum(node + spacing / 2, 90), np.maximum(node - spacing / 2, -90)
    high, low = np.minimum(north[:, None], top), np.maximum((north - size)[:, None], bottom)
    rows = np.where(high > low, np.sin(np.deg2rad(high)) - np.sin(np.deg2rad(np.minimum(low, high))), 0.0)
    west, node = target.lon - size / 2, -180.0 + np.arange(2 * bands) * spacing
    columns = np.zeros((west.size, node.size))
    for turn in (-360.0, 0.0, 360.0):
        right = np.minimum((west + size)[:, None], node + turn + spacing / 2)
        columns += np.clip(right - np.maximum(west[:, None], node + turn - spacing / 2), 0, None)
    rows[rows < 1e-12], columns[columns < 1e-9] = 0, 0  # boxes that only touch a cell, by rounding
    return csr_array(rows), csr_array(columns)


def _separable(values: np.ndarray, rows: csr_array, columns: csr_array) -> np.ndarray:
    """Σ over boxes of row share x column share x value: (..., lat, lon) of the cells, float64."""
    flat = np.moveaxis(values.astype("float64"), -1, 0)
    across = (columns @ flat.reshape(columns.shape[1], -1)).reshape(columns.shape[0], *flat.shape[1:])
    flat = np.moveaxis(across, -1, 0)
    down = (rows @ flat.reshape(rows.shape[1], -1)).reshape(rows.shape[0], *flat.shape[1:])
    return np.moveaxis(down, (0, 1), (-2, -1))


COAST = 4
"""Rings of large cells that values of land are continued over at coasts, where the cells of the map still hold land."""


def centres_to_cells(values: np.ndarray, *, target: Grid) -> np.ndarray:
    """Values at the centres of larger cells (..., lat, lon) as bilinear means at the centres of the cells of `target`.

    Missing centres weigh nothing. Where all four are missing, values are continued from land over up to `COAST` large cells, each
    ring the mean of its neighbours. Beyond the last row the pole takes the value of that row; dtype of `values`.
    """
    rows, columns = _between(values.shape[-2:], target)
    values = _continued(values)
    present = np.isfinite(values)
    sums = _separable(np.where(present, values, 0), rows, columns)
    weights = _separable(present.astype("float64"), rows, columns)
    return _mean(sums, weights).astype(values.dtype)


def _between(shape: tuple[int, ...], target: Grid) -> tuple[csr_array, csr_array]:
    """Weights of the two nearest rows, and of the two nearest columns, for each row and column of `target`: (cell, centre)."""
    weights = []
    for count, size, offset, wrap in (
        (shape[0], 180.0 / shape[0], 90.0 - target.lat, False),
        (shape[1], 360.0 / shape[1], target.lon + 180.0, True),
    ):
        at = offset / size - 0.5
        low = np.floor(at).astype(int)
        share = at - low
        ends = np.stack([low, low + 1])
        ends = ends % count if wrap else np.clip(ends, 0, count - 1)
        cell = np.tile(np.arange(at.size), 2)
        weights.append(csr_array((np.concatenate([1 - share, share]), (cell, ends.ravel())), shape=(at.size, count)))
    return weights[0], weights[1]


def _continued(values: np.ndarray) -> np.ndarray:
    """Missing values next to others as the mean of these, ring by ring."""
    for _ in range(COAST):
        present = np.isfinite(values)
        count = _neighbourhood(present.astype(values.dtype))
        total = _neighbourhood(np.where(present, values, values.dtype.type(0)))
        around = np.divide(total, count, out=np.full(values.shape, np.nan, values.dtype), where=count > 0)
        values = np.where(present, values, around)
    return values


def _neighbourhood(values: np.ndarray) -> np.ndarray:
    """Sums over the 3 x 3 centres around each (..., lat, lon); the columns go round the globe."""
    rows = np.concatenate([values[..., -1:], values, values[..., :1]], axis=-1)
    rows = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    sums: np.ndarray = rows.copy()
    sums[..., 1:, :] += rows[..., :-1, :]
    sums[..., :-1, :] += rows[..., 1:, :]
    return sums

"""Maps in the Equal Earth projection (Šavrič et al. 2019, doi 10.1080/13658816.2018.1504949), which shows areas true.

A field is drawn as a picture: each pixel of the map looks up the cell it lies in, so a grid of 0.25° draws as fast as one of 5°.
"""

from dataclasses import dataclass
from functools import cache

import contourpy
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Polygon
from numpy.typing import ArrayLike
from pyproj import Transformer

from tamrl.grid import Grid
from tamrl.report import style

Extent = tuple[float, float, float, float]
"""Left, right, bottom and top of a picture in m."""

PROJECTION = "+proj=eqearth +lon_0=0 +R=6371007.181 +units=m"
CROP_SOUTH = -60.0
"""Southern edge of maps if no land south of it has a value."""


@cache
def _forward() -> Transformer:
    return Transformer.from_crs("+proj=longlat +R=6371007.181", PROJECTION, always_xy=True)


def project(*, lat: ArrayLike, lon: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Project points in degrees to map coordinates x, y (m)."""
    x, y = _forward().transform(np.asarray(lon, "f8"), np.asarray(lat, "f8"))
    return np.asarray(x), np.asarray(y)


FINEST = 6
"""Most times that a map of a region has the pixels of one of the globe."""


@dataclass(frozen=True)
class Lookup:
    """The cell of each pixel of a map picture: rows and columns (y, x), -1 outside the globe; extent in m."""

    row: np.ndarray
    column: np.ndarray
    extent: Extent


@cache
def lookup_cells(grid: Grid, width: int, south: float) -> Lookup:
    """Find the cell of each pixel of a picture of `width` pixels, cut off at latitude `south`."""
    right, top = (float(v[0]) for v in (project(lat=[0], lon=[180])[0], project(lat=[90], lon=[0])[1]))
    bottom = float(project(lat=[south], lon=[0])[1][0])
    height = round(width * (top - bottom) / (2 * right))
    x = (np.arange(width) + 0.5) / width * 2 * right - right
    y = top - (np.arange(height) + 0.5) / height * (top - bottom)
    xx, yy = np.meshgrid(x, y)
    lon, lat = _forward().transform(xx, yy, direction="INVERSE")
    inside = np.isfinite(lat)
    edge = project(lat=np.where(inside, lat, 0.0), lon=np.full(lat.shape, 180.0))[0]
    inside &= np.abs(xx) <= edge  # beyond the outline the inverse wraps round and would repeat land
    row, column = grid.index(lat=np.where(inside, lat, 0), lon=np.where(inside, lon, 0))
    row, column = (np.where(inside, v, -1).astype("i2") for v in (row, column))
    return Lookup(row, column, (-right, right, bottom, top))


@dataclass(frozen=True)
class Basemap:
    """Background of every map: land, coast and graticule."""

    grid: Grid
    land: np.ndarray
    coast: tuple[np.ndarray, ...]
    south: float
    window: Grid | None = None
    """Cells of a regional run, which the map shows alone."""

    @property
    def view(self) -> Extent | None:
        """What a map of a region shows, in m."""
        if self.window is None:
            return None
        half = self.window.resolution
        lat, lon = (np.linspace(axis.min() - half, axis.max() + half, 50) for axis in (self.window.lat, self.window.lon))
        yy, xx = np.meshgrid(np.clip(lat, self.south, 90), np.clip(lon, -180, 180), indexing="ij")
        x, y = project(lat=yy, lon=xx)
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())

    def pixels(self, values: np.ndarray, *, width: int) -> tuple[np.ndarray, Extent]:
        """Put a field (lat, lon) on the pixels of the map, missing outside the globe; and their extent in m.

        The field lies on the grid of the land, or on the window.
        """
        grid = self.grid
        if self.window is not None:
            width *= int(np.clip(180 // np.ptp(self.window.lon), 1, FINEST))
            if values.shape == self.window.shape:
                grid, values = self.window.globe, self.window.on_globe(values)
        cells = lookup_cells(grid, width, self.south)
        return np.where(cells.row >= 0, values[cells.row, cells.column], np.nan), cells.extent


def draw_basemap(land_fraction: np.ndarray, grid: Grid, shown: np.ndarray | None = None) -> Basemap:
    """Trace land and its coastline from the land fraction of a grid (lat, lon), missing = sea.

    `shown` (lat, lon) marks cells with values; if there are none south of 60° S, the maps end there.
    """
    land = np.where(np.isfinite(land_fraction), land_fraction, 0.0)
    wrapped = np.concatenate([land[:, -1:], land, land[:, :1]], axis=1)  # closes the coast across the date line
    lon = np.concatenate([[-180.0], grid.lon, [180.0 - 1e-9]])
    wrapped[:, 0] = wrapped[:, -1] = (wrapped[:, 0] + wrapped[:, -1]) / 2
    lines = contourpy.contour_generator(lon, grid.lat, wrapped).lines(0.35)
    coast = tuple(np.stack(project(lat=line[:, 1], lon=line[:, 0]), 1) for line in map(np.asarray, lines) if len(line) > 3)
    has = shown if shown is not None else land > 0
    return Basemap(grid, land > 0, coast, -90.0 if has[grid.lat < CROP_SOUTH].any() else CROP_SOUTH)


def draw_map(axes: Axes, values: np.ndarray, base: Basemap, *, cmap: Colormap, norm: Normalize, width: int = 900) -> AxesImage:
    """Draw a field with land, coast and graticule, and return its image for a colour bar; missing land stays grey.

    Parameters
    ----------
    values : array (lat, lon)
    cmap, norm : colours
    width : pixels from west to east
    """
    draw_frame(axes, base, width=width)
    pixels, extent = base.pixels(np.asarray(values, dtype="f4"), width=width)
    return axes.imshow(pixels, extent=extent, cmap=cmap, norm=norm, interpolation="nearest", zorder=2, aspect="equal")


def draw_frame(axes: Axes, base: Basemap, *, width: int = 900) -> None:
    """Draw ocean, grey land, coast, graticule and the outline of the globe."""
    axes.set_axis_off()
    axes.set(xticks=[], yticks=[])  # hidden tick labels would still push the title up
    land, extent = base.pixels(base.land.astype("f4"), width=width)
    colours = ListedColormap([style.OCEAN, style.BARE_LAND])
    axes.imshow(land, extent=extent, cmap=colours, norm=Normalize(0, 1), interpolation="nearest", zorder=1, aspect="equal")
    globe = Polygon(_outline(base.south), closed=True, fill=False, edgecolor=style.SOFT, linewidth=0.6, zorder=5)
    axes.add_patch(globe)
    coast = LineCollection(list(base.coast), colors=style.SOFT, linewidths=0.45, zorder=4)
    graticule = LineCollection(list(_graticule(base.south)), colors="#90a0aa", linewidths=0.3, alpha=0.55, zorder=3)
    for lines in (coast, graticule):
        axes.add_collection(lines)
        lines.set_clip_path(globe)
    for lat in (-60, -30, 0, 30, 60):
        if lat > base.south:
            x, y = project(lat=[lat], lon=[-180])
            name = "0°" if lat == 0 else f"{abs(lat)}° {'N' if lat > 0 else 'S'}"
            axes.annotate(
                name, (x[0], y[0]), (-3, 0), textcoords="offset points", ha="right", va="center", fontsize=6, color=style.SOFT
            )
    extent = base.view or extent
    pad = 0.005 * (extent[1] - extent[0])
    axes.set_xlim(extent[0] - pad, extent[1] + pad)
    axes.set_ylim(extent[2] - pad, extent[3] + pad)


@cache
def _graticule(south: float) -> tuple[np.ndarray, ...]:
    along = np.linspace(south, 90, 91)
    across = np.linspace(-180, 180, 181)
    meridians = [np.stack(project(lat=along, lon=np.full(91, lon)), 1) for lon in range(-120, 180, 60)]
    parallels = [np.stack(project(lat=np.full(181, lat), lon=across), 1) for lat in (-60, -30, 0, 30, 60) if lat > south]
    return (*meridians, *parallels)


@cache
def _outline(south: float) -> np.ndarray:
    up, across = np.linspace(south, 90, 181), np.linspace(-180, 180, 91)
    lat = np.concatenate([up, np.full(91, 90.0), up[::-1], np.full(91, south)])
    lon = np.concatenate([np.full(181, -180.0), across, np.full(181, 180.0), across[::-1]])
    return np.stack(project(lat=lat, lon=lon), 1)

"""The lattice of the weather: nodes as ERA5 has them, and values between them.

WeatherLattice lie at latitudes 90 to -90, both poles included, and longitudes 0 to 360, `resolution` degrees apart. Centres
of the cells of `tamrl.grid.Grid` lie in the middle of four nodes.
"""

from dataclasses import dataclass

import numpy as np

from tamrl.arrays import Floats


@dataclass(frozen=True)
class WeatherLattice:
    """A lattice of `resolution` degrees (a divisor of 180)."""

    resolution: float

    @property
    def shape(self) -> tuple[int, int]:
        """(latitude, longitude) sizes."""
        rows = round(180 / self.resolution)
        return rows + 1, 2 * rows

    @property
    def lat(self) -> np.ndarray:
        """Latitudes, north to south (degrees north)."""
        return 90.0 - np.arange(self.shape[0]) * self.resolution

    @property
    def lon(self) -> np.ndarray:
        """Longitudes, from 0 eastwards (degrees east)."""
        return np.arange(self.shape[1]) * self.resolution


def from_pixels(values: Floats, ratio: int) -> Floats:
    """Means of pixels (lat, lon from -180) around nodes of `ratio` pixels' distance, (node lat, node lon).

    With an even `ratio` the window is `ratio` wide, with an odd one `ratio` + 1, ends counted half.
    """
    half, odd = divmod(ratio, 2)
    weights = np.concatenate([[0.5] * odd, np.ones(ratio - odd), [0.5] * odd]) / ratio
    padded = np.pad(values, ((half + odd, half + odd), (0, 0)), mode="edge")
    rows = sum(w * padded[k::ratio][: values.shape[0] // ratio + 1] for k, w in enumerate(weights))
    shift = np.roll(rows, half + odd, axis=1)
    shift = np.concatenate([shift, shift[:, : ratio + odd]], axis=1)
    columns = sum(w * shift[:, k::ratio][:, : values.shape[1] // ratio] for k, w in enumerate(weights))
    return np.asarray(np.roll(columns, columns.shape[1] // 2, axis=1).astype("float32"))


def centres(values: Floats) -> Floats:
    """Means of the four nodes around each cell centre: (..., node lat, node lon) to (..., lat, lon from -180)."""
    values = np.roll(values, values.shape[-1] // 2, axis=-1)
    pairs = (values + np.roll(values, -1, axis=-1)) * np.float32(0.5)
    return (pairs[..., :-1, :] + pairs[..., 1:, :]) * np.float32(0.5)


@dataclass(frozen=True)
class Bilinear:
    """Bilinear interpolation from a lattice to the crossings of `lat` and `lon` (degrees)."""

    rows: tuple[np.ndarray, np.ndarray]
    columns: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def between(cls, nodes: WeatherLattice, *, lat: np.ndarray, lon: np.ndarray) -> "Bilinear":
        """Weights from `nodes` to the lattice of `lat` x `lon`."""
        y = (90 - np.asarray(lat)) / nodes.resolution
        x = (np.asarray(lon) % 360) / nodes.resolution
        top = np.clip(np.floor(y).astype(int), 0, nodes.shape[0] - 2)
        left = np.floor(x).astype(int)
        size = nodes.shape[1]
        return cls((top, (y - top).astype("float32")[:, None]), (left % size, (left + 1) % size, (x - left).astype("float32")))

    def __call__(self, values: Floats) -> Floats:
        """Values (..., node lat, node lon) to (..., lat, lon)."""
        top, down = self.rows
        left, right, across = self.columns
        rows = values[..., top, :] * (1 - down) + values[..., top + 1, :] * down
        return np.asarray(rows[..., left] * (1 - across) + rows[..., right] * across)

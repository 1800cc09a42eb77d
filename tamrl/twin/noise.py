"""Smooth random fields on the sphere and their change in time: the only source of chance in weather and traits.

A field is a sum of random plane waves cut by the sphere, so it is isotropic, has no seam at the date line and no
singular point at the poles, and is the same world on any grid. Every use has its own generator, derived from the
seed and a name: adding one draw never changes another.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from tamrl.arrays import Floats
from tamrl.grid import EARTH_RADIUS


def generator(seed: int, name: str) -> np.random.Generator:
    """The random generator called `name` of a world with this seed."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return np.random.default_rng(np.random.SeedSequence([seed, key]))


def unit_vectors(*, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points on the unit sphere, (..., 3), from degrees; `lat` and `lon` broadcast."""
    p, q = np.deg2rad(lat), np.deg2rad(lon)
    x, y, z = np.broadcast_arrays(np.cos(p) * np.cos(q), np.cos(p) * np.sin(q), np.sin(p))
    return np.stack([x, y, z], -1)


@dataclass(frozen=True)
class WaveField:
    """A Gaussian field of mean 0 and variance 1 with correlation exp(-d²/2L²) at the chord distance d.

    Random features of that kernel (Rahimi & Recht 2007, Advances in Neural Information Processing Systems 20);
    isotropic fields on the sphere: Lang & Schwab 2015, doi 10.1214/14-AAP1067.
    """

    waves: np.ndarray
    """Wave vectors, (wave, 3), per unit of the radius."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, scale_km: float, count: int) -> "WaveField":
        """Draw `count` waves of a field with correlation length L = `scale_km`."""
        return cls(rng.standard_normal((count, 3)) * (EARTH_RADIUS / 1000 / scale_km))

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return 2 * len(self.waves)

    def basis(self, *, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Values of the waves at points (degrees), (point, coefficient), float32."""
        phase = unit_vectors(lat=lat, lon=lon).reshape(-1, 3) @ self.waves.T
        scale = 1 / np.sqrt(len(self.waves))
        return np.concatenate([np.cos(phase) * scale, np.sin(phase) * scale], 1).astype("float32")


def static_field(seed: int, name: str, *, lat: np.ndarray, lon: np.ndarray, scale_km: float, count: int = 64) -> np.ndarray:
    """One smooth field at points (degrees, broadcast), float32 of the broadcast shape, mean 0 and variance 1.

    Parameters
    ----------
    seed, name : from which the field is drawn
    lat, lon : of the points, degrees
    scale_km : length over which values are alike
    count : waves that are summed
    """
    rng = generator(seed, name)
    waves = WaveField.draw(rng, scale_km=scale_km, count=count)
    weights = rng.standard_normal(waves.size).astype("float32")
    lat, lon = np.broadcast_arrays(lat, lon)
    rows = [waves.basis(lat=a, lon=b) @ weights for a, b in zip(np.atleast_2d(lat), np.atleast_2d(lon), strict=True)]
    return np.concatenate(rows).reshape(lat.shape)


def autoregressive(rng: np.random.Generator, *, steps: int, size: int, memory: float) -> Floats:
    """First-order autoregressive series of variance 1, (step, size), float32; `memory` in steps is the e-folding time.

    Parameters
    ----------
    rng : source of the innovations
    steps, size : of the result
    memory : e-folding time in steps
    """
    rho = np.exp(-1 / memory)
    shocks = rng.standard_normal((steps, size))
    shocks[1:] *= np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], shocks, axis=0).astype("float32"))

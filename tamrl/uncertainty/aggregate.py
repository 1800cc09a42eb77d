"""The error of sums over cells and months: any region, period, difference between years or trend is a sum with weights.

The variance of Σ w e over cells and months, e their errors, has four parts: what the members disagree on, which they sum up
themselves; what all places of a class have in common; what places have of their own; and what passes. The last three are
Σ w w' cov(e, e') over pairs of cells, see `tamrl.uncertainty.error_model`. Cells within a quarter of a correlation length are
taken together, and pairs beyond four lengths left out, so that the cost grows with the number of cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import KDTree

from tamrl.grid import EARTH_RADIUS
from tamrl.uncertainty.error_model import FluxErrors, SpatialErrors

JOINED = 0.25
"""Cells are joined within so many correlation lengths."""

BEYOND = 4.0
"""Correlation lengths beyond which errors count as independent."""

KM_PER_DEGREE = np.pi * EARTH_RADIUS / 1000 / 180


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which cells err alike, for one part of the errors."""

    share: float
    """Correlation of two different cells at distance zero."""
    block: np.ndarray
    """Array (cell): block of nearby cells that are taken together."""
    half: csr_matrix
    """Correlation of each pair of different blocks, once, as a fraction of `share`."""

    @classmethod
    def of(cls, share: float, length_km: float, *, lat: np.ndarray, lon: np.ndarray) -> Self:
        """Neighbours among cells whose correlation is `share` exp(-d / `length_km`).

        Parameters
        ----------
        share, length_km : of the correlation
        lat, lon : arrays (cell), degrees
        """
        block = _blocks(lat, lon, JOINED * length_km)
        count = np.bincount(block)
        points = _on_sphere(*(np.bincount(block, values) / count for values in (lat, lon)))
        reach = min(BEYOND * length_km * 1000 / EARTH_RADIUS, np.pi)
        pairs = KDTree(points).query_pairs(2 * np.sin(reach / 2), output_type="ndarray")
        chord = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        arc = 2 * np.arcsin(np.clip(chord / 2, 0.0, 1.0)) * EARTH_RADIUS / 1000
        half = coo_matrix((np.exp(-arc / length_km), pairs.T), shape=(len(points), len(points))).tocsr()
        return cls(share, block, half)

    def products(self, weight: np.ndarray) -> np.ndarray:
        """Σ w(m, i) w(m', j) `share` exp(-d_ij / length) over pairs of cells, by months (m, m'); `weight` (month, cell)."""
        cells = weight.any(0)  # a small region costs little
        weight, number = weight[:, cells], self.block[cells]
        blocks, position = np.unique(number, return_inverse=True)
        joined = np.stack([np.bincount(position, month, len(blocks)) for month in weight])
        between = joined @ (self.half[blocks][:, blocks] @ joined.T)
        return np.asarray(self.share * (joined @ joined.T + between + between.T))


@dataclass(frozen=True, eq=False)
class Kinship:
    """Which cells err alike: themselves, their neighbours, and regions far from towers."""

    nugget: float
    parts: tuple[Neighbours, ...]
    unlearned: tuple[np.ndarray, ...]
    """Factors of the cells (cell) in each part."""

    @classmethod
    def of(cls, space: SpatialErrors, errors: FluxErrors, *, lat: np.ndarray, lon: np.ndarray) -> Self:
        """Kinship among cells.

        Parameters
        ----------
        space : correlation between places
        errors : whose towers have trained
        lat, lon : arrays (cell), degrees
        """
        parts, unlearned = [], []
        for share, length_km, factor in (
            (space.near, space.length_km, np.ones(lat.shape)),
            (space.far, space.far_km, space.unlearned(errors.isolation(lat, lon))),
        ):
            if share > 0:
                parts.append(Neighbours.of(share, length_km, lat=lat, lon=lon))
                unlearned.append(factor)
        return cls(space.nugget, tuple(parts), tuple(unlearned))

    def products(self, weight: np.ndarray) -> np.ndarray:
        """Σ w(m, i) w(m', j) f_ij over pairs of cells, by months (m, m'); `weight` (month, cell)."""
        products: np.ndarray = self.nugget * weight @ weight.T
        for part, factor in zip(self.parts, self.unlearned, strict=True):
            products = products + part.products(weight * factor)
        return products


@dataclass(frozen=True)
class SumVariance:
    """Parts of the variance of a sum besides that of its members, in the square of its unit."""

    of_classes: float
    of_places: float
    passing: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.of_classes + self.of_places + self.passing


@dataclass(frozen=True, eq=False)
class MonthCovariance:
    """Covariances of the errors of the sums of single months over the same cells: arrays (month, month)."""

    of_classes: np.ndarray
    of_places: np.ndarray
    passing: np.ndarray

    def variance(self, weight: np.ndarray) -> SumVariance:
        """Variance of the sum of the months with the weights (month): ones for a year, of both signs for a difference."""
        parts = (self.of_classes, self.of_places, self.passing)
        return SumVariance(*(max(float(weight @ part @ weight), 0.0) for part in parts))


@dataclass(frozen=True, eq=False)
class ErrorField:
    """The errors of one flux over the cells of a map."""

    errors: FluxErrors
    place: Kinship
    weather: Kinship
    month: np.ndarray
    """Array (month) of int: months since any fixed one."""
    std: np.ndarray = field(repr=False)
    """Array (month, cell): predictive standard deviation of the flux."""

    @classmethod
    def of(cls, errors: FluxErrors, std: np.ndarray, *, month: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> Self:
        """Errors at the cells of a map.

        Parameters
        ----------
        errors : structure of the errors of the flux
        std : array (month, cell), predictive standard deviation of the flux
        month : array (month) of int, months since any fixed one
        lat, lon : arrays (cell), degrees
        """
        place, weather = (Kinship.of(space, errors, lat=lat, lon=lon) for space in (errors.place, errors.weather))
        return cls(errors, place, weather, month, std)

    def sums(self, weight: np.ndarray, classes: Mapping[str, np.ndarray]) -> MonthCovariance:
        """Covariance of sums over the cells.

        Parameters
        ----------
        weight : array (month, cell)
            Of the flux of each cell in the sum of each month.
        classes : arrays (cell)
            Share of the cell by IGBP class; what they leave over is of no known class, and common to none.
        """
        cells = np.flatnonzero(weight.any(0))  # a small region costs little
        load = np.zeros_like(self.std)
        load[:, cells] = weight[:, cells] * self.std[:, cells]
        lag = self.month[:, None] - self.month[None]
        lasting, passing = self.errors.lasting(lag), self.errors.passing(lag)
        shared, of_classes = np.zeros(load.shape[1]), np.zeros(lag.shape)
        for name, share in classes.items():
            common, of_class = self.errors.common(name), load[:, cells] @ share[cells]
            shared[cells] += common * share[cells]
            of_classes += common * np.outer(of_class, of_class)
        of_places = self.place.products(load * np.sqrt(np.clip(1.0 - shared, 0.0, None)))  # shares may exceed 1 by rounding
        return MonthCovariance(lasting * of_classes, lasting * of_places, passing * self.weather.products(load))


def _blocks(lat: np.ndarray, lon: np.ndarray, km: float) -> np.ndarray:
    """Number of the block of about `km` of each cell."""
    step = km / KM_PER_DEGREE
    row = np.floor((lat + 90) / step).astype(int)
    middle = np.clip((row + 0.5) * step - 90, -89.5, 89.5)
    column = np.floor((lon + 180) * np.cos(np.deg2rad(middle)) / step).astype(int)
    return np.ravel(np.unique(np.stack([row, column]), axis=1, return_inverse=True)[1])


def _on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points (cell, 3) of the unit sphere."""
    phi, theta = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=1)

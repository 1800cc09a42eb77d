"""Regions of the budgets: the globe, latitude bands, boxes, climates, land-cover classes, and those of the IPCC."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tamrl import classes
from tamrl.maps.land import Land
from tamrl.maps.outlines import SREX, band_masks, box_masks, srex_masks

Areas = tuple[np.ndarray, np.ndarray]
"""Land, and the part of it that carries flux, of each cell: arrays (lat, lon) in m2."""


@dataclass(frozen=True)
class Regions:
    """Regions over the same cells, which may overlap."""

    names: tuple[str, ...]
    land: np.ndarray
    carrying: np.ndarray
    """Arrays (region, lat, lon): land of each cell within the region, and the part of it that carries flux, m2. A cell whose
    classes are unknown carries an unknown area and counts as missing: both are zero."""

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each name and the land that carries flux (lat, lon), m2."""
        return zip(self.names, self.carrying, strict=True)

    @classmethod
    def of(cls, areas: Mapping[str, Areas]) -> "Regions":
        """Return regions by name."""
        land, carrying = (np.stack(part) for part in zip(*areas.values(), strict=True))
        certain = np.isfinite(carrying)
        return cls(tuple(areas), np.where(certain, land, 0.0), np.where(certain, carrying, 0.0))

    @classmethod
    def of_budgets(cls, land: Land) -> "Regions":
        """All mapped land, latitude bands, boxes, climates and land-cover classes; of a region only bands and boxes inside it."""
        names = [f"climate {name}" for name in classes.KOPPEN]
        climates = {} if land.koppen is None else dict(zip(names, land.koppen, strict=True))
        masks = latitude_bands(land) | _inside(land, box_masks(land.lat, land.lon))
        return cls.of(_masked(land, masks | climates) | _classes(land))

    @classmethod
    def of_atlas(cls, land: Land) -> "Regions":
        """All mapped land, latitude bands, land-cover classes and regions of `SREX`; of a region only what lies inside it."""
        polygons = _inside(land, srex_masks(land.lat, land.lon))
        return cls.of(_masked(land, latitude_bands(land)) | _classes(land) | _masked(land, polygons))


def _masked(land: Land, shares: Mapping[str, np.ndarray]) -> dict[str, Areas]:
    """Land in regions that have a share of each cell (lat, lon)."""
    area = land.area * land.fraction
    return {name: (area * share, area * land.share * share) for name, share in shares.items()}


def _inside(land: Land, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return masks if land.inside is None else {name: mask for name, mask in masks.items() if name in land.inside}


def latitude_bands(land: Land) -> dict[str, np.ndarray]:
    """Return the share 1 of each cell in all mapped land, and masks (lat, lon) of the latitude bands inside it."""
    return {land.name_of_all: np.ones(land.fraction.shape)} | _inside(land, band_masks(land.lat, land.lon))


def _classes(land: Land) -> dict[str, Areas]:
    """Land of the IGBP classes; a class carries flux on all of its land or on none."""
    areas = {} if land.igbp is None else {n: land.area * land.fraction * s for n, s in zip(classes.IGBP, land.igbp, strict=True)}
    return {name: (area, area * (name not in land.bare)) for name, area in areas.items()}


def region_kind(name: str) -> str:
    """`globe`, `mapped` (all land of a regional run), `band`, `class` or `region` (one of `SREX`)."""
    kinds: dict[str, Collection[str]] = {"globe": (classes.GLOBE,), "mapped": (classes.REGION,)}
    kinds |= {"band": classes.LATITUDE_BANDS, "class": classes.IGBP, "region": SREX}
    return next(kind for kind, names in kinds.items() if name in names)

"""Regions of a comparison: the globe, latitude bands, land-cover classes and climates, as land of each compared cell."""

from dataclasses import dataclass

import numpy as np

from tamrl import classes
from tamrl.classes import GLOBE
from tamrl.maps.land import Land
from tamrl.reference.pairs import Pair
from tamrl.reference.regrid import CellGrid, Regridder

LEAST_AREA = 1e10
"""m2: regions with less compared land are left out."""


@dataclass(frozen=True, eq=False)
class ComparedRegions:
    """Regions over the compared cells, which may overlap."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    """`globe`, `band`, `class` or `climate`."""
    area: np.ndarray
    """Array (region, cell): land of the region in each cell, m2."""

    @classmethod
    def of(cls, pair: Pair, land: Land) -> "ComparedRegions":
        """Regions of a pair from the land of the run; cells of several classes count for each by its share."""
        regridder = Regridder(CellGrid(land.lat, land.lon), pair.grid)
        shares = {(GLOBE if name == GLOBE else "band", name): share for name, share in pair.band_shares().items()}
        for kind, names, stack in (("class", classes.IGBP, land.igbp), ("climate", classes.KOPPEN, land.koppen)):
            if stack is not None:
                by_name = dict(zip(names, stack, strict=True))
                shares |= {(kind, name): pair.share(regridder, field, land.fraction) for name, field in by_name.items()}
        areas = {key: share * pair.area for key, share in shares.items()}
        large = {key: area for key, area in areas.items() if area.sum() >= LEAST_AREA or key[0] == GLOBE}
        kinds, names = zip(*large, strict=True)
        return cls(names, kinds, np.stack(list(large.values())))

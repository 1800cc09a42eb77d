"""The error of the totals, from the predictive deviation of each month and cell and from how errors belong together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from tamrl import carbon, classes
from tamrl.carbon import FLUXES
from tamrl.maps.budgets.totals import Block
from tamrl.maps.intervals import map_strata
from tamrl.maps.land import Land
from tamrl.uncertainty import conformal, ensemble
from tamrl.uncertainty.aggregate import ErrorField, MonthCovariance
from tamrl.uncertainty.calibration import Calibration, Scale


@dataclass(frozen=True, eq=False)
class MonthlyDeviations:
    """Predictive standard deviation of the flux of vegetated land of every month, gC m-2 d-1, filled band by band of rows."""

    land: Land
    calibration: Calibration
    scale: Scale
    """`month`, or `mean month` where the map is that of a mean year."""
    std: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    """Arrays (lat, lon) by flux and calendar month; NaN without flux."""
    days: dict[int, float] = field(default_factory=dict)
    """Length of each month."""

    def add(self, month: int, part: Block, rows: slice) -> None:
        """Take the members of all steps of a month in a band of rows."""
        band = self.land.rows(rows)
        places = map_strata(np.array([month]), band.lat, band.igbp)
        self.days[month] = float(part.days.sum())
        for flux, members in part.means().items():
            calibration, _ = self.calibration.at(self.scale, flux)
            sigma = conformal.interval(calibration, *ensemble.moments(members), places=places, of_flux=True)[2]
            self.std.setdefault((flux, month), np.full(self.land.fraction.shape, np.nan))[rows] = sigma[0]


@dataclass(frozen=True, eq=False)
class TotalErrors:
    """Covariances of the errors of the totals of single months, PgC squared, by flux and region."""

    months: tuple[int, ...]
    covariance: dict[tuple[str, str], MonthCovariance]
    quantiles: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(FLUXES, conformal.NORMAL))
    """95 % quantile of the error of a total over its standard deviation, by flux."""

    @classmethod
    def of(cls, deviations: MonthlyDeviations, *kinds: Iterable[tuple[str, np.ndarray]]) -> "TotalErrors":
        """Errors of the totals of regions over the months of a map.

        Parameters
        ----------
        deviations : of all months and cells
        kinds : each yields names of regions and their land that carries flux (lat, lon), m2, once for every flux
            Regions of one name in several kinds are the same.
        """
        months = tuple(sorted(deviations.days))
        land, days = deviations.land, np.array([deviations.days[month] for month in months])
        covariance: dict[tuple[str, str], MonthCovariance] = {}
        model = deviations.calibration.error_model
        for flux in FLUXES:
            std = np.stack([deviations.std[flux, month] for month in months])
            cells = np.isfinite(std).any(0)
            lat, lon = np.broadcast_arrays(land.lat[:, None], land.lon[None])
            place = {"lat": lat[cells], "lon": lon[cells]}
            errors = ErrorField.of(model.of_flux(flux), np.nan_to_num(std[:, cells]), month=np.array(months), **place)
            shares = vegetated_shares(land, cells)
            for name, area in chain(*kinds):
                if (flux, name) in covariance:
                    continue
                weight = days[:, None] * area[cells] / carbon.GRAMS_PER_PETAGRAM
                of_class = {name: np.ones(cells.sum())} if name in classes.IGBP else shares
                covariance[flux, name] = errors.sums(weight, of_class)
        quantiles = {flux: model.of_flux(flux).quantile(conformal.LEVELS[1]) for flux in FLUXES}
        return cls(months, covariance, quantiles)

    def parts(self, flux: str, region: str, month: int | None = None) -> dict[str, float]:
        """Standard deviations of the parts of the error of a total, PgC, of a month or of all months."""
        chosen = np.array([month is None or month == m for m in self.months], dtype=float)
        variance = self.covariance[flux, region].variance(chosen)
        return {
            "class_std": float(np.sqrt(variance.of_classes)),
            "place_std": float(np.sqrt(variance.of_places)),
            "passing_std": float(np.sqrt(variance.passing)),
        }


def vegetated_shares(land: Land, cells: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return shares of the classes in the vegetated land of chosen cells (cell); none where the drivers hold no classes."""
    if land.igbp is None:
        return {}
    named = {name: share[cells] for name, share in zip(classes.IGBP, land.igbp, strict=True) if name not in land.bare}
    total = np.maximum(np.sum(list(named.values()), axis=0), 1e-6)
    return {name: np.nan_to_num(share / total) for name, share in named.items()}

"""`evaluation/calibration.json`: what turns predictions into intervals, and how well they cover at held-out towers."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from tamrl.documents import Document, DocumentPart
from tamrl.errors import ContractError
from tamrl.uncertainty.strata import StratumFactors


class Tails(DocumentPart):
    """Scale of the predictive standard deviation, and the ends of the interval in units of it."""

    scale: float
    low: float
    high: float

    def ends(self, mean: np.ndarray, variance: np.ndarray) -> "Intervals":
        """Intervals around `mean`, whose variance before scaling is `variance`."""
        sigma = self.scale * np.sqrt(variance)
        return mean + self.low * sigma, mean + self.high * sigma, sigma


Intervals = tuple[np.ndarray, np.ndarray, np.ndarray]
"""q05, q95 and predictive standard deviation sigma, gC m-2 d-1."""


class StratumCalibration(StratumFactors, Tails):
    """Factors of seasons and classes, and the tails of the scores after these."""


class VarianceCalibration(Tails):
    """Variance of the residuals by predicted flux, linear between `knots` (gC m-2 d-1), and the tails of the scores."""

    knots: tuple[float, ...]
    variance: tuple[float, ...]
    strata: StratumCalibration | None = None


class FluxCalibration(DocumentPart):
    """Calibration of one flux.

    `exact` says whether there were towers enough for the tails. `with_spread` is None without members; `residual_only` serves
    maps of one member.
    """

    flux: str
    towers: int
    n: int
    missing: int
    levels: tuple[float, float]
    exact: bool
    with_spread: VarianceCalibration | None = None
    residual_only: VarianceCalibration | None = None


class SiteMeanSkill(DocumentPart):
    """R² of the means of the sites, with its confidence interval."""

    model: str
    split: str
    flux: str
    n: int
    r2: float | None = None
    low: float | None = None
    high: float | None = None


class Calibration(Document):
    """Contract of the file: the calibration of the model of the maps for each flux, and its worth."""

    content: ClassVar[str] = "the calibration"

    gpp: FluxCalibration | None = None
    reco: FluxCalibration | None = None
    nee: FluxCalibration | None = None
    model: str | None = None
    split: str | None = None
    coverage: dict[str, float] = Field(default_factory=dict)
    """Share of observations within their intervals, mean over towers, for each flux."""
    skill: dict[str, str] = Field(default_factory=dict)
    """What the site means of each flux are worth, as a sentence."""
    site_means: tuple[SiteMeanSkill, ...] = ()

    def of_flux(self, flux: str) -> FluxCalibration:
        """Calibration of one of `carbon.FLUXES`.

        Raises
        ------
        ContractError
            If there is none.
        """
        calibrations = {"gpp": self.gpp, "reco": self.reco, "nee": self.nee}
        if (calibration := calibrations[flux]) is None:
            available = [name for name, present in calibrations.items() if present]
            raise ContractError(f"no calibration for {flux}", found=available, todo="run the rule evaluate_models again")
        return calibration

    def measured(self) -> "Calibration":
        """The calibration of a run without grids: its only inputs are those of the towers, which its splits do not say."""
        means = tuple(row.model_copy(update={"split": f"{row.split}:tower"}) for row in self.site_means)
        return self.model_copy(update={"split": f"{self.split}:tower", "site_means": means})

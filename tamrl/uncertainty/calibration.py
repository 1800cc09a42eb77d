"""`evaluation/calibration.json`: what turns predictions into intervals, and how well they cover at held-out towers."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tamrl.documents import Document, DocumentPart
from tamrl.errors import ContractError
from tamrl.uncertainty.error_model import ErrorModel
from tamrl.uncertainty.strata import StratumFactors

Scale = Literal["day", "8 days", "month", "mean month", "year"]
"""What one value of a file is the mean of; a `mean month` is a calendar month of the mean seasonal cycle of several years."""

FINER: dict[Scale, tuple[Scale, ...]] = {
    "8 days": ("day",),
    "month": ("8 days", "day"),
    "mean month": ("month", "8 days", "day"),
    "year": ("mean month", "month", "8 days", "day"),
}
"""Scales whose calibration may stand in for that of a coarser one, nearest first: a mean errs no more than its parts."""


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

    `exact` says whether there were groups of towers enough for the tails. `with_spread` is None without members;
    `residual_only` serves maps of one member.
    """

    flux: str
    towers: int
    groups: int | None = None
    """Groups of neighbouring towers, the units of the calibration; None where towers were."""
    n: int
    missing: int
    levels: tuple[float, float]
    exact: bool
    with_spread: VarianceCalibration | None = None
    residual_only: VarianceCalibration | None = None
    flux_share: float = 1.0
    """Standard deviation of the error of the flux itself over that of what a tower would measure, which holds noise too."""


class ScaleCalibration(DocumentPart):
    """Calibration of the fluxes at one scale."""

    gpp: FluxCalibration | None = None
    reco: FluxCalibration | None = None
    nee: FluxCalibration | None = None

    def of_flux(self, flux: str) -> FluxCalibration | None:
        """Calibration of one of `carbon.FLUXES`; None where too few held-out towers have means of that scale."""
        return {"gpp": self.gpp, "reco": self.reco, "nee": self.nee}[flux]


class TestedCalibration(NamedTuple):
    """A calibration, and the scale at which held-out towers tested it."""

    calibration: FluxCalibration
    scale: Scale


class SiteMeanSkill(DocumentPart):
    """NSE (1 - SSE / SST) of the means of the sites, with its confidence interval."""

    model: str
    split: str
    flux: str
    n: int
    """Towers."""
    groups: int | None = None
    """Groups of neighbouring towers; None where towers were resampled."""
    r2: float | None = None
    """The NSE; the name is older than the word."""
    low: float | None = None
    high: float | None = None


class RankCorrelation(DocumentPart):
    """Spearman's rank correlation over towers, with its 95 % interval over groups."""

    estimate: float
    low: float | None = None
    high: float | None = None
    n: int
    groups: int

    @property
    def text(self) -> str:
        """The estimate with its interval."""
        ends = "" if self.low is None or self.high is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.estimate:.2f}{ends}"


class Calibration(Document):
    """Contract of the file: the calibration of the model of the maps for each flux, and its worth."""

    content: ClassVar[str] = "the calibration"

    step: Scale = "day"
    """Scale of the steps of the run."""
    scales: dict[Scale, ScaleCalibration] = Field(default_factory=dict)
    """The calibration at each scale, from the steps of the run to years; scales without held-out means are left out."""
    model: str | None = None
    split: str | None = None
    coverage: dict[Scale, dict[str, float]] = Field(default_factory=dict)
    """Share of observations within their intervals, mean over towers, for each scale and flux."""
    skill: dict[str, str] = Field(default_factory=dict)
    """What the site means of each flux are worth, as a sentence."""
    site_means: tuple[SiteMeanSkill, ...] = ()
    errors: ErrorModel | None = None
    """How the errors of cells and months belong together, for sums."""
    dissimilarity: dict[str, RankCorrelation] = Field(default_factory=dict)
    """Of the dissimilarity of held-out towers with the RMSE of each flux there: what it predicts of errors."""

    @property
    def error_model(self) -> ErrorModel:
        """How errors belong together.

        Raises
        ------
        ContractError
            If the file is of an earlier version, which does not know.
        """
        if self.errors is None:
            raise ContractError("the calibration holds no error model", todo="run the rule evaluate_models again")
        return self.errors

    @property
    def step_coverage(self) -> dict[str, float]:
        """Coverage of the steps of the run, for each flux."""
        return self.coverage[self.step]

    def at(self, scale: Scale, flux: str) -> TestedCalibration:
        """The calibration of one of `carbon.FLUXES` at a scale, or at the nearest finer one: its intervals are then too wide.

        Raises
        ------
        ContractError
            If there is none.
        """
        for tested in (scale, *FINER.get(scale, ())):
            if tested in self.scales and (calibration := self.scales[tested].of_flux(flux)) is not None:
                return TestedCalibration(calibration, tested)
        raise ContractError(
            f"no calibration of {flux} for a {scale}", found=sorted(self.scales), todo="run the rule evaluate_models again"
        )

    def measured(self) -> "Calibration":
        """The calibration of a run without grids: its only inputs are those of the towers, which its splits do not say."""
        means = tuple(row.model_copy(update={"split": f"{row.split}:tower"}) for row in self.site_means)
        return self.model_copy(update={"split": f"{self.split}:tower", "site_means": means})

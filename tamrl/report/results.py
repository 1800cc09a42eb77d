"""What the report is made from, after reading and summing; no files from here on."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from tamrl.calendar import Step
from tamrl.evaluation import pairs, scales, skill
from tamrl.evaluation.bootstrap import Interval
from tamrl.report.fields import FluxSums
from tamrl.report.projection import Basemap
from tamrl.uncertainty.calibration import Calibration


@dataclass
class Material:
    """Everything that the sections show."""

    title: str
    run: str
    labels: list[str]
    step: Step
    reference: str | None
    """How the reference is called; None where there is none."""
    virtual: bool
    """Whether the inputs of the run were simulated (`tamrl.simulated`)."""
    map_model: str
    qc: float
    base: Basemap
    predictions: pd.DataFrame
    metrics: pd.DataFrame
    calibration: Calibration
    towers: pd.DataFrame
    quality: pd.DataFrame
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    reliability: pd.DataFrame
    unlike: pd.DataFrame
    """How unlike held-out towers are to those that trained (`evaluation/dissimilarity.csv`)."""
    fluxes: dict[str, FluxSums] = field(default_factory=dict)
    """Sums of the maps; empty in a run without grids, which has none of what follows up to `choices`."""
    resolution: float = np.nan
    dissimilarity: np.ndarray | None = None
    inside: np.ndarray | None = None
    threshold: float | None = None
    budgets: pd.DataFrame | None = None
    choices: dict[str, pd.DataFrame] = field(default_factory=dict)
    every: pd.DataFrame | None = None
    """All towers that were read, by network, those left out too."""
    records: pd.DataFrame | None = None
    """Records of the towers kept, after the tests."""
    comparison: pd.DataFrame | None = None
    """Drivers of the grid against those of the towers (`drivers/comparison.csv`)."""
    benchmarks: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    licence: str = ""

    @property
    def mapped(self) -> bool:
        """Whether the run made maps."""
        return bool(self.fluxes)

    @property
    def members(self) -> int:
        """Members in the maps' files of members; 0 where these were not written."""
        return len(next(iter(self.fluxes.values())).members)

    @property
    def split(self) -> str:
        """The split with the inputs of the maps."""
        return self.calibration.split or min(self.metrics["split"])

    @property
    def period(self) -> str:
        """The mapped years in words."""
        if self.labels == ["climatology"]:
            return "a mean year"
        return self.labels[0] if len(self.labels) == 1 else f"{self.labels[0]}–{self.labels[-1]}"

    @cached_property
    def ours(self) -> pd.DataFrame:
        """Scored predictions of the maps' model, all splits."""
        scored = self.predictions[pairs.is_scored(self.predictions, qc=self.qc)]
        return scored[scored["model"] == self.map_model]

    @cached_property
    def site_means(self) -> pd.DataFrame:
        """Means of towers by the maps' model, with their climate."""
        means = scales.scales(self.ours, step=self.step)["site"]
        return means.merge(self.towers[["site", "igbp", "koppen"]], on="site", how="left")

    def spatial_skill(self) -> dict[tuple[str, str], Interval]:
        """R² of site means per (split, flux)."""
        groups = self.site_means.groupby(["split", "flux"], observed=True)
        return {key: skill.of_site_means(rows) for key, rows in groups}

    def metrics_of(self, split: str) -> pd.DataFrame:
        """Scores of the maps' model in one split."""
        return self.metrics[(self.metrics["model"] == self.map_model) & (self.metrics["split"] == split)]

"""Content of the report of a run, read once; figures and pages open no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import xarray as xr

from tamrl import contracts, files, landmask
from tamrl.benchmarks import read_benchmark
from tamrl.evaluation import pairs
from tamrl.evaluation.bootstrap import Interval, TowerGroups
from tamrl.evaluation.compare import interannual_skill, spatial_skill
from tamrl.evaluation.scales import pairs_by_scale
from tamrl.grid import Grid
from tamrl.layout import File, RunFiles
from tamrl.report.independent import IndependentTowers
from tamrl.report.map_sums import Reference, SummedMaps
from tamrl.report.products import ProductComparisons
from tamrl.report.projection import Basemap, draw_basemap
from tamrl.sections.results import RunDescription
from tamrl.uncertainty.calibration import Calibration

Timings = Mapping[str, Sequence[tuple[float, float]]]
"""Seconds and memory (MB) of the jobs of each rule; NaN where a job was too short to measure."""


@dataclass(frozen=True)
class Applicability:
    """Area of applicability of the maps: fields (lat, lon), and the dissimilarity at its border."""

    grid: Grid
    dissimilarity: np.ndarray
    inside: np.ndarray
    threshold: float | None

    @classmethod
    def read(cls, path: str) -> "Applicability":
        """Read `maps/applicability.nc`."""
        with xr.open_dataset(files.verified(path), mask_and_scale=True) as ds:
            threshold = ds["dissimilarity"].attrs.get("threshold")
            limit = None if threshold is None else float(threshold)
            return cls(Grid.of_cells(ds), ds["dissimilarity"].values, ds["applicability"].values, limit)

    def share(self, north: float = 90.0) -> float:
        """Share of the mapped land between `north` degrees south and north that lies inside."""
        rows = np.abs(self.grid.lat) <= north
        land = np.where(np.isfinite(self.inside), self.grid.area(), 0.0)[rows]  # (lat, lon), m2
        return float(np.nansum(self.inside[rows] * land) / land.sum()) if land.sum() else np.nan


@dataclass(frozen=True)
class MapResults:
    """Maps of a run and results from them; a run without grids has none."""

    summed: SummedMaps
    applicability: Applicability
    budgets: pd.DataFrame
    choices: dict[str, pd.DataFrame]
    """Budgets of each choice."""
    truth_coverage: pd.DataFrame | None
    """How often the known truth lies in the intervals (`contracts.TRUTH_COVERAGE`)."""
    compared: ProductComparisons | None = None
    """Products of others beside the maps."""
    independent: IndependentTowers | None = None
    """Yearly sums of towers that judge the maps."""


@dataclass(frozen=True)
class TowerScores:
    """Scores at held-out towers; tables by `contracts`."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    reliability: pd.DataFrame
    calibration: Calibration
    groups: TowerGroups
    ceilings: pd.DataFrame
    """Scores of what the towers' own fluxes tell of them (`contracts.METRICS`)."""
    shares: pd.DataFrame
    """How far the maps' model comes on the way there (`contracts.SHARES`)."""

    @classmethod
    def read(cls, run: RunFiles, *, gridded: bool) -> "TowerScores":
        """Read the scores; splits of a run without grids are marked as inputs of towers."""
        metrics = contracts.read_csv(run(File.SITE_METRICS), contracts.METRICS)
        comparisons = contracts.read_csv(run(File.COMPARISONS), contracts.COMPARISONS)
        reliability = contracts.read_csv(run(File.RELIABILITY), contracts.RELIABILITY)
        ceilings = contracts.read_csv(run(File.CEILINGS), contracts.METRICS)
        shares = contracts.read_csv(run(File.SHARES), contracts.SHARES)
        calibration, groups = Calibration.read(run(File.CALIBRATION)), TowerGroups.read(run(File.SPLITS))
        if gridded:
            return cls(metrics, comparisons, reliability, calibration, groups, ceilings, shares)
        metrics, comparisons, reliability, ceilings, shares = map(
            split_at_towers, (metrics, comparisons, reliability, ceilings, shares)
        )
        return cls(metrics, comparisons, reliability, calibration.measured(), groups, ceilings, shares)


@dataclass(frozen=True)
class RunResults:
    """Content of the report."""

    description: RunDescription
    held_out: TowerScores
    predictions: pd.DataFrame
    scores: pd.DataFrame
    dissimilarity: pd.DataFrame
    """How unlike held-out towers are to those in training (`evaluation/dissimilarity.csv`)."""
    towers: pd.DataFrame
    quality: pd.DataFrame
    records: pd.DataFrame | None
    """Records of the towers after the tests."""
    network_sites: pd.DataFrame | None
    """All towers of the networks, those left out too."""
    drivers: pd.DataFrame | None
    """Drivers of the grid against those of the towers (`drivers/comparison.csv`)."""
    sensors: pd.DataFrame | None
    """A later sensor against the one that it follows (`drivers/sensors.csv`), where a source changes."""
    maps: MapResults | None
    timings: Timings

    @classmethod
    def read(cls, run: RunFiles, description: RunDescription, reference: Reference) -> "RunResults":
        """Read the declared files of a run; each once.

        Raises `ContractError` if a file is missing or does not keep its contract.
        """
        gridded = run.find(File.BUDGETS) is not None
        predictions = _read_parquet(run(File.TOWER_PREDICTIONS), contracts.PREDICTIONS)
        scores = contracts.read_csv(run(File.SCORES), contracts.SCORES)
        sites = [path for name in description.networks if (path := run.find(File.NETWORK_SITES, network=name))]
        records, drivers, sensors = map(run.find, (File.RECORDS, File.DRIVER_COMPARISON, File.SENSOR_COMPARISON))
        every = pd.concat([contracts.read_csv(p, contracts.SITES) for p in sites], ignore_index=True) if sites else None
        return cls(
            description=description,
            held_out=TowerScores.read(run, gridded=gridded),
            predictions=predictions if gridded else split_at_towers(predictions),
            scores=scores if gridded else split_at_towers(scores),
            dissimilarity=contracts.read_csv(run(File.DISSIMILARITY), contracts.DISSIMILARITY),
            towers=contracts.read_csv(run(File.TOWERS), contracts.SITES),
            quality=contracts.read_csv(run(File.QUALITY), contracts.QUALITY),
            records=_read_parquet(records, contracts.TOWERS) if records else None,
            network_sites=every,
            drivers=contracts.read_csv(drivers, contracts.COMPARISON) if drivers else None,
            sensors=contracts.read_csv(sensors, contracts.SENSORS) if sensors else None,
            maps=_read_maps(run, description, reference) if gridded else None,
            timings=read_timings(Path(run.layout(File.BENCHMARKS))),
        )

    @property
    def metrics(self) -> pd.DataFrame:
        """Scores of all models, splits, towers, fluxes and scales (`contracts.METRICS`)."""
        return self.held_out.metrics

    @property
    def split(self) -> str:
        """The split with the inputs of the maps."""
        return self.held_out.calibration.split or min(self.metrics["split"])

    @property
    def map_metrics(self) -> pd.DataFrame:
        """Scores of the maps' model with the inputs of the maps."""
        return self.metrics[(self.metrics["model"] == self.description.map_model) & (self.metrics["split"] == self.split)]

    @property
    def period(self) -> str:
        """The mapped years in words."""
        labels = self.description.labels
        if labels == ("climatology",):
            return "a mean year"
        return labels[0] if len(labels) == 1 else f"{labels[0]}–{labels[-1]}"

    @cached_property
    def basemap(self) -> Basemap:
        """Background of every map; without grids, or of a region, the land share at one degree."""
        window = self.maps.summed.grid if self.maps and self.maps.summed.grid.window else None
        if self.maps is None or window:
            with landmask.mask_file().open("rb") as handle:
                return replace(draw_basemap(landmask.land_share(handle, 1.0), Grid(1.0)), window=window)
        summed = self.maps.summed
        return draw_basemap(summed.land_fraction, summed.grid, np.isfinite(summed.fluxes["gpp"].mean.mean()))

    @property
    def world(self) -> Basemap:
        """Background of maps of towers, which stand anywhere even if a region is mapped."""
        return replace(self.basemap, window=None)

    @cached_property
    def scored(self) -> pd.DataFrame:
        """Scored predictions of the maps' model, all splits."""
        scored = self.predictions[pairs.is_scored(self.predictions, qc=self.description.qc)]
        return scored[scored["model"] == self.description.map_model]

    @cached_property
    def site_means(self) -> pd.DataFrame:
        """Means of towers by the maps' model, with their climate."""
        means = pairs_by_scale(self.scored, step=self.description.step)["site"]
        return means.merge(self.towers[["site", "igbp", "koppen"]], on="site", how="left")

    def interannual(self) -> dict[str, Interval]:
        """Skill of the maps' model in the anomalies of years at held-out towers, by flux; a constant has none."""
        years = pairs_by_scale(self.scored[self.scored["split"] == self.split], step=self.description.step)["year"]
        return {str(flux): interannual_skill(rows, self.held_out.groups) for flux, rows in years.groupby("flux", observed=True)}

    def spatial_skill(self) -> dict[tuple[str, str], Interval]:
        """NSE of site means per (split, flux)."""
        parts = self.site_means.groupby(["split", "flux"], observed=True)
        return {key: spatial_skill(rows, self.held_out.groups) for key, rows in parts}


def split_at_towers(rows: pd.DataFrame) -> pd.DataFrame:
    """Mark the splits of a run without grids: its only inputs were measured at towers."""
    return rows.assign(split=rows["split"].astype(str) + ":tower")


def _read_parquet(path: str, schema: pa.DataFrameSchema) -> pd.DataFrame:
    return contracts.check_table(pd.read_parquet(files.verified(path)), schema, where=path)


def _read_maps(run: RunFiles, description: RunDescription, reference: Reference) -> MapResults:
    coverage = run.find(File.TRUTH_COVERAGE)
    return MapResults(
        summed=SummedMaps.read(run, description.labels, reference, step=description.step),
        applicability=Applicability.read(run(File.APPLICABILITY)),
        budgets=contracts.read_csv(run(File.BUDGETS), contracts.BUDGETS),
        choices=read_choices(run, description),
        truth_coverage=contracts.read_csv(coverage, contracts.TRUTH_COVERAGE) if coverage else None,
        compared=ProductComparisons.read(run, description.compared),
        independent=IndependentTowers.read(run),
    )


def read_choices(run: RunFiles, description: RunDescription) -> dict[str, pd.DataFrame]:
    """Read the budgets of each choice of a run."""
    return {name: contracts.read_csv(run.choice(name)(File.BUDGETS), contracts.BUDGETS) for name in description.choices}


def read_timings(folder: Path) -> Timings:
    """Read the seconds and memory of each job by rule."""
    timings: dict[str, list[tuple[float, float]]] = {}
    for file in sorted(folder.rglob("*.tsv")):
        rule = file.relative_to(folder).parts[0].removesuffix(".tsv")
        row = read_benchmark(file)
        timings.setdefault(rule, []).append((row["s"], row["max_rss"]))
    return timings

"""Stage of the scores: predictions of members at held-out towers in, predictions, scores and calibration out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import calendar, classes, contracts, files
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.evaluation import pairs
from tamrl.evaluation.compare import compare_models, score_smaller_ensembles, skill_sentence, spatial_skill
from tamrl.evaluation.metrics import score_quantiles, score_towers
from tamrl.evaluation.reliability import reliability_by_group, score_intervals
from tamrl.evaluation.scales import pairs_by_scale
from tamrl.sections.results import ScoringProtocol
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration, SiteMeanSkill
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def evaluate_models(
    *,
    members: list[str],
    towers: str,
    predictions: str,
    metrics: str,
    calibration: str,
    scores: str,
    comparisons: str,
    reliability: str,
    protocol: ScoringProtocol,
    samples: str | None = None,
) -> None:
    """Score every model at the towers it has not seen, and calibrate the intervals of the maps.

    Parameters
    ----------
    members, towers : paths
        `evaluation/members/{model}-{drivers}.parquet`, and `towers/towers.csv`.
    predictions, metrics, scores, comparisons, reliability : outputs
        By `contracts.PREDICTIONS`, `METRICS`, `SCORES`, `COMPARISONS` and `RELIABILITY`. Their column `split` is the scheme
        for inputs from the grid and `<scheme>:tower` for inputs measured at the tower.
    calibration : A `Calibration`, whose coverage is that of folds calibrated on the others
    protocol : how models are scored
    samples : `samples/grid.nc`, whose `koppen_class` stands in for towers whose metadata name no climate

    Raises
    ------
    ContractError
        If members differ in their steps, a tower is unknown, or nothing can be scored.
    """
    sites = _fill_climate(contracts.read_csv(towers, contracts.SITES), samples)
    frame, smaller = _read_members(members, sites, protocol)
    if unknown := set(frame["site"].unique()) - set(sites["site"]):
        raise ContractError("predicted towers are not in the table of towers", where=towers, found=sorted(unknown)[:5])
    scored = frame[_scored_rows(frame, protocol.qc)]
    _calibrate(scored, protocol).write(calibration)
    table = score_towers(scored, sites, step=protocol.step)
    tables = (
        (metrics, table[list(contracts.METRICS.columns)], contracts.METRICS),
        (scores, score_quantiles(table, sites), contracts.SCORES),
        (comparisons, _compare(table, smaller, protocol), contracts.COMPARISONS),
        (reliability, _reliability(scored), contracts.RELIABILITY),
    )
    for path, content, schema in tables:
        contracts.write_table(path, content, schema, virtual=protocol.virtual)
    with files.atomic(predictions) as part:
        rows = contracts.check_table(frame[list(contracts.PREDICTIONS.columns)], contracts.PREDICTIONS, where=predictions)
        rows.to_parquet(part, index=False)


def _fill_climate(sites: pd.DataFrame, samples: str | None) -> pd.DataFrame:
    """Take the climate of the grid for towers whose metadata name none; it may be missing in the grid too."""
    if samples is None:
        return sites
    with xr.open_dataset(files.verified(samples)) as ds:
        grid = pd.Series(ds["koppen_class"].values.astype(str), index=ds["site"].values.astype(str))
    return sites.assign(koppen=sites["koppen"].where(sites["koppen"].notna(), sites["site"].map(grid[grid.isin(classes.KOPPEN)])))


def _read_members(
    paths: Sequence[str], sites: pd.DataFrame, protocol: ScoringProtocol
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Combine the members of all models, and score smaller ensembles of the maps' model by kind of inputs."""
    parts, smaller = [], []
    for path in sorted(paths):
        members = pairs.check_members(pd.read_parquet(files.verified(path)), where=path)
        parts.append(_combine(members, path, sites, protocol))
        if members["model"].iloc[0] == protocol.map_model:
            errors = score_smaller_ensembles(members, qc=protocol.qc)
            smaller.append(errors.assign(split=parts[-1]["split"].iloc[0], scale=protocol.step))
    return pd.concat(parts, ignore_index=True), smaller


def _combine(members: pd.DataFrame, path: str, sites: pd.DataFrame, protocol: ScoringProtocol) -> pd.DataFrame:
    """Combine one file of checked members, with intervals by season and class."""
    frame = pairs.combine_members(members, where=path)
    drivers = frame["drivers"].unique()
    if len(drivers) != 1 or frame["model"].nunique() != 1:
        raise ContractError("a file of members holds one model and one kind of drivers", where=path, found=list(drivers))
    towers = sites.set_index("site").reindex(frame["site"])
    frame = frame.assign(
        split=pairs.split_name(protocol.scheme, drivers[0] if protocol.gridded else "grid"),
        season=calendar.season(frame["date"].dt.month.to_numpy(), towers["lat"].to_numpy()),
        igbp=towers["igbp"].to_numpy(object),
    )
    good = (frame["qc"] >= protocol.qc) & frame["observed"].notna()
    _log.info("%s: %d steps, %d of them scored", Path(path).name, len(frame), good.sum())
    return pairs.add_intervals(frame, good=good)


def _scored_rows(frame: pd.DataFrame, qc: float) -> pd.Series:
    scored = pairs.is_scored(frame, qc=qc)
    good = (frame["qc"] >= qc) & frame["observed"].notna()
    if lost := int((good & ~scored).sum()):
        _log.warning("%d of %d good observations are not scored: a model has no prediction there", lost, good.sum())
    if not scored.any():
        raise ContractError("nothing can be scored", found=f"{len(frame)} predictions, none with quality >= {qc}")
    return scored


def _compare(table: pd.DataFrame, smaller: Sequence[pd.DataFrame], protocol: ScoringProtocol) -> pd.DataFrame:
    """Compare the full ensemble with its rivals, then with its first members."""
    model, step = protocol.map_model, protocol.step
    parts = [compare_models(table[list(contracts.METRICS.columns)], model=model, targets=protocol.targets, step=step)]
    parts += [compare_models(errors, model=model, targets=(), step=step) for errors in smaller]
    return pd.concat(parts, ignore_index=True)


def _reliability(scored: pd.DataFrame) -> pd.DataFrame:
    """Score the intervals of each model, and intervals from its residuals only, which every model has."""
    parts = []
    for _, rows in scored.groupby(["model", "split"], observed=True):
        columns = [*conformal.KEYS, "fold", "model", "split", *conformal.STRATA]
        residuals = conformal.cross_fit(rows.assign(spread=np.nan)[columns])
        parts += [score_intervals(rows).assign(intervals="members")] if rows["spread"].notna().any() else []
        parts.append(score_intervals(residuals).assign(intervals="residuals"))
    return reliability_by_group(pd.concat(parts, ignore_index=True))


def _calibrate(scored: pd.DataFrame, protocol: ScoringProtocol) -> Calibration:
    """Calibrate the model of the maps and state its skill, with inputs from the grid or, without these, from the tower."""
    model = protocol.map_model
    ours = scored[scored["model"] == model]
    splits = list(ours["split"].unique())
    if not splits:
        raise ContractError(f"the model of the maps, {model!r}, was not evaluated", found=sorted(scored["model"].unique()))
    split = protocol.scheme if protocol.scheme in splits else splits[0]
    ours = ours[ours["split"] == split]
    means = pairs_by_scale(scored, step=protocol.step)["site"]
    mapped = means[(means["model"] == model) & (means["split"] == split)]
    return Calibration(
        **{flux: conformal.fit_table(ours, flux) for flux in FLUXES},
        model=model,
        split=split,
        coverage={flux: conformal.coverage(ours[ours["flux"] == flux]) for flux in FLUXES},
        skill={flux: skill_sentence(spatial_skill(mapped[mapped["flux"] == flux])) for flux in FLUXES},
        site_means=_site_mean_skill(means),
    )


def _site_mean_skill(means: pd.DataFrame) -> tuple[SiteMeanSkill, ...]:
    """R² of site means of every model, split and flux."""
    groups = means.groupby(["model", "split", "flux"], observed=True)
    intervals = {key: spatial_skill(rows) for key, rows in groups}
    return tuple(
        SiteMeanSkill(
            model=model, split=split, flux=flux, r2=_or_none(r.estimate), low=_or_none(r.low), high=_or_none(r.high), n=r.n
        )
        for (model, split, flux), r in intervals.items()
    )


def _or_none(value: float) -> float | None:
    """Return the number, None for NaN, which JSON lacks."""
    return None if np.isnan(value) else value

"""Stage of the scores: predictions of members at held-out towers in, predictions, scores and calibration out."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import xarray as xr

from tamrl import calendar, classes, contracts, escaping, files, simulated
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.evaluation import comparisons as compare
from tamrl.evaluation import distribution, normalised, pairs, scales, skill
from tamrl.evaluation import metrics as pair_scores
from tamrl.evaluation import reliability as certainty
from tamrl.sections.results import Target
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration, SiteMeanSkill
from tamrl.workflow import stage

logger = logging.getLogger(__name__)

SUMMARISED = (*pair_scores.SCORES, *normalised.SCORES)
"""Scores whose spread over the towers is written."""


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
    scheme: str,
    qc: float,
    map_model: str,
    step: str,
    targets: tuple[Target, ...],
    gridded: bool = True,
    samples: str | None = None,
    virtual: bool = False,
) -> None:
    """Score every model at the towers it has not seen, and calibrate the intervals of the maps.

    Parameters
    ----------
    members, towers : paths
        `evaluation/members/{model}-{drivers}.parquet`, and `towers/towers.csv`.
    predictions, metrics, calibration : path
        Outputs by `contracts.PREDICTIONS`, `contracts.METRICS` and `Calibration`, whose coverage is that of folds that are
        calibrated on the others. Their column `split` is the scheme for inputs from the grid, and `<scheme>:tower` for inputs
        measured at the tower.
    scores, comparisons, reliability : outputs by `contracts.SCORES`, `contracts.COMPARISONS` and `contracts.RELIABILITY`
    scheme, map_model : str
        How towers were held out; the model of the maps, whose calibration with inputs from the grid is the one written.
    qc : float
        Steps with a lower NEE quality, or none, are predicted but not scored and not calibrated on.
    step, targets : {"day", "month"}, and `evaluation.targets` of the configuration
    gridded : bool
        Whether the run has gridded drivers; where the towers' own are all there is, the split is the scheme.
    samples : path, optional
        `samples/grid.nc`, whose `koppen_class` stands in for towers whose metadata name no climate.
    virtual : whether the inputs were simulated; the tables of scores say so then (`simulated.COLUMN`)

    Raises `ContractError` if members differ in their steps, a tower is unknown, or nothing can be scored.
    """
    sites = _with_climate(contracts.read_csv(towers, contracts.SITES), samples)
    frame, smaller = _read(members, sites, scheme, qc, gridded, map_model)
    _check_known(frame, sites, towers)
    scored = frame[_scored(frame, qc)]
    _calibration(scored, map_model=map_model, scheme=scheme, step=step).write(calibration)
    table = pairs.site_metrics(scored, sites, step=step)
    tables = {
        metrics: (table[list(contracts.METRICS.columns)], contracts.METRICS),
        scores: (distribution.summary(table, sites, scores=SUMMARISED), contracts.SCORES),
        comparisons: (_changes(table, smaller, map_model, targets, step), contracts.COMPARISONS),
        reliability: (_reliability(scored), contracts.RELIABILITY),
    }
    for path, (content, schema) in tables.items():
        _write(simulated.label_table(content, virtual), schema, path)
    _write_predictions(frame[list(contracts.PREDICTIONS.columns)], predictions)


def _changes(
    table: pd.DataFrame, smaller: list[pd.DataFrame], map_model: str, targets: tuple[Target, ...], step: str
) -> pd.DataFrame:
    """Changes against the rivals of the whole ensemble, then of its smaller parts."""
    found = [compare.changes(table[list(contracts.METRICS.columns)], model=map_model, targets=targets, step=step)]
    found += [compare.changes(errors.assign(scale=step), model=map_model, targets=(), step=step) for errors in smaller]
    return pd.concat(found, ignore_index=True)


def _write_predictions(frame: pd.DataFrame, path: str) -> None:
    with files.atomic(path) as part:
        contracts.check_table(frame, contracts.PREDICTIONS, where=path).to_parquet(part, index=False)


def _check_known(frame: pd.DataFrame, sites: pd.DataFrame, towers: str) -> None:
    if unknown := set(frame["site"].unique()) - set(sites["site"]):
        raise ContractError("predicted towers are not in the table of towers", where=towers, found=sorted(unknown)[:5])


def _read(
    members: list[str], sites: pd.DataFrame, scheme: str, qc: float, gridded: bool, map_model: str
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """All models combined and with intervals, and the errors of smaller ensembles of the maps' model by kind of inputs."""
    parts, smaller = [], []
    for path in sorted(members):
        own = pairs.check_members(pd.read_parquet(files.verified(path)), where=path)
        parts.append(_combined(own, path, sites, scheme, qc, gridded))
        if own["model"].iloc[0] == map_model:
            smaller.append(compare.smaller(own, qc=qc).assign(split=parts[-1]["split"].iloc[0]))
    return pd.concat(parts, ignore_index=True), smaller


def _write(table: pd.DataFrame, schema: pa.DataFrameSchema, path: str) -> None:
    with files.atomic(path) as part:
        escaping.write_csv(contracts.check_table(table, schema, where=path), part)


def _reliability(scored: pd.DataFrame) -> pd.DataFrame:
    """Every model with the intervals it delivers, and with intervals from its residuals alone, as any model could have."""
    found = []
    for _, rows in scored.groupby(["model", "split"], observed=True):
        plain = conformal.cross_fit(rows.assign(spread=np.nan)[[*conformal.KEYS, "fold", "model", "split", *conformal.STRATA]])
        for name, frame in (("members", rows), ("residuals", plain)):
            if name == "residuals" or rows["spread"].notna().any():
                found.append(certainty.of_steps(frame).assign(intervals=name))
    return certainty.table(pd.concat(found, ignore_index=True))


def _with_climate(sites: pd.DataFrame, samples: str | None) -> pd.DataFrame:
    """Climate of the grid where the metadata name none; what the grid does not know stays missing."""
    if samples is None:
        return sites
    with xr.open_dataset(files.verified(samples)) as ds:
        grid = pd.Series(ds["koppen_class"].values.astype(str), index=ds["site"].values.astype(str))
    return sites.assign(koppen=sites["koppen"].where(sites["koppen"].notna(), sites["site"].map(grid[grid.isin(classes.KOPPEN)])))


def _combined(members: pd.DataFrame, path: str, sites: pd.DataFrame, scheme: str, qc: float, gridded: bool) -> pd.DataFrame:
    """One file of checked members, combined and with intervals by season and class."""
    frame = pairs.combine(members, where=path)
    drivers = frame["drivers"].unique()
    if len(drivers) != 1 or frame["model"].nunique() != 1:
        raise ContractError("a file of members holds one model and one kind of drivers", where=path, found=list(drivers))
    about = sites.set_index("site").reindex(frame["site"])
    season = calendar.season(frame["date"].dt.month.to_numpy(), about["lat"].to_numpy())
    kinds = {"season": season, "igbp": about["igbp"].to_numpy(object)}
    frame = frame.assign(split=pairs.split_name(scheme, drivers[0] if gridded else "grid"), **kinds)
    judged = (frame["qc"] >= qc) & frame["observed"].notna()
    logger.info("%s: %d steps, %d of them scored", Path(path).name, len(frame), judged.sum())
    return pairs.intervals(frame, judged=judged)


def _scored(frame: pd.DataFrame, qc: float) -> pd.Series:
    scored = pairs.is_scored(frame, qc=qc)
    wanted = (frame["qc"] >= qc) & frame["observed"].notna()
    if lost := int((wanted & ~scored).sum()):
        logger.warning("%d of %d good observations are not scored: a model has no prediction there", lost, wanted.sum())
    if not scored.any():
        raise ContractError("nothing can be scored", found=f"{len(frame)} predictions, none with quality >= {qc}")
    return scored


def _calibration(scored: pd.DataFrame, *, map_model: str, scheme: str, step: str) -> Calibration:
    """Calibration of the model of the maps, with inputs from the grid or, where there are none, from the tower."""
    ours = scored[scored["model"] == map_model]
    splits = list(ours["split"].unique())
    if not splits:
        raise ContractError(f"the model of the maps, {map_model!r}, was not evaluated", found=sorted(scored["model"].unique()))
    split = scheme if scheme in splits else splits[0]
    ours = ours[ours["split"] == split]
    means = scales.scales(scored, step=step)["site"]
    table = tuple(
        SiteMeanSkill(
            model=model, split=group, flux=flux, r2=_finite(r.estimate), low=_finite(r.low), high=_finite(r.high), n=r.n
        )
        for (model, group, flux), rows in means.groupby(["model", "split", "flux"], observed=True)
        for r in [skill.of_site_means(rows)]
    )
    found = means[(means["model"] == map_model) & (means["split"] == split)]
    return Calibration(
        **{flux: conformal.fit_table(ours, flux) for flux in FLUXES},
        model=map_model,
        split=split,
        coverage={flux: conformal.coverage(ours[ours["flux"] == flux]) for flux in FLUXES},
        skill={flux: skill.sentence(skill.of_site_means(found[found["flux"] == flux])) for flux in FLUXES},
        site_means=table,
    )


def _finite(value: float) -> float | None:
    """The number; None where it is NaN, which JSON does not know."""
    return None if np.isnan(value) else float(value)

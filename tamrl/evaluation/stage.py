"""Stage of the scores: predictions of members at held-out towers in, predictions, scores and calibration out."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import calendar, classes, contracts, files
from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.evaluation import pairs
from tamrl.evaluation.bootstrap import MIN_GROUPS, TowerGroups, rank_correlation, resample_groups
from tamrl.evaluation.compare import compare_models, score_smaller_ensembles, skill_sentence, spatial_skill
from tamrl.evaluation.metrics import score_quantiles, score_towers
from tamrl.evaluation.reliability import (
    ALONE,
    can_calibrate,
    gaussian_interval,
    join_reliability,
    mean_by_group,
    score_intervals,
    tower_thirds,
)
from tamrl.evaluation.scales import map_means, pairs_by_scale
from tamrl.sections.results import ScoringProtocol
from tamrl.uncertainty import conformal, noise
from tamrl.uncertainty.calibration import Calibration, RankCorrelation, Scale, ScaleCalibration, SiteMeanSkill
from tamrl.uncertainty.error_model import ErrorModel, fit_flux_errors
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def evaluate_models(
    *,
    members: list[str],
    towers: str,
    splits: str,
    predictions: str,
    metrics: str,
    calibration: str,
    scores: str,
    comparisons: str,
    reliability: str,
    protocol: ScoringProtocol,
    samples: str | None = None,
    dissimilarity: str | None = None,
) -> None:
    """Score every model at the towers it has not seen, and calibrate the intervals of the maps.

    Parameters
    ----------
    members, towers, splits : paths
        `evaluation/members/{model}-{drivers}.parquet`, `towers/towers.csv`, and `samples/splits.csv`, whose groups of
        neighbouring towers are the units of all intervals.
    predictions, metrics, scores, comparisons, reliability : outputs
        By `contracts.PREDICTIONS`, `METRICS`, `SCORES`, `COMPARISONS` and `RELIABILITY`. Their column `split` is the scheme
        for inputs from the grid and `<scheme>:tower` for inputs measured at the tower.
    calibration : A `Calibration`, whose coverage is that of folds calibrated on the others
    protocol : how models are scored
    samples : `samples/grid.nc`, whose `koppen_class` stands in for towers whose metadata name no climate
    dissimilarity : table of `contracts.DISSIMILARITY`, by which coverage and errors are told apart

    Raises
    ------
    ContractError
        If members differ in their steps, a tower is unknown, or nothing can be scored.
    """
    sites = _with_dissimilarity(_fill_climate(contracts.read_csv(towers, contracts.SITES), samples), dissimilarity)
    groups = TowerGroups.read(splits)
    frame, mapped = _read_members(members, sites, groups, protocol)
    _check_towers(frame, sites, where=towers)
    good = _scored_rows(frame, protocol.qc)
    scored = frame[good]
    means = {split: model.means(frame, good, step=protocol.step) for split, model in mapped.items()}
    table = score_towers(scored, sites, step=protocol.step)
    of_maps = _calibrate(scored, means, table, sites, groups, protocol)
    of_maps.model_copy(update={"errors": _relate_errors(scored, means, sites, of_maps)}).write(calibration)
    tables = (
        (metrics, table[list(contracts.METRICS.columns)], contracts.METRICS),
        (scores, score_quantiles(table, sites), contracts.SCORES),
        (comparisons, _compare(table, mapped.values(), groups, protocol), contracts.COMPARISONS),
        (reliability, _reliability(scored, means, protocol.step), contracts.RELIABILITY),
    )
    for path, content, schema in tables:
        contracts.write_table(path, content, schema, virtual=protocol.virtual)
    with files.atomic(predictions) as part:
        rows = pairs.as_texts(frame[list(contracts.PREDICTIONS.columns)])
        rows = contracts.check_table(rows, contracts.PREDICTIONS, where=predictions)
        rows.to_parquet(part, index=False)


def _check_towers(frame: pd.DataFrame, sites: pd.DataFrame, *, where: str) -> None:
    if unknown := set(frame["site"].unique()) - set(sites["site"]):
        raise ContractError("predicted towers are not in the table of towers", where=where, found=sorted(unknown)[:5])


def _fill_climate(sites: pd.DataFrame, samples: str | None) -> pd.DataFrame:
    """Take the climate of the grid for towers whose metadata name none; it may be missing in the grid too."""
    if samples is None:
        return sites
    with xr.open_dataset(files.verified(samples)) as ds:
        grid = pd.Series(ds["koppen_class"].values.astype(str), index=ds["site"].values.astype(str))
    return sites.assign(koppen=sites["koppen"].where(sites["koppen"].notna(), sites["site"].map(grid[grid.isin(classes.KOPPEN)])))


def _with_dissimilarity(sites: pd.DataFrame, table: str | None) -> pd.DataFrame:
    """Add the dissimilarity of each tower from its training towers, missing where it is not known."""
    if table is None:
        return sites.assign(dissimilarity=np.nan)
    known = contracts.read_csv(table, contracts.DISSIMILARITY).set_index("site")["dissimilarity"]
    return sites.assign(dissimilarity=sites["site"].map(known))


@dataclass(frozen=True, eq=False)
class _Mapped:
    """The model of the maps with one kind of inputs, member by member."""

    model: str
    split: str
    fluxes: np.ndarray
    """Array (member, row), gC m-2 d-1; rows as those of the model and the split in the table of all models."""
    smaller: pd.DataFrame
    """Errors of ensembles of its first members."""

    def means(self, frame: pd.DataFrame, good: pd.Series, *, step: Step) -> dict[Scale, pd.DataFrame]:
        """Means of the scored steps as the files of the maps are averaged (`map_means`), each fold calibrated on the others.

        Scales that cannot be calibrated are left out.
        """
        ours = ((frame["model"] == self.model) & (frame["split"] == self.split)).to_numpy()
        scored = good.to_numpy()[ours]
        means = map_means(frame[ours][scored], self.fluxes[:, scored], step=step)
        return {scale: conformal.cross_fit(rows, group="group") for scale, rows in means.items() if can_calibrate(rows)}


def _read_members(
    paths: Sequence[str], sites: pd.DataFrame, groups: TowerGroups, protocol: ScoringProtocol
) -> tuple[pd.DataFrame, dict[str, _Mapped]]:
    """Combine the members of all models; keep those of the model of the maps too, by split."""
    parts, mapped = [], {}
    for path in sorted(paths):
        members = pairs.check_members(pd.read_parquet(files.verified(path)), where=path)
        parts.append(_combine(members, path, sites, groups, protocol))
        if (model := members["model"].iloc[0]) == protocol.map_model:
            split, fluxes = parts[-1]["split"].iloc[0], members["predicted"].to_numpy("f8").reshape(-1, len(parts[-1]))
            smaller = score_smaller_ensembles(members, qc=protocol.qc).assign(split=split, scale=protocol.step)
            mapped[split] = _Mapped(model, split, fluxes, smaller)
    return pairs.stack(parts), mapped


def _combine(
    members: pd.DataFrame, path: str, sites: pd.DataFrame, groups: TowerGroups, protocol: ScoringProtocol
) -> pd.DataFrame:
    """Combine one file of checked members, with intervals by season and class."""
    frame = pairs.combine_members(members, where=path)
    drivers = frame["drivers"].unique()
    if len(drivers) != 1 or frame["model"].nunique() != 1:
        raise ContractError("a file of members holds one model and one kind of drivers", where=path, found=list(drivers))
    of_row, names = frame["site"].cat.codes.to_numpy(), frame["site"].cat.categories
    towers = sites.set_index("site").reindex(names)
    lat, split = towers["lat"].to_numpy()[of_row], pairs.split_name(protocol.scheme, drivers[0] if protocol.gridded else "grid")
    frame = frame.assign(
        split=pd.Categorical.from_codes(np.zeros(len(frame), dtype="i1"), [split]),
        season=calendar.season(frame["date"].dt.month.to_numpy(), lat),
        igbp=pd.Categorical(towers["igbp"]).take(of_row),
        lat=lat,
        dissimilarity=towers["dissimilarity"].to_numpy()[of_row],
        group=groups.of(names)[of_row],
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


def _compare(table: pd.DataFrame, mapped: Iterable[_Mapped], groups: TowerGroups, protocol: ScoringProtocol) -> pd.DataFrame:
    """Compare the full ensemble with its rivals, then with its first members."""
    model, step = protocol.map_model, protocol.step
    parts = [compare_models(table[list(contracts.METRICS.columns)], groups, model=model, targets=protocol.targets, step=step)]
    parts += [compare_models(of_split.smaller, groups, model=model, targets=(), step=step) for of_split in mapped]
    return pd.concat(parts, ignore_index=True)


def _reliability(scored: pd.DataFrame, means: Mapping[str, Mapping[Scale, pd.DataFrame]], step: Step) -> pd.DataFrame:
    """Score the intervals of each model, and intervals from its residuals only, which every model has.

    At scales coarser than the step those of the model of the maps alone.
    """
    third, parts = tower_thirds(scored), []
    for _, rows in scored.groupby(["model", "split"], observed=True):
        columns = [*conformal.KEYS, "group", "fold", "model", "split", "lat", "dissimilarity", *conformal.STRATA]
        residuals = conformal.cross_fit(rows.assign(spread=np.nan)[columns], group="group")
        parts += [mean_by_group(steps, third) for steps in _with_spread(rows, step)]
        parts.append(mean_by_group(_label(score_intervals(residuals), "residuals", step), third))
    for by_scale in means.values():
        for scale, rows in by_scale.items():
            parts += [mean_by_group(steps, third) for steps in _with_spread(rows, scale)]
    return join_reliability(parts)


def _label(steps: pd.DataFrame, intervals: str, scale: Scale) -> pd.DataFrame:
    one = np.zeros(len(steps), dtype="i1")
    return steps.assign(intervals=pd.Categorical.from_codes(one, [intervals]), scale=pd.Categorical.from_codes(one, [scale]))


def _with_spread(calibrated: pd.DataFrame, scale: Scale) -> Iterator[pd.DataFrame]:
    """Yield scores of the calibrated intervals, and of what the spread of the members says alone; none without spread."""
    if calibrated["spread"].isna().all():
        return
    spread = calibrated["spread"]
    alone = calibrated.assign(std=spread, **gaussian_interval(calibrated["predicted"], spread))
    kinds = {"members": calibrated, ALONE: alone}
    for kind, frame in kinds.items():
        yield _label(score_intervals(frame), kind, scale)


def _calibrate(
    scored: pd.DataFrame,
    means: Mapping[str, Mapping[Scale, pd.DataFrame]],
    metrics: pd.DataFrame,
    sites: pd.DataFrame,
    groups: TowerGroups,
    protocol: ScoringProtocol,
) -> Calibration:
    """Calibrate the model of the maps and state its skill, with inputs from the grid or, without these, from the tower."""
    model, step = protocol.map_model, protocol.step
    ours = scored[scored["model"] == model]
    splits = list(ours["split"].unique())
    if not splits:
        raise ContractError(f"the model of the maps, {model!r}, was not evaluated", found=sorted(scored["model"].unique()))
    split = protocol.scheme if protocol.scheme in splits else splits[0]
    ours = ours[ours["split"] == split]
    tables: dict[Scale, pd.DataFrame] = {step: ours} | dict(means[split])
    of_sites = pairs_by_scale(scored, step=step)["site"]
    mapped = of_sites[(of_sites["model"] == model) & (of_sites["split"] == split)]
    return Calibration(
        step=step,
        scales=_calibrate_scales(tables, step),
        model=model,
        split=split,
        coverage={
            scale: {flux: conformal.coverage(rows[rows["flux"] == flux]) for flux in FLUXES} for scale, rows in tables.items()
        },
        skill={flux: skill_sentence(spatial_skill(mapped[mapped["flux"] == flux], groups)) for flux in FLUXES},
        site_means=_site_mean_skill(of_sites, groups),
        dissimilarity=_rank_by_dissimilarity(
            metrics[(metrics["model"] == model) & (metrics["split"] == split) & (metrics["scale"] == step)], sites, groups
        ),
    )


def _calibrate_scales(tables: Mapping[Scale, pd.DataFrame], step: Step) -> dict[Scale, ScaleCalibration]:
    """Calibrate every scale; the noise of days is known where they are the steps, and less in the mean of many."""
    steps = tables[step]
    of_day = {flux: noise.day_noise(steps[steps["flux"] == flux]) if step == "day" else 0.0 for flux in FLUXES}
    result = {}
    for scale, rows in tables.items():
        fitted = {}
        for flux in FLUXES:
            means = rows[rows["flux"] == flux]
            share = noise.flux_share(means, of_day[flux])
            fitted[flux] = conformal.fit_table(means, flux, group="group").model_copy(update={"flux_share": share})
        result[scale] = ScaleCalibration(**fitted)
    return result


def _rank_by_dissimilarity(metrics: pd.DataFrame, sites: pd.DataFrame, groups: TowerGroups) -> dict[str, RankCorrelation]:
    """Whether a model errs more at towers that are unlike its training towers; none without dissimilarities."""
    both = metrics.merge(sites[["site", "dissimilarity"]].dropna(), on="site")
    result = {}
    for flux, rows in both.groupby("flux", observed=True):
        if len(rows) >= MIN_GROUPS:
            pairs = rows[["dissimilarity", "rmse"]].to_numpy(float)
            interval = resample_groups(pairs, groups.of(rows["site"]), rank_correlation)
            ends = {"low": _or_none(interval.low), "high": _or_none(interval.high)}
            result[str(flux)] = RankCorrelation(estimate=interval.estimate, n=interval.n, groups=interval.groups, **ends)
    return result


def _relate_errors(
    scored: pd.DataFrame, means: Mapping[str, Mapping[Scale, pd.DataFrame]], sites: pd.DataFrame, calibration: Calibration
) -> ErrorModel:
    """Learn how the monthly errors of the model of the maps belong together."""
    ours = scored[(scored["model"] == calibration.model) & (scored["split"] == calibration.split)]
    months = ours if calibration.step == "month" else means[calibration.split or ""].get("month", ours[:0])
    fluxes = {}
    for flux in FLUXES:
        of_flux = months[months["flux"] == flux]
        share = calibration.at("month", flux).calibration.flux_share
        fluxes[flux] = fit_flux_errors(of_flux.assign(std=share * of_flux["std"]), sites)
    return ErrorModel(**fluxes)


def _site_mean_skill(means: pd.DataFrame, groups: TowerGroups) -> tuple[SiteMeanSkill, ...]:
    """NSE of site means of every model, split and flux."""
    parts = means.groupby(["model", "split", "flux"], observed=True)
    skills = {key: spatial_skill(rows, groups) for key, rows in parts}
    return tuple(
        SiteMeanSkill(
            **dict(zip(("model", "split", "flux"), key, strict=True)),
            n=skill.n,
            groups=skill.groups,
            r2=_or_none(skill.estimate),
            low=_or_none(skill.low),
            high=_or_none(skill.high),
        )
        for key, skill in skills.items()
    )


def _or_none(value: float) -> float | None:
    """Return the number, None for NaN, which JSON lacks."""
    return None if np.isnan(value) else value

"""Which setting of each model errs least at held-out towers, compared with the setting of the configuration."""

import json
import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from tamrl import contracts, files, simulated
from tamrl.benchmarks import read_benchmark
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.evaluation.bootstrap import TowerGroups, counted_mean, resample_groups
from tamrl.evaluation.pairs import check_members
from tamrl.layout import RunLayout
from tamrl.sections.search import SearchBudget, SearchRecord, Setting
from tamrl.sections.types import Share
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

ROWS = ["site", "flux", "date"]
HEAD = "# Settings chosen at held-out towers; lay this file over a run of another seed with --configfile.\n"


@stage
def choose_settings(
    *,
    members: list[str],
    splits: str,
    table: str,
    chosen: str,
    settings: list[Setting],
    search: SearchBudget,
    folder: str,
    qc: Share,
    seed: int,
    virtual: bool,
) -> None:
    """Score every setting, and write the best of each model as a configuration.

    Parameters
    ----------
    members : `evaluation/members/{model}_s{number}-{drivers}.parquet` of the settings that did not fail
    splits : by `contracts.SPLITS`, whose groups of towers are resampled
    table : output by `contracts.SEARCH`
    chosen : output, YAML with the keys `training` and `searched`
    settings : all settings of the run
    search : budget and known failures
    folder : folder of the run, with the times of its jobs
    qc : steps with a lower NEE quality, or none, are not scored
    seed, virtual : of the run
    """
    groups = TowerGroups.read(splits)
    paths = {Path(path).stem.rpartition("-")[0]: path for path in members}
    by_model = [list(alike) for _, alike in groupby(settings, key=lambda setting: setting.model)]
    rows = [row for alike in by_model for row in score_settings(alike, paths, groups, search, qc)]
    frame = pd.DataFrame(rows).assign(minutes=[_minutes(folder, setting, search) for setting in settings])
    contracts.write_table(table, frame[list(contracts.SEARCH.columns)], contracts.SEARCH, virtual=virtual)
    best = [setting for setting, row in zip(settings, rows, strict=True) if row["chosen"] == "yes"]
    with files.atomic(chosen) as part:
        part.write_text(chosen_configuration(best, search, seed=seed, virtual=virtual), encoding="utf-8")


def score_settings(
    settings: Sequence[Setting], paths: Mapping[str, str], groups: TowerGroups, search: SearchBudget, qc: float
) -> list[dict[str, object]]:
    """Rows of `contracts.SEARCH` without minutes, for the settings of one model, that of the configuration first.

    Parameters
    ----------
    settings : of one model, by number
    paths : file of the predictions of each setting that was trained, by its name
    groups : of the towers
    search : known failures
    qc : steps with a lower NEE quality, or none, are not scored

    Raises `ContractError` if the setting of the configuration failed: there is nothing to compare with.
    """
    first = settings[0]
    if first.name not in paths:
        raise ContractError(f"the setting of the configuration of {first.model} failed", found=search.failed.get(first.name))
    default = _predictions(paths[first.name])
    good = ((default["qc"] >= qc) & default["observed"].notna() & default["predicted"].notna()).to_numpy()
    if not good.any():
        raise ContractError("nothing can be scored", where=paths[first.name], found=f"no prediction with quality >= {qc}")
    reference, rows = _tower_errors(default[good]), []
    for setting in settings:
        row: dict[str, object] = {"model": setting.model, "setting": setting.number, "options": json.dumps(setting.searched)}
        row |= {"towers": 0, "groups": 0, "chosen": "no", "failure": search.failed.get(setting.name)}
        row |= dict.fromkeys(("score", "low", "high", *FLUXES), np.nan)
        if setting.name in paths:
            frame = _predictions(paths[setting.name])
            if not frame[ROWS].equals(default[ROWS]):
                raise ContractError("settings predict different steps", where=paths[setting.name], todo="predict them again")
            if missing := int(frame["predicted"][good].isna().sum()):
                row["failure"] = f"no prediction of {missing} of {good.sum()} scored fluxes"
            else:
                row |= _relative_errors(_tower_errors(frame[good]), reference, groups)
        rows.append(row)
    scores = np.nan_to_num([float(str(row["score"])) for row in rows], nan=np.inf)
    best = int(scores.argmin())
    rows[best if scores[best] < 1 else 0]["chosen"] = "yes"
    _log.info("%s: setting %d of %d, error %.3f of setting 0", first.model, best, len(rows), scores[best])
    return rows


def _predictions(path: str) -> pd.DataFrame:
    """Predictions of the one member of a setting."""
    frame = check_members(pd.read_parquet(files.verified(path)), where=path)
    if frame["member"].nunique() > 1:
        raise ContractError("a setting has one member", where=path, found=sorted(frame["member"].unique()))
    return frame


def _tower_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """RMSE (site, flux), gC m-2 d-1."""
    square = (rows["predicted"].astype("f8") - rows["observed"]) ** 2
    means = square.groupby([rows["site"].astype(str), rows["flux"].astype(str)]).mean()
    return np.sqrt(means).unstack("flux").reindex(columns=list(FLUXES))


def _relative_errors(errors: pd.DataFrame, reference: pd.DataFrame, groups: TowerGroups) -> dict[str, float]:
    """Errors over the reference's: geometric mean over the fluxes of a tower, then over towers, with an interval over groups."""
    ratio = np.log((errors / reference).where((errors > 0) & (reference > 0)))
    towers = ratio.mean(axis=1).dropna()
    interval = resample_groups(
        towers.to_numpy(), groups.of(towers.index), lambda rows, counts: np.exp(counted_mean(rows[:, 0], counts))
    )
    fluxes = {flux: float(value) for flux, value in np.exp(ratio.mean()).items()}
    return {"towers": interval.n, "groups": interval.groups} | interval.columns(("score", "low", "high")) | fluxes


def _minutes(folder: str, setting: Setting, search: SearchBudget) -> float:
    """Minutes that the trainings of a setting took, by Snakemake's benchmarks; NaN if one is not there."""
    layout = RunLayout.at(folder)
    tables = [Path(layout.benchmark("train_model", f"{setting.name}-{fold}-0")) for fold in search.folds]
    if not all(table.exists() for table in tables):
        return np.nan
    return float(sum(read_benchmark(table)["s"] for table in tables) / 60)


def chosen_configuration(best: Sequence[Setting], search: SearchBudget, *, seed: int, virtual: bool) -> str:
    """The chosen settings as YAML: searched options below `training`, the search itself below `searched`.

    Other options stay those of the configuration that the file is laid over.

    Parameters
    ----------
    best : the chosen setting of each model
    search : what every model was given
    seed, virtual : of the run
    """
    training: dict[str, object] = {s.model: s.searched for s in best if s.model == s.plugin}
    variants = {s.model: {"model": s.plugin, **s.searched} for s in best if s.model != s.plugin}
    training |= {"variants": variants} if variants else {}
    records = {
        s.model: SearchRecord(settings=search.settings, seed=seed, folds=search.folds, chosen=s.number).model_dump(mode="json")
        for s in best
    }
    head = HEAD + (f"# {simulated.STATEMENT}\n" if virtual else "")
    return head + yaml.safe_dump({"searched": records, "training": training}, sort_keys=False, width=120)

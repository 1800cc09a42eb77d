"""Stage of rule adapt_towers: every held-out tower predicted after adapting to a few months of it, and scores of the rest."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts
from tamrl.adaptation import cases, window
from tamrl.adaptation.cases import Case
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, verified
from tamrl.inference.decode import predict
from tamrl.inference.plan import Piece
from tamrl.plugins import Adapting
from tamrl.samples.splits import first_held_out
from tamrl.sections.results import Adaptation
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.training.memory import keep_freed_memory
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def adapt_towers(
    *,
    samples: str,
    splits: str,
    models: list[str],
    scores: str,
    predictions: str,
    model: str,
    adaptation: Adaptation,
    qc: float,
    spinup: int,
    virtual: bool = False,
) -> None:
    """Adapt the members of each fold to its held-out towers, tower by tower.

    Parameters
    ----------
    samples, splits : files of `contracts.check_samples` and `contracts.SPLITS`
    models : folders of the trained members of all folds
    scores : output, `contracts.ADAPTATION`
    predictions : output, Parquet: start, months (0: not adapted), method, site, date, flux, observed, qc, predicted, and `used`
        where the step was adapted to
    model : name of the model
    qc : smallest quality of fluxes that are adapted to and scored
    spinup : steps before the months that only fill the memory
    virtual : whether the inputs of the run were simulated; the table of scores says so then

    Raises
    ------
    ContractError
        If the split holds no tower out, or none has enough months.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    members = load_ensemble(models)
    spec = members[0].spec.inputs
    ds = contracts.check_samples(xr.load_dataset(verified(samples)), dynamic=spec.dynamic, static=spec.static, where=samples)
    split = contracts.read_csv(splits, contracts.SPLITS)
    if first_held_out(split, split["site"].to_numpy()) is not None:
        raise ContractError("adaptation needs towers that no model has seen", where=splits, todo="take another splits.scheme")
    fold_of = split.set_index("site")["fold"].reindex(ds["site"].values).to_numpy()
    scores_of_folds, tables = [], []
    for fold in sorted({m.spec.fold for m in members}):
        held_out = ds.isel(site=fold_of == fold)
        of_fold = [m for m in members if m.spec.fold == fold]
        if seen := set(held_out["site"].values) & {s for m in of_fold for s in m.spec.training.sites}:
            raise ContractError(f"fold {fold} was trained on towers it is to be adapted to", found=sorted(seen)[:5])
        if held_out.sizes["site"]:
            for scored, table in _fold(ds, held_out, of_fold, adaptation, qc=qc, spinup=spinup):
                scores_of_folds.append(scored.assign(model=model, fold=fold))
                tables.append(table.assign(fold=fold))
    if not sum(map(len, scores_of_folds)):
        raise ContractError("no held-out tower has the months to adapt to and steps left to score", where=splits)
    result = pd.concat(scores_of_folds, ignore_index=True)[list(contracts.ADAPTATION.columns)]
    contracts.write_table(scores, result, contracts.ADAPTATION, virtual=virtual)
    with atomic(predictions) as part:
        pd.concat(tables, ignore_index=True).to_parquet(part, index=False)
    _log.info("%s adapted at %d towers", model, result["site"].nunique())


def _fold(
    ds: xr.Dataset, held_out: xr.Dataset, members: list[Trained], adaptation: Adaptation, *, qc: float, spinup: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Scores and predictions of one fold, one pair for each start, number of months and method."""
    trained = [ds.sel(site=list(m.spec.training.sites)) for m in members]
    held = [cases.build_case(m, held_out, t, qc=qc, spinup=spinup) for m, t in zip(members, trained, strict=True)]
    steps = np.concatenate([np.arange(held[0].lead), np.arange(held_out.sizes["time"])])
    before = predict(members, held_out, Piece(steps, lead=0, skip=held[0].lead), batch=64, device=torch.device("cpu")).mean(0)
    good = held[0].weight.numpy() > 0  # (site, time, 3)
    time, lat = held_out["time"].values, held_out["lat"].values
    for start in adaptation.starts:
        first = [window.first_month(good[k].any(-1), time, lat=lat[k], start=start) for k in range(len(lat))]
        yield _score(held_out, before, before, np.zeros(good.shape[:2], bool), good, adaptation, start, 0, "none")
        for months in adaptation.months:
            inside = np.stack([window.in_window(time, f, months) if f is not None else np.zeros(len(time), bool) for f in first])
            for method in cases.adapting_methods(held[0], light=adaptation.light):
                after = _mean(held, method, inside, months, adaptation)
                yield _score(held_out, before, after, inside, good, adaptation, start, months, method)
                _log.info("%s, %d months, %s: %d towers", start, months, method, inside.any(1).sum())


def _mean(members: list[Case], method: Adapting, inside: np.ndarray, months: int, adaptation: Adaptation) -> np.ndarray:
    """Mean over the adapted members, (site, time, 3)."""
    fluxes = [cases.predict_adapted(case, method, inside, months=months, adaptation=adaptation) for case in members]
    mean: np.ndarray = np.mean(fluxes, axis=0)
    return mean


def _score(
    ds: xr.Dataset,
    before: np.ndarray,
    after: np.ndarray,
    inside: np.ndarray,
    good: np.ndarray,
    adaptation: Adaptation,
    start: str,
    months: int,
    method: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of towers that were adapted (all of them for `none`) on the steps outside their window, and the predictions."""
    labels = {"start": start, "months": months, "method": method}
    rows, tables = [], []
    for k, flux in enumerate(FLUXES):
        observed = ds[flux].values
        site, step = np.nonzero(np.isfinite(observed))
        tables.append(
            pd.DataFrame(
                {"site": ds["site"].values[site], "date": ds["time"].values[step], "flux": flux}
                | {"observed": observed[site, step], "qc": ds["nee_qc"].values[site, step]}
                | {"predicted": after[site, step, k], "used": inside[site, step]}
            )
        )
        for i, name in enumerate(ds["site"].values):
            left = good[i, :, k] & ~inside[i]
            if left.sum() < adaptation.min_steps or (months and not inside[i].any()):
                continue
            error = after[i, left, k].astype(float) - observed[i, left]
            zero = before[i, left, k].astype(float) - observed[i, left]
            scores = {"rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean(), "bias": error.mean()}
            rows.append(
                {"site": str(name), "flux": flux, "n": int(left.sum())} | scores | {"zero_rmse": np.sqrt((zero**2).mean())}
            )
    columns = ["site", "flux", "n", "rmse", "mae", "bias", "zero_rmse"]
    return pd.DataFrame(rows, columns=columns).assign(**labels), pd.concat(tables, ignore_index=True).assign(**labels)

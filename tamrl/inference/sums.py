"""Stage of the rule predict_sums: mean fluxes over periods at held-out places."""

import logging

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, verified
from tamrl.inference.decode import predict
from tamrl.inference.numerics import to_device
from tamrl.inference.plan import Piece
from tamrl.inference.worker import prepare_torch
from tamrl.samples.sums import SumTargets, sum_targets
from tamrl.sections.models import Batches
from tamrl.training.checkpoint import Trained, load_ensemble
from tamrl.training.sums import TrainingSums, sum_steps
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def predict_sums(*, samples: str, splits: str, models: list[str], table: str, model: str, batches: Batches) -> None:
    """Predict the means of sums at every held-out place with the members of the fold that holds it out.

    Parameters
    ----------
    samples, splits : files of `contracts.check_sum_samples` and `contracts.SPLITS`
    models : folders of the trained members of all folds
    table : output, `contracts.SUM_PREDICTIONS`
    model : written into the table
    batches : places predicted at once, and where

    Raises
    ------
    ContractError
        If a member was trained on a sum that it is to be scored at, or no place is held out.
    """
    device = prepare_torch(batches.device)
    members = to_device(load_ensemble(models), device)
    spec = members[0].spec.inputs
    ds = xr.load_dataset(verified(samples))
    contracts.check_sum_samples(ds, dynamic=spec.dynamic, static=spec.static, where=samples)
    split = contracts.read_csv(splits, contracts.SPLITS).set_index("site").loc[ds["site"].values]
    every = TrainingSums(ds.assign(sum_number=("sum", np.arange(ds.sizes["sum"]))), split["group"].to_numpy())
    frames = []
    for fold in sorted({member.spec.fold for member in members}):
        held_out = (split["fold"] == fold).to_numpy()
        if held_out.any():
            of_fold = [member for member in members if member.spec.fold == fold]
            frames += _rows(every.at(held_out), of_fold, batch=batches.batch, device=device)
    if not frames:
        raise ContractError("no place of sums is held out", where=splits, found=sorted(set(split["fold"])))
    rows = pd.concat(frames, ignore_index=True).assign(model=model)[list(contracts.SUM_PREDICTIONS.columns)]
    with atomic(table) as part:
        contracts.check_table(rows, contracts.SUM_PREDICTIONS, where=table).to_parquet(part, index=False)
    _log.info("%d rows at %d places by %d members", len(rows), rows["site"].nunique(), len(members))


def _rows(sums: TrainingSums, members: list[Trained], *, batch: int, device: torch.device) -> list[pd.DataFrame]:
    """One table per member and flux, with the sums in which the flux is known."""
    ds, targets = sums.samples, sum_targets(sums.samples)
    for member in members:
        if seen := set(member.spec.training.sum_sites) & set(ds["site"].values.tolist()):
            excerpt = f"member {member.spec.member} of fold {member.spec.fold}: {sorted(seen)[:5]}"
            raise ContractError("a model was trained on sums that it is to be scored at", found=excerpt, todo="train again")
    inputs = members[0].spec.inputs
    steps = sum_steps(ds, inputs.year, inputs.year)
    days = TimeAxis(ds["time"].values, inputs.step).days[steps[inputs.year :]]
    fluxes = predict(members, ds, Piece(steps, lead=0, skip=inputs.year), batch=batch, device=device)  # (M, site, T, 3)
    frames = []
    for m, member in enumerate(members):
        means = _period_means(fluxes[m], days, targets)
        for k, flux in enumerate(FLUXES):
            known = np.isfinite(targets.y[:, k])
            place = targets.site[known]
            frames.append(
                pd.DataFrame(
                    {
                        "fold": member.spec.fold,
                        "member": int(member.spec.member),
                        "site": ds["site"].values[place],
                        "group": sums.group[place],
                        "sum": ds["sum_number"].values[known],
                        "flux": flux,
                        "years": ds[f"sum_{flux}_years"].values[known].astype(float),
                        "observed": targets.y[known, k].astype(float),
                        "predicted": means[known, k],
                    }
                )
            )
    return frames


def _period_means(fluxes: np.ndarray, days: np.ndarray, targets: SumTargets) -> np.ndarray:
    """Means (sum, 3) over the periods of fluxes (site, time, 3); missing where a step of the period is."""
    missing = np.isnan(fluxes)
    weighted = np.where(missing, 0, fluxes.astype(float)) * days[:, None]
    total, gaps = (np.cumsum(np.pad(values, ((0, 0), (1, 0), (0, 0))), axis=1) for values in (weighted, missing))
    length = np.cumsum(np.pad(days, (1, 0)))
    first, last = targets.start, targets.start + targets.count
    change, lost = (values[targets.site, last] - values[targets.site, first] for values in (total, gaps))
    means: np.ndarray = np.where(lost > 0, np.nan, change / (length[last] - length[first])[:, None])
    return means

"""Stage of rule train_model: one member of one model on the towers of one fold."""

import logging
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import contracts, lineage, registry
from tamrl.cache import Key
from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.files import atomic, sha256, verified
from tamrl.provenance import code_digest, config_digest, libraries
from tamrl.samples import scaling
from tamrl.samples.dataset import Spec
from tamrl.samples.splits import ALL, cut, training_sites
from tamrl.sections.inputs import Features
from tamrl.sections.models import Optimisation
from tamrl.training import checkpoint
from tamrl.training.device import choose
from tamrl.training.fit import fit, member_seed
from tamrl.training.resume import Resume
from tamrl.workflow import stage

LOG = logging.getLogger(__name__)


@stage
def train_model(
    *,
    samples: str,
    splits: str,
    folder: str,
    model: str,
    fold: str,
    member: str,
    features: Features,
    training: Optimisation,
    plugin: str,
    options: dict[str, Any],
    step: Step,
    seed: int,
) -> None:
    """Train a member and write it into `folder`; a killed job continues where its state was kept last.

    Parameters
    ----------
    samples, splits : files of `contracts.samples` and `contracts.SPLITS`
    model, fold, member : which one; fold `all` holds no tower out
    plugin, options : the model's plug-in, of which `model` may be a variant, and its options
    seed : of the run; every member derives its own
    """
    started = time.monotonic()
    torch.set_num_threads(1)  # the same bits on any machine; jobs run side by side
    module = registry.load(registry.MODELS, plugin)
    chosen = module.Options(**options)
    spec = Spec.asked(chosen, **features.model_dump(), step=step)
    ds = contracts.samples(xr.load_dataset(verified(samples)), dynamic=spec.dynamic, static=spec.static, where=samples)
    table = contracts.read_csv(splits, contracts.SPLITS)
    ds, group = _training_towers(ds, table, fold, where=splits)
    own_seed = member_seed(seed, plugin, fold, member)  # variants draw the same towers
    scaled = scaling.fit(ds, dynamic=spec.dynamic, static=spec.static)
    training = training.adjusted(options)
    origin = {"training": training.model_dump(mode="json"), "samples": sha256(samples), "splits": sha256(splits)}
    made_by = _made_by(module.__name__, training.device)
    config = {"training": origin["training"], "inputs": spec.to_json(), "options": chosen.model_dump(mode="json"), "fold": fold}
    config |= {"seed": own_seed, "instructions": made_by["instructions"]}  # with other instructions the last bits differ
    data = {"samples": origin["samples"], "splits": origin["splits"]}
    resume = Resume(folder, key=Key(made_by["code"], made_by["software"], config, data))
    trained, about = fit(ds, group, module, chosen, spec, scaled, training, own_seed, resume)
    about |= origin | made_by | {"seed": own_seed, "run_seed": seed, "sites": ds["site"].values.tolist()}
    about["kin"] = config_digest([origin, chosen.model_dump(mode="json"), seed, made_by["software"]])
    result = checkpoint.Trained(trained, model, spec, scaled, fold, member, about)
    with atomic(folder) as part:
        checkpoint.save(part, result, plugin=plugin, options=chosen.model_dump(mode="json"))
    resume.clear()
    LOG.info("%s fold %s member %s on %d towers: %.1f s", model, fold, member, len(group), time.monotonic() - started)


def _made_by(plugin: str, device: str) -> dict[str, Any]:
    """What shapes the weights besides data, settings and seed."""
    if choose(device).type == "cuda":
        torch.cuda.init()  # so that its name is told
    modules = "tamrl.training.stage", plugin
    return {"code": code_digest(*modules), "software": libraries(*modules), "instructions": lineage.instructions()}


def _training_towers(ds: xr.Dataset, splits: pd.DataFrame, fold: str, *, where: str) -> tuple[xr.Dataset, np.ndarray]:
    """Samples and groups of the towers that may train models of `fold` and have a flux.

    Raises
    ------
    ContractError
        If the split does not know the fold, or a tower, or no tower is left.
    """
    if fold not in {ALL, *splits["fold"]}:
        raise ContractError(f"the split has no fold {fold!r}", where=where, found=sorted(set(splits["fold"])))
    group = splits.set_index("site")["group"]
    if unknown := set(ds["site"].values) - set(group.index):
        raise ContractError("towers of the samples are not in the split", where=where, found=sorted(unknown)[:5])
    allowed = set(splits["site"][training_sites(splits, fold)])
    measured = np.isfinite(ds[list(FLUXES)].to_array().values).any((0, 2))
    keep = np.array([s in allowed for s in ds["site"].values]) & measured
    if not keep.any():
        raise ContractError(f"no tower is left to train fold {fold!r}", where=where, todo="use fewer folds or more towers")
    chosen = ds.isel(site=keep)
    if fold != ALL:
        chosen = _before(chosen, cut(splits, chosen["site"].values))
    return chosen, group.loc[chosen["site"].values].to_numpy()


def _before(ds: xr.Dataset, since: np.ndarray | None) -> xr.Dataset:
    """In a split in time, fluxes from the held-out time stamp of each tower on are missing; drivers stay."""
    if since is None:
        return ds
    earlier = xr.DataArray(ds["time"].values[None] < since[:, None], dims=("site", "time"))
    return ds.assign({flux: ds[flux].where(earlier) for flux in FLUXES})

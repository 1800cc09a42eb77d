"""Stage of rule train_model: one member of one model on the towers of one fold."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
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
from tamrl.options import Strict
from tamrl.provenance import code_digest, config_digest, libraries
from tamrl.samples.dataset import InputSpec
from tamrl.samples.splits import ALL, first_held_out, training_sites
from tamrl.samples.standardise import fit_standardisation
from tamrl.sections.inputs import Features
from tamrl.sections.models import Optimisation
from tamrl.training.alternatives import draw_alternatives
from tamrl.training.checkpoint import Trained, save_model
from tamrl.training.device import choose_device
from tamrl.training.member import fit_member, member_seed
from tamrl.training.memory import keep_freed_memory
from tamrl.training.model_spec import ModelSpec, TrainingRecord
from tamrl.training.resume import Resume
from tamrl.training.sums import TrainingSums
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


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
    sums: Sequence[str] = (),
    further: Sequence[str] = (),
    alternatives: Sequence[str] = (),
) -> None:
    """Train a member and write it into `folder`. A killed job continues from its last stored state.

    Parameters
    ----------
    samples, splits : files of `contracts.check_samples` and `contracts.SPLITS`
    model, fold, member : names; fold `all` holds no tower out
    plugin, options : plug-in of the model and its options; `model` may be a variant of it
    seed : seed of the run; each member derives its seed from it
    sums : files of `contracts.check_sum_samples` and `contracts.SPLITS`, for a model that learns from sums
    alternatives : output of `samples.alternatives.build_alternatives`, of which each member draws
    further : samples of the same towers with other drivers, which train too; a tower stays in its group with all of them
    """
    started = time.monotonic()
    torch.set_num_threads(1)  # the same bits on any machine; jobs run side by side
    keep_freed_memory()
    module, every = registry.load_model_plugin(plugin), (samples, *further)
    chosen = module.Options(**options)
    spec = InputSpec.requested(chosen, **features.model_dump(), step=step)
    ds, group = _training_data(every, spec, splits, fold)
    own_seed = member_seed(seed, plugin, fold, member)  # variants draw the same towers
    standardisation = fit_standardisation(ds, dynamic=spec.dynamic, static=spec.static)
    ds, drawn = draw_alternatives(ds, alternatives, own_seed)  # the standardisation stays alike in all members
    settings = training.adjusted(chosen)
    origin = _origin(
        plugin, settings, samples=every, splits=splits, sums=sums, alternatives=alternatives, seed=own_seed, run_seed=seed
    )
    resume = Resume(folder, key=_resume_key(origin, chosen, spec, fold))
    fitted = fit_member(
        ds, group, module, chosen, spec, standardisation, settings, own_seed, _training_sums(sums, spec, fold), resume
    )
    sites = tuple(dict.fromkeys(ds["site"].values.tolist()))  # a tower is in each of the samples
    learned = {"drawn": drawn, "sites": sites, "held_back": fitted.held_back, "sum_sites": fitted.sum_sites}
    record = origin.model_copy(update=learned | {"kin": _kin(origin, chosen), "history": fitted.history})
    names = {"name": model, "plugin": plugin, "fold": fold, "member": member}
    described = ModelSpec(**names, options=chosen, inputs=spec, standardisation=standardisation, training=record)
    with atomic(folder) as part:
        save_model(part, Trained(fitted.model, described))
    resume.clear()
    _log.info("%s fold %s member %s on %d towers: %.1f s", model, fold, member, len(group), time.monotonic() - started)


def _resume_key(origin: TrainingRecord, options: Strict, spec: InputSpec, fold: str) -> Key:
    """Return the key of the stored state: everything that shapes the weights of a member."""
    config = {
        "training": origin.settings.model_dump(mode="json"),
        "inputs": asdict(spec),
        "options": options.model_dump(mode="json"),
        "fold": fold,
        "seed": origin.seed,
        "instructions": origin.instructions,  # the last bits depend on the processor
    }
    return Key(
        origin.code,
        origin.software,
        config,
        {"samples": origin.samples, "splits": origin.splits, "sums": "/".join((*origin.sums, *origin.alternatives))},
    )


def _kin(origin: TrainingRecord, options: Strict) -> str:
    """Return the digest that members of an ensemble share."""
    keys = {"settings", "samples", "splits", "sums", "software", *(("alternatives",) if origin.alternatives else ())}
    shared = origin.model_dump(mode="json", include=keys)
    return config_digest([shared, options.model_dump(mode="json"), origin.run_seed])


def _origin(
    plugin: str,
    settings: Optimisation,
    *,
    samples: Sequence[str],
    splits: str,
    sums: Sequence[str],
    alternatives: Sequence[str],
    seed: int,
    run_seed: int,
) -> TrainingRecord:
    """Return the settings, inputs, code, libraries and processor that shape the weights."""
    if choose_device(settings.device).type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # torch has no types there; `instructions` names the device then
    modules = "tamrl.training.stage", f"{registry.MODELS}.{plugin}"
    return TrainingRecord(
        kin="",
        sites=(),
        settings=settings,
        samples="/".join(map(sha256, samples)),
        splits=sha256(splits),
        sums=tuple(map(sha256, sums)),
        alternatives=tuple(map(sha256, alternatives)),
        seed=seed,
        run_seed=run_seed,
        code=code_digest(*modules),
        software=libraries(*modules),
        instructions=lineage.instructions(),
    )


def _training_towers(ds: xr.Dataset, splits: pd.DataFrame, fold: str, *, where: str) -> tuple[xr.Dataset, np.ndarray]:
    """Return the samples and groups of the towers that may train models of `fold` and have a flux.

    Raises
    ------
    ContractError
        If the split lacks the fold or a tower, or if no tower is left.
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
        chosen = _before(chosen, first_held_out(splits, chosen["site"].values))
    return chosen, group.loc[chosen["site"].values].to_numpy()


def _training_data(paths: Sequence[str], spec: InputSpec, splits: str, fold: str) -> tuple[xr.Dataset, np.ndarray]:
    """Return the training towers of several samples, and their groups, one after the other: a tower is in each of them.

    Parameters
    ----------
    paths : files of `contracts.check_samples`
    spec : of the inputs
    splits, fold : as of `_training_towers`
    """
    table, parts = contracts.read_csv(splits, contracts.SPLITS), []
    for path in paths:
        ds = contracts.check_samples(xr.load_dataset(verified(path)), dynamic=spec.dynamic, static=spec.static, where=path)
        parts.append(_training_towers(ds, table, fold, where=splits))
    if len(parts) == 1:
        return parts[0]
    every = xr.concat([ds for ds, _ in parts], "site", data_vars="minimal", coords="minimal", compat="override", join="exact")
    return every, np.concatenate([group for _, group in parts])


def _training_sums(sums: Sequence[str], spec: InputSpec, fold: str) -> TrainingSums | None:
    """Return the sums of those places that may train models of `fold`; None where there is none."""
    if not sums:
        return None
    samples, splits = sums
    ds = xr.load_dataset(verified(samples))
    contracts.check_sum_samples(ds, dynamic=spec.dynamic, static=spec.static, where=samples)
    table = contracts.read_csv(splits, contracts.SPLITS).set_index("site").loc[ds["site"].values].reset_index()
    allowed = training_sites(table, fold).to_numpy()
    return TrainingSums(ds, table["group"].to_numpy()).at(allowed) if allowed.any() else None


def _before(ds: xr.Dataset, since: np.ndarray | None) -> xr.Dataset:
    """Remove the fluxes of each tower from its held-out time stamp on (splits in time); keep the drivers."""
    if since is None:
        return ds
    earlier = xr.DataArray(ds["time"].values[None] < since[:, None], dims=("site", "time"))
    return ds.assign({flux: ds[flux].where(earlier) for flux in FLUXES})

"""One member: its share of the towers, its seed, and the training of whatever kind of model."""

import hashlib
import logging
from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np
import torch
import xarray as xr

from tamrl.options import Strict
from tamrl.samples import dataset
from tamrl.samples.dataset import Spec
from tamrl.samples.scaling import Scaling
from tamrl.sections.models import Optimisation
from tamrl.training import loop
from tamrl.training.checkpoint import dims
from tamrl.training.device import choose
from tamrl.training.resume import Resume
from tamrl.training.sequences import Sampler, Sequences, site_chance

LOG = logging.getLogger(__name__)


def member_seed(seed: int, *names: str) -> int:
    """A seed of its own for every model, fold and member of a run (48 bits)."""
    return int(hashlib.sha256("/".join([str(seed), *names]).encode()).hexdigest()[:12], 16)


def held_back(group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which towers choose the best weights instead of training: whole groups, another draw for every member.

    Parameters
    ----------
    group : array (site) of int
    share : of the groups; at least one if above 0 and there are two or more

    Returns
    -------
    array (site) of bool.
    """
    there = np.unique(group)
    count = min(max(round(share * len(there)), 1), len(there) - 1) if share > 0 else 0
    return np.isin(group, np.random.default_rng([seed, 1]).choice(there, count, replace=False))


def resampled(group: np.ndarray, seed: int) -> np.ndarray:
    """Weights of the towers by the Bayesian bootstrap over groups (Rubin 1981, doi 10.1214/aos/1176345338), mean about 1.

    Every member thus learns from another sample of the towers the world could have had, and none is lost altogether.
    """
    there, member = np.unique(group, return_inverse=True)
    return np.random.default_rng([seed, 2]).exponential(size=len(there))[member]


def fit(
    ds: xr.Dataset,
    group: np.ndarray,
    plugin: ModuleType,
    options: Strict,
    spec: Spec,
    scaling: Scaling,
    training: Optimisation,
    seed: int,
    resume: Resume | None = None,
) -> tuple[Any, dict]:
    """Build and train a model on the samples `ds` of its training towers.

    Parameters
    ----------
    ds : samples (site, time) of the training towers
    group : array (site) of int
    plugin, options : of the model
    resume : where a network's training is kept and taken up from

    Returns
    -------
    The trained model, and what happened as plain values.
    """
    device = choose(training.device)
    torch.manual_seed(seed)
    model = plugin.build(dims(spec, scaling), options)
    inputs, y, weight = _tensors(ds, spec, scaling)
    back = held_back(group, training.validation, seed)
    chance = site_chance((weight > 0).any(-1).sum(1).numpy(), ds["igbp_class"].values, class_weights=training.class_weights)
    chance = chance * resampled(group, seed)
    if isinstance(model, torch.nn.Module):
        sets = _sequences(inputs, y, weight, back, training, device)
        model.to(device)
        sampler = Sampler(sets[0], chance[~back], seed)
        scale = torch.tensor(scaling.flux_scale, device=device)
        history = loop.train(model, sampler, sets[1], training, scale=scale, seed=seed, resume=resume)
        model.eval()
        about = asdict(history)
    else:
        row_weight = weight * _per_row(chance, weight)
        keep = torch.from_numpy(~back)
        model.fit(inputs.x[keep], inputs.support[keep], inputs.static[keep], y[keep], row_weight[keep], seed=seed)
        about = {}
    return model, about | {"held_back": ds["site"].values[back].tolist()}


def _tensors(ds: xr.Dataset, spec: Spec, scaling: Scaling) -> tuple[dataset.Inputs, torch.Tensor, torch.Tensor]:
    """Inputs, fluxes and weights with the first year once more in front, where nothing is scored."""
    before = dataset.lead_in(0, spec.year, min(spec.year, ds.sizes["time"]))
    order = np.concatenate([before, np.arange(ds.sizes["time"])])
    inputs = dataset.inputs(ds, spec, scaling, steps=order)
    y, weight = (t[:, order] for t in dataset.targets(ds))
    weight = weight * inputs.valid[..., None]
    weight[:, : len(before)] = 0
    return inputs, y, weight


def _per_row(chance: np.ndarray, weight: torch.Tensor) -> torch.Tensor:
    """Turn the chance of a site into a weight of each of its steps, mean 1 over all steps; (site, 1, 1)."""
    steps = (weight > 0).any(-1).sum(1).numpy()
    each = np.divide(chance, steps, out=np.zeros_like(chance), where=steps > 0)
    return torch.from_numpy(each * steps.sum() / chance[steps > 0].sum()).float()[:, None, None]


def _sequences(
    inputs: dataset.Inputs, y: torch.Tensor, weight: torch.Tensor, back: np.ndarray, training: Optimisation, device: torch.device
) -> tuple[Sequences, Sequences | None]:
    """Training and validation sets on the device."""

    def part(keep: np.ndarray) -> Sequences:
        """The sequences of some of the sites."""
        chosen = torch.from_numpy(keep)
        own = dataset.Inputs(**{name: tensor[chosen] for name, tensor in vars(inputs).items()})
        return Sequences(own.to(device), y[chosen].to(device), weight[chosen].to(device), training.spinup, training.sequence)

    return part(~back), part(back) if back.any() else None

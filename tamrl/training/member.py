"""One member: its share of the towers, its seed, and the training of whatever kind of model."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from tamrl.models.parts.network import FluxNetwork
from tamrl.options import Strict
from tamrl.plugins import FluxModel, Predictor, SelfTraining
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs, InputSpec
from tamrl.samples.standardise import Standardisation
from tamrl.sections.models import Optimisation
from tamrl.shapes import Fluxes
from tamrl.training import loop
from tamrl.training.device import choose_device
from tamrl.training.history import History
from tamrl.training.model_spec import model_dims
from tamrl.training.resume import Resume
from tamrl.training.sequences import Sampler, Sequences, class_balance, site_chance
from tamrl.training.sums import SumSampler, TrainingSums, make_sequences, sum_chance


@dataclass(frozen=True)
class FittedMember:
    """A trained model, the towers that chose its best weights, what happened to a network, and places whose sums trained it."""

    model: Predictor
    held_back: tuple[str, ...]
    history: History | None
    sum_sites: tuple[str, ...] = ()


SEED_BITS = 48
"""Bits of a seed of `member_seed`."""


def member_seed(seed: int, *names: str) -> int:
    """A seed of its own for every model, fold and member of a run, of `SEED_BITS` bits."""
    return int(hashlib.sha256("/".join([str(seed), *names]).encode()).hexdigest(), 16) >> (256 - SEED_BITS)


def held_back(group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw the towers that choose the best weights instead of training: whole groups, other ones for every member.

    Parameters
    ----------
    group : array (site) of int
    share : of the groups; at least one if above 0 and there are two or more

    Returns
    -------
    array (site) of bool.
    """
    groups = np.unique(group)
    count = min(max(round(share * len(groups)), 1), len(groups) - 1) if share > 0 else 0
    return np.isin(group, np.random.default_rng([seed, 1]).choice(groups, count, replace=False))


def resampled(group: np.ndarray, seed: int) -> np.ndarray:
    """Weights of the towers by the Bayesian bootstrap over groups (Rubin 1981, doi 10.1214/aos/1176345338), mean about 1.

    Every member thus learns from another sample of the towers the world could have had, and none is lost altogether.
    """
    groups, position = np.unique(group, return_inverse=True)
    return np.random.default_rng([seed, 2]).exponential(size=len(groups))[position]


@dataclass(frozen=True)
class _Towers:
    """What each tower counts in a training: weight of drawing it before it is resampled, and factor on what its values cost."""

    draw: np.ndarray
    cost: np.ndarray
    group: np.ndarray | None
    """Of towers that are resampled together; None for no resampling."""

    @classmethod
    def of(cls, ds: xr.Dataset, weight: Fluxes, group: np.ndarray, settings: Optimisation) -> "_Towers":
        """As `settings.weighting` says."""
        steps = (weight > 0).any(-1).sum(1).numpy()
        if settings.weighting == "loss":
            cost = class_balance(steps, ds["igbp_class"].values) * class_balance(steps, ds["koppen_class"].values)
            return cls(steps.astype(float), cost, None)
        draw = site_chance(steps, ds["igbp_class"].values, class_weights=settings.class_weights)
        return cls(draw, np.ones(len(steps)), group)

    def chance(self, seed: int) -> np.ndarray:
        """Weights of drawing the towers, resampled with this seed; (site)."""
        return self.draw if self.group is None else self.draw * resampled(self.group, seed)


def fit_member(
    ds: xr.Dataset,
    group: np.ndarray,
    plugin: FluxModel,
    options: Strict,
    spec: InputSpec,
    standardisation: Standardisation,
    settings: Optimisation,
    seed: int,
    sums: TrainingSums | None = None,
    resume: Resume | None = None,
) -> FittedMember:
    """Build and train a model on the samples `ds` (site, time) of its training towers.

    Parameters
    ----------
    group : array (site) of int
    plugin, options : of the model
    spec, standardisation : how its inputs are made
    sums : mean fluxes over periods that may train a network
    resume : where the state of a network's training is stored, and restored from
    """
    device = choose_device(settings.device)
    torch.manual_seed(seed)
    model = plugin.build(model_dims(spec, standardisation), options)
    inputs, y, weight = _tensors(ds, spec, standardisation)
    back = held_back(group, settings.validation, seed)
    towers = _Towers.of(ds, weight, group, settings)
    weight = weight * torch.from_numpy(towers.cost).float()[:, None, None]
    training, validation = torch.from_numpy(~back), torch.from_numpy(back)
    history: History | None = None
    places: tuple[str, ...] = ()
    if isinstance(model, FluxNetwork):

        def sequences(sites: torch.Tensor) -> Sequences:
            """The sequences of some of the sites, on the device."""
            cells, scored = inputs.sites(sites).to(device), (y[sites].to(device), weight[sites].to(device))
            return Sequences(cells, *scored, settings.spinup, settings.sequence)

        training_set, validation_set = sequences(training), sequences(validation) if back.any() else None
        model.to(device)
        sampler = Sampler(training_set, towers.chance(seed)[~back], seed)
        scale = torch.tensor(standardisation.flux_scale, device=device)
        drawn, places = _sum_sampler(sums, group[back], spec, standardisation, settings, seed)
        history = loop.train_network(model, sampler, validation_set, settings, scale=scale, seed=seed, sums=drawn, resume=resume)
        model.eval()
    elif isinstance(model, SelfTraining):
        cells = inputs.sites(training)
        for bag in range(model.bags):
            bag_seed = member_seed(seed, "bag", str(bag)) if bag else seed
            rows = (weight * _per_step(towers.chance(bag_seed), weight))[training]
            model.fit(cells.x, cells.support, cells.static, y[training], rows, seed=bag_seed, bag=bag)
    return FittedMember(model, tuple(ds["site"].values[back].tolist()), history, places)


def _sum_sampler(
    sums: TrainingSums | None,
    excluded: np.ndarray,
    spec: InputSpec,
    standardisation: Standardisation,
    settings: Optimisation,
    seed: int,
) -> tuple[SumSampler | None, tuple[str, ...]]:
    """Sampler of the sums outside `excluded` groups whose drivers are complete, or None, and their places."""
    if sums is None or not settings.sums_weight:
        return None, ()
    sums = sums.without(excluded)
    sequences = make_sequences(sums, spec, standardisation, spinup=settings.spinup, device=choose_device(settings.device))
    if not len(sequences.site):
        return None, ()
    igbp = sums.samples["igbp_class"].values
    chance = sum_chance(sequences.site, resampled(sums.group, seed), igbp, class_weights=settings.class_weights)
    return SumSampler(sequences, chance, seed), tuple(sums.samples["site"].values[np.unique(sequences.site)].tolist())


def _tensors(ds: xr.Dataset, spec: InputSpec, standardisation: Standardisation) -> tuple[Inputs, Fluxes, Fluxes]:
    """Inputs, fluxes and weights with the first year once more in front, where nothing is scored."""
    before = dataset.lead_in(0, spec.year, min(spec.year, ds.sizes["time"]))
    order = np.concatenate([before, np.arange(ds.sizes["time"])])
    inputs = dataset.model_inputs(ds, spec, standardisation, steps=order)
    y, weight = (t[:, order] for t in dataset.targets(ds))
    weight = weight * inputs.valid[..., None]
    weight[:, : len(before)] = 0
    return inputs, y, weight


def _per_step(chance: np.ndarray, weight: Fluxes) -> Fluxes:
    """Turn the chance of a site into a weight of each of its steps, mean 1 over all steps; (site, 1, 1)."""
    steps = (weight > 0).any(-1).sum(1).numpy()
    each = np.divide(chance, steps, out=np.zeros_like(chance), where=steps > 0)
    return torch.from_numpy(each * steps.sum() / chance[steps > 0].sum()).float()[:, None, None]

"""Sums in training: sequences of spin-up and period, whose mean fluxes are compared with the known means."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl import calendar
from tamrl.calendar import TimeAxis
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs, InputSpec
from tamrl.samples.standardise import Standardisation
from tamrl.samples.sums import sum_targets
from tamrl.training.sequences import site_chance


@dataclass(frozen=True, eq=False)
class TrainingSums:
    """Sums that may train a member: samples of `contracts.check_sum_samples`, and the groups (site) of their places."""

    samples: xr.Dataset
    group: np.ndarray

    def without(self, groups: np.ndarray) -> "TrainingSums":
        """Those outside `groups`."""
        return self.at(~np.isin(self.group, groups))

    def at(self, chosen: np.ndarray) -> "TrainingSums":
        """Those of some of the places, array (site) of bool."""
        samples = self.samples.isel(site=chosen, sum=chosen[self.samples["sum_site"].values])
        position = np.cumsum(chosen) - 1
        return TrainingSums(samples.assign(sum_site=("sum", position[samples["sum_site"].values])), self.group[chosen])


@dataclass(frozen=True)
class SumBatch:
    """Sequences of L steps with their sums.

    x (B, L, F), support (B, C, D), static (B, S); share (B, L): of each step in the mean, 0 outside the period; y, weight (B, 3).
    """

    x: Tensor
    support: Tensor
    static: Tensor
    share: Tensor
    y: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class SumSequences:
    """Drivers of the places of sums, and the sums.

    Attributes
    ----------
    inputs : of the places, on the device of the network
    days : (time,); days of each step
    site, start, count : array (sum) of int
        Place, first step of the period on the axis of `inputs`, and number of steps.
    y, weight : (sum, 3)
        Mean fluxes, gC m-2 d-1, and their weights; on the device.
    spinup : steps before a period that only fill the memory
    """

    inputs: Inputs
    days: Tensor
    site: np.ndarray
    start: np.ndarray
    count: np.ndarray
    y: Tensor
    weight: Tensor
    spinup: int

    def gather(self, which: np.ndarray) -> SumBatch:
        """The sums `which` (B); sequences shorter than the longest of them are continued with share 0."""
        device = self.days.device
        start, count = (torch.from_numpy(values[which]).to(device)[:, None] for values in (self.start, self.count))
        after = torch.arange(-self.spinup, int(self.count[which].max()), device=device)
        step = (start + after).clamp(0, len(self.days) - 1)
        days = self.days[step] * ((after >= 0) & (after < count))
        row, chosen = torch.from_numpy(self.site[which]).to(device), torch.from_numpy(which).to(device)
        inputs = self.inputs
        return SumBatch(
            x=inputs.x[row[:, None], step],
            support=inputs.support[row],
            static=inputs.static[row],
            share=days / days.sum(1, keepdim=True),
            y=self.y[chosen],
            weight=self.weight[chosen],
        )


class SumSampler:
    """Draws sums by the weights of their places.

    Parameters
    ----------
    data : SumSequences
    chance : array (sum)
        Weight of each sum.
    seed : int
        The draw of a step depends on it and on the number of the step, so that nothing needs to be stored.
    """

    def __init__(self, data: SumSequences, chance: np.ndarray, seed: int) -> None:
        self.data, self.chance, self.seed = data, chance / chance.sum(), seed

    def draw(self, step: int, size: int) -> SumBatch:
        """`size` sums for step number `step`."""
        random = np.random.default_rng([self.seed, 3, step])
        return self.data.gather(random.choice(len(self.chance), size, p=self.chance))


def sum_inputs(
    ds: xr.Dataset, spec: InputSpec, standardisation: Standardisation, *, spinup: int
) -> tuple[Inputs, np.ndarray, int]:
    """Inputs of the places of sums, days of each step, and the number of steps before the first one of `ds.time`.

    Parameters
    ----------
    ds : samples of `contracts.check_sum_samples`
    spec, standardisation : of the model
    spinup : steps that fill the memory; a year more enters running means
    """
    lead = spinup + spec.year
    steps = sum_steps(ds, lead, spec.year)
    days = TimeAxis(ds["time"].values, spec.step).days[steps]
    return dataset.model_inputs(ds, spec, standardisation, steps=steps), days, lead


def sum_steps(ds: xr.Dataset, lead: int, year: int) -> np.ndarray:
    """Positions on `ds.time` after `lead` steps of the past; months of a mean year are repeated, for periods beyond December."""
    steps = np.arange(ds.sizes["time"])
    turns = 2 if calendar.CLIMATOLOGY in ds.attrs else 1
    return np.concatenate([dataset.lead_in(0, lead, min(year, len(steps))), *[steps] * turns])


def make_sequences(
    sums: TrainingSums, spec: InputSpec, standardisation: Standardisation, *, spinup: int, device: torch.device
) -> SumSequences:
    """Sequences of those sums whose drivers are complete over the period.

    Parameters
    ----------
    spec, standardisation : of the model
    spinup : steps that fill the memory
    device : of the network
    """
    inputs, days, lead = sum_inputs(sums.samples, spec, standardisation, spinup=spinup)
    targets = sum_targets(sums.samples)
    start = targets.start + lead
    invalid = np.concatenate([np.zeros((len(inputs.valid), 1)), np.cumsum(~inputs.valid.numpy(), axis=1)], axis=1)
    complete = invalid[targets.site, start + targets.count] == invalid[targets.site, start]
    y, weight = (torch.from_numpy(values[complete]).to(device) for values in (targets.y, targets.weight))
    position = targets.site[complete], start[complete], targets.count[complete]
    return SumSequences(inputs.to(device), torch.from_numpy(days).float().to(device), *position, y, weight, spinup)


def sum_chance(site: np.ndarray, place: np.ndarray, igbp: np.ndarray, *, class_weights: bool) -> np.ndarray:
    """Weights of the sums at places `site` (sum): those of the places, shared out among the sums of each.

    Parameters
    ----------
    place : array (site), weight of each place's group
    igbp : array (site) of classes
    class_weights : common classes count less than in proportion
    """
    count = np.bincount(site, minlength=len(igbp))
    each = np.divide(
        site_chance(count, igbp, class_weights=class_weights) * place, count, out=np.zeros(len(igbp)), where=count > 0
    )
    chance: np.ndarray = each[site]
    return chance

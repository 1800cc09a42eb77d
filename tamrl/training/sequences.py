"""Training sequences: everything in memory, batches gathered by index."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tamrl.samples.dataset import Inputs


@dataclass(frozen=True)
class Batch:
    """Sequences of L = spin-up + scored steps: x (B, L, F), support (B, C, D), static (B, S), y and weight (B, L, 3)."""

    x: Tensor
    support: Tensor
    static: Tensor
    y: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Sequences:
    """Drivers and fluxes of the sites of a training or validation set, and how long its sequences are.

    Attributes
    ----------
    inputs : Inputs
        (site, time, ...), on the device of the network.
    y, weight : (site, time, 3)
    spinup, scored : steps
        Each sequence is `spinup` steps that only fill the memory, then `scored` ones.
    """

    inputs: Inputs
    y: Tensor
    weight: Tensor
    spinup: int
    scored: int

    def gather(self, site: np.ndarray, start: np.ndarray) -> Batch:
        """The sequences of sites `site` (B) whose scored steps begin at positions `start` (B), which may lie outside.

        Steps before the first or after the last one repeat it, with weight 0.
        """
        device, last = self.y.device, self.y.shape[1] - 1
        where = torch.from_numpy(start[:, None] + np.arange(-self.spinup, self.scored)).to(device, non_blocking=True)
        row = torch.from_numpy(site).to(device, non_blocking=True)
        step = where.clamp(0, last)
        counts = (where == step) & (torch.arange(where.shape[1], device=device) >= self.spinup)  # (B, L)
        inputs = self.inputs
        return Batch(
            x=inputs.x[row[:, None], step],
            support=inputs.support[row],
            static=inputs.static[row],
            y=self.y[row[:, None], step],
            weight=self.weight[row[:, None], step] * counts[..., None],
        )

    def spans(self) -> np.ndarray:
        """First and last scored position of each site, (site, 2); sites without any weight have last < first."""
        scored = (self.weight > 0).any(-1).cpu().numpy()
        first = scored.argmax(1)
        last = np.where(scored.any(1), scored.shape[1] - 1 - scored[:, ::-1].argmax(1), -1)
        return np.stack([first, last], axis=1)

    def cover(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Sites and starts of up to `most` sequences a site, side by side over its record, for validation."""
        site, start = [], []
        for k, (first, last) in enumerate(self.spans()):
            starts = np.arange(first, last + 1, self.scored)
            if len(starts) > most:
                starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
            site += [k] * len(starts)
            start += starts.tolist()
        return np.asarray(site, dtype=np.int64), np.asarray(start, dtype=np.int64)


class Sampler:
    """Draws sequences: sites by their weights, starts anywhere over the site's record.

    Parameters
    ----------
    data : Sequences
    chance : array (site)
        Weight of each site; sites without a scored step are never drawn.
    seed : int
    """

    def __init__(self, data: Sequences, chance: np.ndarray, seed: int) -> None:
        self.data, self.random = data, np.random.default_rng(seed)
        self.first, self.last = data.spans().T
        chance = np.where(self.last >= self.first, chance, 0.0)
        self.chance = chance / chance.sum()

    def draw(self, size: int) -> Batch:
        """A batch of `size` sequences; each lies over the site's record but for a quarter at either end."""
        site = self.random.choice(len(self.chance), size, p=self.chance)
        edge = self.data.scored // 4
        low = np.minimum(self.first[site] - edge, self.last[site] + 1 - self.data.scored)
        high = np.maximum(self.last[site] + 1 - self.data.scored + edge, self.first[site])
        return self.data.gather(site, self.random.integers(low, high + 1))


def class_balance(steps: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Inverse frequency of the class of each site among all steps, mean 1 over the steps; (site)."""
    _, member = np.unique(classes, return_inverse=True)
    frequency = np.bincount(member, weights=steps)[member]
    balance: np.ndarray = steps.sum() / (member.max() + 1) / np.maximum(frequency, 1)
    return balance


def site_chance(steps: np.ndarray, igbp: np.ndarray, *, class_weights: bool) -> np.ndarray:
    """√(record length) / √(sites of the class): long records and common classes count, but less than in proportion."""
    chance: np.ndarray = np.sqrt(steps)
    if not class_weights:
        return chance
    _, member, size = np.unique(igbp, return_inverse=True, return_counts=True)
    chance = chance / np.sqrt(size[member])
    return chance

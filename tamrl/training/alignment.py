"""Alignment of towers: penalties on hidden states that are distributed differently from one tower to the next.

A network whose states look alike at every training tower has less that is true of one tower only. The sequences of a batch,
most of which come from different towers, are the domains. A penalty is the mean over all pairs of domains; that of CORAL is
computed as a variance between domains, so that its cost grows linearly with the batch.
"""

import torch
from torch import Tensor, nn

from tamrl.models.parts.layers import Tap
from tamrl.options import Alignment
from tamrl.shapes import Dynamic

SCALES = (0.01, 0.1, 1.0, 10.0)
"""Inverse squared widths of the Gaussian kernels of `mmd`, per mean squared distance of the points."""

STEPS = 16
"""Steps of each sequence that `mmd` compares."""


def keep_states(network: nn.Module, kind: Alignment) -> None:
    """Let every decoder of `network` keep the states of its last forward pass, or none if nothing is aligned."""
    for module in network.modules():
        if isinstance(module, Tap):
            module.keeps, module.states = kind != "none", None


def network_alignment(network: nn.Module, kind: Alignment, *, spinup: int) -> Tensor | float:
    """Sum of the penalties on the states of every decoder of `network` in its last forward pass, after the spin-up.

    `keep_states` must have been called before that pass.
    """
    if kind == "none":
        return 0.0
    states = [module.states for module in network.modules() if isinstance(module, Tap) and module.states is not None]
    return torch.stack([alignment_penalty(h[:, spinup:].float(), kind) for h in states]).sum()


def alignment_penalty(states: Dynamic, kind: Alignment) -> Tensor:
    """Mean over the pairs of sequences of the distance between their distributions of states.

    `coral` compares means and covariances (Sun & Saenko 2016, arXiv 1607.01719), `mmd` the mean embeddings in Gaussian kernels
    (Gretton et al. 2012, JMLR 13; Li et al. 2018, doi 10.1109/CVPR.2018.00566), both without units.

    Parameters
    ----------
    states : hidden states of the scored steps of at least two sequences
    kind : `none` gives 0
    """
    if kind == "none" or len(states) < 2:
        return states.new_zeros(())
    return _coral(states) if kind == "coral" else _mmd(states)


def _coral(states: Dynamic) -> Tensor:
    mean = states.mean(1, keepdim=True)  # (sequence, 1, unit)
    centred = states - mean
    covariance = centred.transpose(1, 2) @ centred / (states.shape[1] - 1)
    return 2 * (mean.var(0).mean() + covariance.var(0).mean())  # a mean over pairs is twice the variance


def _mmd(states: Dynamic) -> Tensor:
    count = len(states)
    step = torch.linspace(0, states.shape[1] - 1, min(STEPS, states.shape[1]), device=states.device).long()
    points = states[:, step].flatten(0, 1)
    distance = torch.cdist(points, points).square()
    distance = distance / distance.detach().mean().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-scale * distance) for scale in SCALES]).sum(0)
    between = kernel.reshape(count, len(step), count, len(step)).mean((1, 3))  # (sequence, sequence)
    within = between.diagonal().mean()
    across = (between.sum() - between.diagonal().sum()) / (count * (count - 1))
    penalty: Tensor = 2 * (within - across)
    return penalty

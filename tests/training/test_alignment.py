"""Alignment: zero for equal distributions, grows with their distance, and equals the mean over pairs."""

import itertools

import pytest
import torch

from tamrl.models import ctlstm, tamrl
from tamrl.plugins import Dims
from tamrl.training.alignment import alignment_penalty, keep_states, network_alignment

DIMS = Dims(features=5, support=3, static=2, bins=12, scale=(5.0, 4.0, 2.5))


def _states(sequences: int = 4, steps: int = 40, units: int = 3) -> torch.Tensor:
    return torch.randn(sequences, steps, units, generator=torch.Generator().manual_seed(1))


def test_coral_is_the_mean_over_pairs_of_the_distance_of_means_and_covariances():
    states = _states()
    pairs = []
    for a, b in itertools.combinations(states, 2):
        pairs.append((a.mean(0) - b.mean(0)).square().mean() + (torch.cov(a.T) - torch.cov(b.T)).square().mean())
    torch.testing.assert_close(alignment_penalty(states, "coral"), torch.stack(pairs).mean())


@pytest.mark.parametrize("kind", ["coral", "mmd"])
def test_equal_sequences_cost_nothing_and_distant_ones_more(kind):
    equal = _states(1).expand(4, -1, -1)
    assert alignment_penalty(equal, kind).item() == pytest.approx(0, abs=1e-6)
    near, far = (_states() + shift * torch.arange(4.0)[:, None, None] for shift in (0.2, 2.0))
    assert 0 < alignment_penalty(near, kind) < alignment_penalty(far, kind)


@pytest.mark.parametrize("kind", ["coral", "mmd"])
def test_its_gradient_brings_the_sequences_together(kind):
    shift = torch.linspace(-2, 2, 4).requires_grad_()
    alignment_penalty(_states() + shift[:, None, None], kind).backward()
    moved = shift.detach() - 0.1 * shift.grad
    assert moved.std() < shift.std()


def test_one_sequence_has_nothing_to_align_with():
    assert alignment_penalty(_states(1), "coral") == 0


def test_the_states_of_every_stream_are_penalised_and_kept_only_for_that():
    arrays = torch.randn(4, 30, 5), torch.randn(4, 12, 3), torch.randn(4, 2)
    several = tamrl.build(DIMS, tamrl.Options(hidden=8, code=4, streams=2)).train()
    keep_states(several, "coral")
    several(*arrays)
    penalty = network_alignment(several, "coral", spinup=10)
    penalty.backward()
    for decoder in several.decoders:
        assert decoder.embed.weight.grad.abs().sum() > 0
    single = ctlstm.build(DIMS, ctlstm.Options(hidden=8)).eval()
    single.predict(*arrays)
    assert single.tap.states is None
    keep_states(several, "none")
    several(*arrays)
    assert all(decoder.tap.states is None for decoder in several.decoders)
    assert network_alignment(single, "none", spinup=0) == 0

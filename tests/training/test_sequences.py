"""Sequences: gathered by index, padded with weight zero, drawn over the whole record."""

import numpy as np
import pytest
import torch

from tamrl.samples.dataset import Inputs
from tamrl.training.sequences import Sampler, Sequences, class_balance, site_chance

SITES, STEPS = 3, 50


@pytest.fixture
def data() -> Sequences:
    x = torch.arange(SITES * STEPS, dtype=torch.float32).reshape(SITES, STEPS, 1)
    weight = torch.zeros(SITES, STEPS, 3)
    weight[0, 5:45], weight[1, 20:24] = 1, 1  # the third site has no flux
    inputs = Inputs(x, torch.zeros(SITES, 2), torch.zeros(SITES, 12, 1), torch.ones(SITES, STEPS, dtype=torch.bool))
    return Sequences(inputs, x.expand(-1, -1, 3).clone(), weight, spinup=4, scored=10)


def test_a_sequence_is_spinup_then_scored_steps(data):
    batch = data.gather(np.array([0, 1]), np.array([10, 18]))
    assert batch.x.shape == (2, 14, 1) and batch.y.shape == batch.weight.shape == (2, 14, 3)
    assert batch.x[0, :, 0].tolist() == list(range(6, 20)) and batch.x[1, 0, 0] == 64
    assert (batch.weight[:, :4] == 0).all() and (batch.weight[0, 4:] == 1).all()
    assert batch.weight[1, :, 0].nonzero().flatten().tolist() == [6, 7, 8, 9]


def test_steps_outside_the_record_repeat_its_ends_with_weight_zero(data):
    weight = torch.ones_like(data.weight)
    batch = Sequences(data.inputs, data.y, weight, 4, 10).gather(np.array([0, 0]), np.array([-3, 45]))
    assert batch.x[0, :8, 0].tolist() == [0] * 8 and (batch.weight[0, :7] == 0).all() and (batch.weight[0, 7:] == 1).all()
    assert batch.x[1, -1, 0] == 49 and (batch.weight[1, 4:9] == 1).all() and (batch.weight[1, 9:] == 0).all()


def test_spans(data):
    assert data.spans().tolist() == [[5, 44], [20, 23], [0, -1]]


def test_draws_cover_the_whole_record_and_never_a_site_without_fluxes(data):
    sampler = Sampler(data, np.ones(SITES), seed=1)
    seen = torch.zeros(SITES * STEPS)
    for _ in range(40):
        batch = sampler.draw(16)
        assert (batch.weight > 0).any((1, 2)).all()
        scored = batch.x[..., 0][batch.weight[..., 0] > 0].long()
        seen[scored] += 1
    assert (seen.reshape(SITES, STEPS) > 0).tolist() == (data.weight[..., 0] > 0).tolist()


def test_the_same_seed_draws_the_same(data):
    a, b, c = (Sampler(data, np.ones(SITES), seed=s).draw(8).x for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_validation_sequences_cover_the_record(data):
    site, start = data.cover(most=9)
    assert site.tolist() == [0, 0, 0, 0, 1] and start.tolist() == [5, 15, 25, 35, 20]
    assert len(data.cover(most=2)[0]) == 3


def test_long_records_and_rare_classes_are_drawn_more_often():
    steps, igbp = np.array([100, 400, 400]), np.array(["ENF", "ENF", "EBF"])
    np.testing.assert_allclose(site_chance(steps, igbp, class_weights=True), [10 / 2**0.5, 20 / 2**0.5, 20])
    np.testing.assert_allclose(site_chance(steps, igbp, class_weights=False), [10, 20, 20])


def test_classes_balance_each_other_over_all_steps():
    steps, igbp = np.array([100, 300, 400]), np.array(["ENF", "ENF", "EBF"])
    balance = class_balance(steps, igbp)
    np.testing.assert_allclose(balance, [1, 1, 1])
    balance = class_balance(np.array([100, 100, 600]), igbp)
    np.testing.assert_allclose(balance, [2, 2, 2 / 3])
    assert (balance * [100, 100, 600]).sum() == pytest.approx(800)

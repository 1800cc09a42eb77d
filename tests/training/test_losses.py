"""The loss: scaled, weighted, blind to what was not measured, and with the balance in physical units."""

import math

import pytest
import torch

from tamrl.training import losses
from tamrl.training.losses import flux_loss

SCALE = torch.tensor([5.0, 4.0, 2.0])


def _closing(sites: int = 2, steps: int = 6) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    gpp, reco = torch.randn(sites, steps, generator=g), torch.randn(sites, steps, generator=g)
    return torch.stack([gpp, reco, reco - gpp], -1)


def test_a_perfect_prediction_costs_nothing():
    y = _closing()
    assert flux_loss(y, y, torch.ones_like(y), SCALE) == 0


def test_it_is_the_huber_loss_of_scaled_fluxes():
    y = _closing()
    predicted = y + torch.tensor([1.0, 1.0, 0.0])  # the balance still closes
    expected = (0.5 * (1 / 5) ** 2 + 0.5 * (1 / 4) ** 2) / 3
    assert flux_loss(predicted, y, torch.ones_like(y), SCALE).item() == pytest.approx(expected, rel=1e-4)
    far = y + torch.tensor([50.0, 50.0, 0.0])  # beyond δ = 1 it grows linearly
    assert flux_loss(far, y, torch.ones_like(y), SCALE).item() == pytest.approx((10 - 0.5 + 12.5 - 0.5) / 3, rel=1e-4)


def test_it_may_be_the_square_of_scaled_residuals():
    y = _closing()
    far = y + torch.tensor([50.0, 50.0, 0.0])
    assert flux_loss(far, y, torch.ones_like(y), SCALE, kind="squared").item() == pytest.approx((100 + 156.25) / 3, rel=1e-4)
    assert torch.equal(flux_loss(far, y, torch.ones_like(y), SCALE, kind="laplace"), flux_loss(far, y, torch.ones_like(y), SCALE))


def test_with_an_estimated_error_it_is_the_laplace_likelihood():
    y, weight = _closing(), torch.ones(2, 6, 3)
    found = y + torch.tensor([5.0, 5.0, 0.0])

    def loss(*width: float) -> torch.Tensor:
        estimated = torch.tensor(width).expand_as(y)
        return flux_loss(torch.cat([found, estimated], -1), y, weight, SCALE)

    residual = [(e**2 + losses.ROUNDING) ** 0.5 for e in (1.0, 1.25, 0.0)]
    assert loss(0, 0, 0).item() == pytest.approx(losses.LIKELIHOOD_WEIGHT * sum(residual) / 3, rel=1e-5)
    best = [math.log(r) for r in residual]  # the width that explains the error best is its size
    assert all(loss(*best) < loss(*(b + d for b in best)) for d in (-0.2, 0.2))
    assert torch.equal(loss(*[-50.0] * 3), loss(*[losses.LEAST_WIDTH] * 3))
    assert torch.equal(loss(*[50.0] * 3), loss(*[losses.MOST_WIDTH] * 3))


def test_streams_learn_apart():
    y, weight, g = _closing(), torch.ones(2, 6, 3), torch.Generator().manual_seed(3)
    streams = [y + torch.randn(y.shape, generator=g) for _ in range(3)]
    together = flux_loss(torch.stack(streams), y, weight, SCALE)
    torch.testing.assert_close(together, sum(flux_loss(stream, y, weight, SCALE) for stream in streams))


def test_an_estimated_error_makes_noisy_steps_weigh_less():
    y, weight = _closing(1, 2), torch.ones(1, 2, 3)
    width = torch.zeros_like(y)
    width[0, 1] = 2.0
    fluxes = (y + torch.tensor([5.0, 5.0, 0.0])).requires_grad_()
    flux_loss(torch.cat([fluxes, width], -1), y, weight, SCALE).backward()
    quiet, noisy = fluxes.grad[0, :, 0]
    assert noisy / quiet == pytest.approx(math.exp(-2), rel=1e-4)


def test_the_imbalance_is_taken_in_physical_units():
    y = _closing()
    predicted = (y + torch.tensor([0.0, 0.0, 2.0])).requires_grad_()
    unseen = torch.zeros_like(y)
    loss = flux_loss(predicted, y, unseen, SCALE)
    assert loss.item() == pytest.approx(losses.BALANCE_WEIGHT * 4, rel=1e-5)
    loss.backward()
    assert (predicted.grad.abs() > 0).all()  # the term is alive for all three fluxes


def test_what_was_not_measured_has_no_influence_and_no_gradient():
    y, weight = _closing(), torch.ones(2, 6, 3)
    y[0, 2, 0], weight[0, 2, 0] = float("nan"), 0
    predicted = _closing().add(0.3).requires_grad_()
    loss = flux_loss(predicted, y, weight, SCALE)
    loss.backward()
    assert loss.isfinite() and predicted.grad.isfinite().all()


def test_quality_weighs():
    y = _closing(1, 2)
    error = torch.zeros_like(y)
    error[0, 0] = torch.tensor([1.0, 1.0, 0.0])
    weight = torch.ones_like(y)
    low = weight.clone()
    low[0, 0] = 0.1
    assert flux_loss(y + error, y, low, SCALE) < flux_loss(y + error, y, weight, SCALE) / 2


def test_the_sum_over_a_batch_is_the_sum_over_its_elements():
    y, g = _closing(5, 8), torch.Generator().manual_seed(1)
    predicted, weight = y + torch.randn(y.shape, generator=g), torch.rand(y.shape, generator=g)
    total = torch.zeros(3)
    for b in range(5):
        for t in range(8):
            for k in range(3):
                e = ((predicted - y)[b, t, k] / SCALE[k]).abs()
                total[k] += weight[b, t, k] * (0.5 * e**2 if e < 1 else e - 0.5)
    imbalance = (predicted[..., 2] - predicted[..., 1] + predicted[..., 0]).square().mean()
    expected = (total / weight.sum((0, 1))).mean() + losses.BALANCE_WEIGHT * imbalance
    torch.testing.assert_close(flux_loss(predicted, y, weight, SCALE), expected)


def test_of_what_a_sequence_misses_throughout_a_share_is_forgiven():
    y, weight = _closing(2, 6), torch.ones(2, 6, 3)
    g = torch.Generator().manual_seed(2)
    varying = 0.1 * torch.randn(2, 6, 2, generator=g)
    varying = varying - varying.mean(1, keepdim=True)

    def closing(gpp_and_reco: torch.Tensor) -> torch.Tensor:
        return torch.cat([gpp_and_reco, gpp_and_reco[..., 1:] - gpp_and_reco[..., :1]], -1)

    def loss(level: float, forgiven: float) -> torch.Tensor:
        return flux_loss(y + closing(varying + level), y, weight, SCALE, forgiven)

    torch.testing.assert_close(loss(0.4, 0.5), loss(0.2, 0.0))  # half of a constant error is not seen
    torch.testing.assert_close(loss(0.0, 0.9), loss(0.0, 0.0))  # what varies about its mean costs the same
    torch.testing.assert_close(loss(0.4, 1.0), loss(0.0, 0.0))


def test_steps_not_measured_have_no_part_in_what_is_forgiven():
    y, weight = _closing(1, 6), torch.ones(1, 6, 3)
    weight[0, 4:] = 0
    error = torch.tensor([0.4, 0.4, 0.0])
    known = flux_loss(y[:, :4] + error, y[:, :4], weight[:, :4], SCALE, 0.5)
    y[0, 4:] = float("nan")
    predicted = (_closing(1, 6) + error).requires_grad_()
    loss = flux_loss(predicted, y, weight, SCALE, 0.5)
    loss.backward()
    torch.testing.assert_close(loss, known)
    assert predicted.grad.isfinite().all() and (predicted.grad[0, 4:].abs() < 1e-6).all()

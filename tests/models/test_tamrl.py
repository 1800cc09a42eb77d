"""TAM-RL: the code comes from the support set, modulates the decoder, and the balance is exact."""

import pytest
import torch

from tamrl import carbon
from tamrl.models import tamrl
from tamrl.models.parts import network
from tamrl.models.parts.layers import Film
from tamrl.models.parts.recurrent import TamRl
from tamrl.plugins import Dims

DIMS = Dims(features=5, support=3, static=2, bins=12, scale=(5.0, 4.0, 2.5))


def _model(**options) -> TamRl:
    torch.manual_seed(0)
    return tamrl.build(DIMS, tamrl.Options(**({"hidden": 16, "code": 6, "streams": 1} | options))).eval()


def _arrays() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return torch.randn(4, 150, 5, generator=g), torch.randn(4, 12, 3, generator=g), torch.randn(4, 2, generator=g)


def test_the_support_set_changes_the_fluxes():
    model, (x, support, static) = _model(), _arrays()
    assert not torch.allclose(model.predict(x, support, static), model.predict(x, support + 0.5, static))
    assert not torch.allclose(model.predict(x, support, static), model.predict(x, support, static + 0.5))


def test_the_code_is_bounded():
    code = _model().encode(torch.full((2, 12, 3), 1e4), torch.full((2, 2), -1e4))
    assert code.shape == (2, 6) and (code.abs() <= 1).all()


def test_film_with_code_zero_changes_nothing():
    film, x = Film(code=6, features=4), torch.randn(2, 7, 4)
    assert torch.equal(film(x, torch.zeros(2, 6)), x)
    assert not torch.equal(film(x, torch.ones(2, 6)), x)


def test_stage_one_trains_the_decoder_alone():
    model, (x, support, static) = _model(pretrain=0.5), _arrays()
    model.begin(0.2)
    assert torch.equal(model(x, support, static), model(x, support + 1, static + 1))
    model.begin(0.5)
    assert not torch.equal(model(x, support, static), model(x, support + 1, static + 1))


@pytest.mark.parametrize("balance", ["exact", "penalty"])
def test_the_balance_is_exact_in_what_is_delivered(balance):
    gpp, reco, nee = _model(balance=balance).predict(*_arrays()).unbind(-1)
    assert torch.equal(nee, reco - gpp)


def test_the_estimated_error_is_trained_and_never_delivered():
    x, support, static = _arrays()
    doubtful, sure = _model(), _model(loss="huber")
    assert doubtful(x, support, static).shape == (4, 150, 6) and sure(x, support, static).shape == (4, 150, 3)
    assert doubtful.predict(x, support, static).shape == sure.predict(x, support, static).shape == (4, 150, 3)


def test_plain_streams_see_the_drivers_alone():
    (x, support, static), model = _arrays(), _model(streams=2, plain=0.5)
    assert model.decoders[0].embed.in_features == DIMS.features and model.decoders[1].embed.in_features == DIMS.support
    before = model.eval()(x, support, static)
    x[..., DIMS.support :] += 1  # the running means
    after = model(x, support, static)
    assert (before[1] == after[1]).all() and not torch.isclose(before[0], after[0]).all()


def test_streams_are_averaged_and_remember_apart():
    (x, support, static), model = _arrays(), _model(streams=3)
    assert model(x, support, static).shape == (3, 4, 150, 6) and model.encode(support, static).shape == (4, 3 * 6)
    with torch.no_grad():
        each = model.deliver(model(x, support, static)[..., :3].mean(0))
    torch.testing.assert_close(model.predict(x, support, static), each, atol=2e-5, rtol=0)
    with torch.inference_mode():  # as prediction does: with gradients other kernels may run, whose last bits differ
        z = model.encode(support, static)
    first, state = model.resume(x[:, :64], z)
    second, _ = model.resume(x[:, 64:], z, state)
    assert all(part.shape[:2] == (3, 4) for part in state)
    assert torch.equal(torch.cat([first, second], 1), model.predict(x, support, static))


def test_three_estimates_move_to_the_nearest_triple():
    raw = torch.tensor([[[5.0, 3.0, 1.0]]])  # closes with nee = -2, so the imbalance is 3
    assert torch.allclose(_model().deliver(raw), torch.tensor([[[4.0, 4.0, 0.0]]]))
    exact = torch.tensor([[[5.0, 3.0, -2.0]]])
    assert torch.equal(_model().deliver(exact), exact)


def test_reconciling_works_on_numbers_too():
    assert carbon.reconcile(gpp=5.0, reco=3.0, nee=1.0) == (4.0, 4.0)


def test_blocks_give_what_one_pass_gives():
    model, (x, support, static) = _model(balance="exact"), _arrays()
    with torch.no_grad():
        whole = model(x, support, static)[..., :3]
    assert x.shape[1] > 2 * network.BLOCK
    torch.testing.assert_close(model.predict(x, support, static), whole, atol=2e-5, rtol=0)


def test_estimates_are_reconciled_by_their_errors():
    model = _model(balance="reconciled")
    sure_of_nee = torch.randn(500, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([2.0, 1.0, 1e-4])
    model.calibrate(sure_of_nee)
    gpp, reco, nee = model.deliver(torch.tensor([[[5.0, 3.0, 1.0]]])).squeeze().tolist()
    assert nee == pytest.approx(1.0, abs=1e-2) and gpp == pytest.approx(5 - 3 * 4 / 5, abs=0.2)
    assert nee == pytest.approx(reco - gpp)
    untouched = _model(balance="penalty")
    untouched.calibrate(sure_of_nee)
    assert untouched.gain.tolist() == pytest.approx(carbon.EQUAL)


def test_a_covariance_without_imbalance_shares_equally():
    assert carbon.gain([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]) == carbon.EQUAL


@pytest.mark.parametrize("skip", [0, 7, 40])
def test_windows_forget_what_lies_before_them(skip):
    model, (x, support, static) = _model(context=30), _arrays()
    found = model.predict(x, support, static, skip=skip)
    assert found.shape == (4, 150 - skip, 3)
    changed = x.clone()
    changed[:, :60] += 3
    other = model.predict(changed, support, static, skip=skip)
    assert torch.equal(found[:, 90 - skip :], other[:, 90 - skip :]), "30 days later nothing is remembered"
    assert not torch.equal(found[:, 60 - skip : 65 - skip], other[:, 60 - skip : 65 - skip])


def test_the_window_itself_can_be_the_support_set():
    model, (x, support, static) = _model(context=30, support="window", encoder="recurrent"), _arrays()
    found = model.predict(x, support, static)
    assert torch.equal(found, model.predict(x, support + 1, static)) and torch.equal(found, model.predict(x, support, static))
    changed = x.clone()
    changed[:, 74] += 3  # the last day of the window that delivers days 60 to 74
    other = model.predict(changed, support, static)
    assert torch.equal(found[:, :60], other[:, :60]) and not torch.equal(found[:, 60:74], other[:, 60:74])
    assert torch.equal(found[:, 90:], other[:, 90:])
    assert not torch.equal(model(x, support, static)[:, 0], model(changed, support, static)[:, 0])


def test_a_window_as_support_set_needs_windows():
    with pytest.raises(ValueError, match="needs context"):
        tamrl.Options(support="window", encoder="recurrent")


def test_negative_fluxes_are_not_clipped():
    gpp = _model().predict(*_arrays())[..., 0]
    assert (gpp < 0).any()


@pytest.mark.parametrize("size", [16, 32, 48])
def test_batches_of_whole_rows_have_the_same_bits(size):
    """From 16 rows on, kernels give a site the same bits in any batch; `inference.decode` pads its batches up to that."""
    model, g = _model(), torch.Generator().manual_seed(5)
    x, support, static = torch.randn(80, 70, 5, generator=g), torch.randn(80, 12, 3, generator=g), torch.randn(80, 2, generator=g)
    whole = model.predict(x, support, static)
    for start in range(0, 80 - size + 1, 8):
        rows = slice(start, start + size)
        assert torch.equal(model.predict(x[rows], support[rows], static[rows]), whole[rows])


def test_a_periodic_encoder_does_not_see_where_the_year_begins():
    _, support, static = _arrays()
    turned = support.roll(5, dims=1)
    periodic, recurrent = _model(encoder="periodic"), _model(encoder="recurrent")
    torch.testing.assert_close(periodic.encode(support, static), periodic.encode(turned, static))
    assert not torch.allclose(recurrent.encode(support, static), recurrent.encode(turned, static), atol=1e-3)
    other = support.flip(1)  # another order of the same values is another cycle
    assert not torch.allclose(periodic.encode(support, static), periodic.encode(other, static), atol=1e-3)


def test_a_shifted_encoder_learns_from_cycles_that_begin_anywhere_and_predicts_as_they_come():
    _, support, static = _arrays()
    shifted, recurrent = _model(encoder="shifted", dropout=0.0), _model(encoder="recurrent", dropout=0.0)
    assert torch.equal(shifted.encode(support, static), recurrent.encode(support, static))
    torch.manual_seed(2)
    codes = shifted.train().encode(support, static)
    starts = torch.stack([recurrent.encode(support.roll(n, dims=1), static) for n in range(support.shape[1])])
    nearest = (starts - codes).abs().amax(-1)  # (start, site)
    assert (nearest.amin(0) < 1e-6).all() and len(set(nearest.argmin(0).tolist())) > 1


@pytest.mark.parametrize("encoder", ["periodic", "shifted"])
def test_an_encoder_that_may_begin_anywhere_needs_a_support_set_that_begins_again_where_it_ends(encoder):
    with pytest.raises(ValueError, match="climatology"):
        tamrl.Options(encoder=encoder, support="years")

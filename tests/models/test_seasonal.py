"""The mean seasonal cycle: of the class, of a mix of classes, and of all towers where a class was never seen."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

from tamrl.calendar import TimeAxis
from tamrl.models import seasonal
from tamrl.plugins import Dims
from tamrl.samples.dataset import InputSpec

SPEC = InputSpec((), ("igbp_fraction",), "day", calendar=True)
DAYS = pd.date_range("2009-01-01", "2010-12-31").values
EYE = torch.eye(3)


def _x(sites: int, south: tuple[bool, ...] = (False,)) -> torch.Tensor:
    return torch.from_numpy(TimeAxis(DAYS, SPEC.step).annual_cycle(np.resize(np.array(south), sites)[:, None, None])).float()


@pytest.fixture(scope="module")
def model():
    """Two sites of class 0, one of class 1, none of class 2; GPP follows the season with another height in each class."""
    x, static = _x(3), EYE[[0, 0, 1]]
    height = torch.tensor([8.0, 4.0, 2.0])[:, None]
    gpp = height * (1 - x[..., 0])
    y = torch.stack([gpp, 0.5 * gpp, -0.5 * gpp], -1)
    weight = torch.ones_like(y)
    y[0, 5:9], weight[0, 5:9] = float("nan"), 0
    found = seasonal.build(Dims(2, 0, 3, 26, (1.0, 1.0, 1.0)), seasonal.Options())
    found.fit(x, torch.zeros(3, 26, 0), static, y, weight, seed=1)
    return found


def _predict(model, static, south=(False,)):
    return model.predict(_x(len(static), south), torch.zeros(len(static), 26, 0), static)


@pytest.mark.parametrize(("share", "height"), [(EYE[0], 6.0), (EYE[1], 2.0), (EYE[:2].mean(0), 4.0), (EYE[2], 14 / 3)])
def test_a_site_has_the_cycle_of_its_classes_and_an_unseen_class_that_of_all(model, share, height):
    fluxes = _predict(model, share[None])
    truth = height * (1 - _x(1)[..., 0])
    assert (fluxes[..., 0] - truth).abs().max() < 0.12 and torch.allclose(fluxes[..., 2], -0.5 * fluxes[..., 0], atol=1e-5)


def test_part_of_an_unseen_class_is_made_up_by_the_mean_of_all(model):
    both = _predict(model, torch.stack([EYE[0], EYE[2], (EYE[0] + EYE[2]) / 2]))
    assert torch.allclose(both[2], both[:2].mean(0), atol=1e-5)


def test_the_south_is_half_a_year_later(model):
    north, south = _predict(model, EYE[[0, 0]], south=(False, True))[..., 0]
    assert DAYS[north[:365].argmax()].astype("M8[M]").astype(int) % 12 in (5, 6)
    assert DAYS[200 + south[200:500].argmax()].astype("M8[M]").astype(int) % 12 in (11, 0)
    assert (north[:180] - south[183:363]).abs().max() < 0.2


def test_the_season_is_the_last_two_features_and_survives_the_checkpoint():
    asked = InputSpec.requested(seasonal.Options(), dynamic=("evi",), static=("elevation", "igbp_fraction"), step="month")
    assert asked.features == ("evi", "season_cos", "season_sin") and asked.static == ("igbp_fraction",)
    assert TypeAdapter(InputSpec).validate_python(asdict(asked)) == asked
    months = TimeAxis(pd.date_range("2010-01-01", periods=12, freq="MS").values, asked.step).annual_cycle(
        np.zeros((1, 1, 1), bool)
    )
    angle = np.arctan2(months[0, :, 1], months[0, :, 0]) % (2 * np.pi) / (2 * np.pi) * 12
    np.testing.assert_allclose(angle, np.arange(12) + 0.5, atol=0.06)

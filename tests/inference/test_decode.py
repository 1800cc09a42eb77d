"""Prediction: the same bits in any batch, and missing exactly where a driver is."""

import dataclasses

import numpy as np
import pytest
import torch

from tamrl.inference.decode import predict
from tamrl.inference.plan import Piece
from tamrl.models import tamrl
from tamrl.training.checkpoint import load_ensemble
from tamrl.training.model_spec import model_dims
from tests.modelling import trained

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cells(world):
    ds = world.stack(site=("lat", "lon")).reset_index("site")
    return ds.isel(site=ds["land_fraction"].values > 0).transpose("site", "time", ...)


@pytest.fixture(scope="module")
def members(models):
    return load_ensemble(models)


def _predict(members, cells, batch=2048):
    steps = np.concatenate([np.arange(12), np.arange(24)])
    return predict(members, cells, Piece(steps, lead=0, skip=12), batch=batch, device=CPU)


def test_shape_and_balance(members, cells):
    found = _predict(members, cells)
    assert found.shape == (2, cells.sizes["site"], 24, 3) and found.dtype == np.float32 and np.isfinite(found).all()
    assert (found[..., 2] == found[..., 1] - found[..., 0]).all() and (found[0] != found[1]).any()


@pytest.mark.parametrize("batch", [1, 3, 7, 50, 131])
def test_no_number_depends_on_the_batch(members, cells, batch):
    assert (_predict(members, cells, batch) == _predict(members, cells)).all()


@pytest.mark.parametrize("options", [{"support": "years"}, {"support": "window", "context": 6}], ids=["years", "window"])
def test_no_number_depends_on_the_batch_with_other_support_sets(cells, spec, scaling, options):
    own = dataclasses.replace(spec, support=options["support"])
    torch.manual_seed(1)
    model = tamrl.build(model_dims(own, scaling), tamrl.Options(hidden=16, code=8, encoder="recurrent", **options)).eval()
    member = trained(model, own, scaling, {"hidden": 16, "code": 8, "encoder": "recurrent", **options})
    whole = _predict([member], cells)
    assert np.isfinite(whole).all() and (whole != _predict([member], cells.assign(evi=cells["evi"].roll(time=1)))).any()
    assert all((_predict([member], cells, batch) == whole).all() for batch in (7, 50))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_missing_driver_makes_one_cell_day_missing(members, cells, bad):
    before = _predict(members, cells)
    broken = cells.copy(deep=True)
    broken["evi"][5, 9] = bad
    after = _predict(members, broken)
    assert np.argwhere(np.isnan(after[0, ..., 0])).tolist() == [[5, 9]] and np.isnan(after[:, 5, 9]).all()
    others = np.arange(cells.sizes["site"]) != 5
    assert (after[:, others] == before[:, others]).all()


def test_a_cell_without_land_cover_is_missing_throughout(members, cells):
    broken = cells.copy(deep=True)
    broken["igbp_fraction"][3] = np.nan
    found = _predict(members, broken)
    assert np.isnan(found[:, 3]).all() and np.isfinite(np.delete(found, 3, axis=1)).all()


def test_members_with_other_scaling_get_their_own_inputs(members, cells, scaling, save_member, tmp_path):
    other = load_ensemble([save_member(tmp_path / "m", member=0)])[0]
    moved = type(scaling)(scaling.inputs | {"evi": type(scaling.inputs["evi"])((0.1,), (0.3,), "1")}, scaling.fluxes)
    changed = other.spec.model_copy(update={"standardisation": moved, "member": "9"})
    mixed = [members[0], dataclasses.replace(other, spec=changed)]
    found = _predict(mixed, cells)
    assert (found[0] == _predict(members[:1], cells)[0]).all() and (found[0] != found[1]).any()

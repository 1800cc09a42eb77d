"""Sums in training: whole periods after a spin-up, drawn without state, and what they teach a network."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tamrl import registry
from tamrl.carbon import FLUXES
from tamrl.inference.sums import predict_sums
from tamrl.samples import dataset, standardise
from tamrl.samples.dataset import InputSpec
from tamrl.sections.models import Optimisation
from tamrl.training import checkpoint, member, resume
from tamrl.training import sums as module
from tamrl.training.losses import sums_loss
from tamrl.training.stage import train_model

SCALE = torch.tensor([5.0, 4.0, 2.0])


def _with_sums(samples: xr.Dataset, first: int, steps: int = 12) -> xr.Dataset:
    """The towers from number `first` on as places of which a mean over `steps` from the second year on is all that is known."""
    ds = samples.isel(site=slice(first, None))
    days = ds["time"].dt.days_in_month[12 : 12 + steps]
    for flux in FLUXES:
        ds[f"sum_{flux}"] = ("sum", ds[flux].isel(time=slice(12, 12 + steps)).weighted(days).mean("time").values)
        ds[f"sum_{flux}_years"] = ("sum", np.full(ds.sizes["site"], 5.0, "f4"))
    count = ds.sizes["site"]
    ds["sum_site"], ds["sum_start"] = ("sum", np.arange(count)), ("sum", np.full(count, 12))
    ds["sum_steps"] = ("sum", np.full(count, steps))
    return ds.drop_vars([*FLUXES, "nee_qc"]).assign_attrs(time_step="month")


@pytest.fixture
def complete(samples) -> xr.Dataset:
    return samples.copy(deep=True).assign(gpp=samples["nee"].copy(data=samples["gpp"].interpolate_na("time").values))


@pytest.fixture
def sums(complete) -> module.TrainingSums:
    ds = _with_sums(complete, 10)
    return module.TrainingSums(ds, np.arange(ds.sizes["site"]) + 10)


@pytest.fixture
def standardisation(samples, spec):
    return standardise.fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)


def _sequences(sums, spec, standardisation, spinup=4) -> module.SumSequences:
    return module.make_sequences(sums, spec, standardisation, spinup=spinup, device=torch.device("cpu"))


def test_the_loss_compares_means_over_the_period():
    y = torch.tensor([[4.0, 3.0, -1.0]])
    share = torch.tensor([[0.0, 0.25, 0.75]])
    predicted = torch.tensor([[[99.0] * 3, [4.0, 3.0, -1.0], [8.0, 3.0, -1.0]]])
    weight = torch.ones(1, 3)
    assert sums_loss(predicted, share, y, weight, SCALE).item() == pytest.approx(0.5 * (3 / 5) ** 2 / 3, rel=1e-5)
    assert sums_loss(predicted[:, :2], share[:, :2] * 4, y, weight, SCALE) == 0
    nothing = torch.full((1, 3), float("nan"))
    assert sums_loss(predicted, share, nothing, torch.zeros(1, 3), SCALE) == 0
    only_nee = torch.tensor([[0.0, 0.0, 1.0]])
    assert sums_loss(predicted, share, torch.tensor([[float("nan"), 0.0, 0.0]]), only_nee, SCALE).item() == pytest.approx(
        0.125 / 3
    )
    streams = torch.stack([predicted, predicted])
    assert sums_loss(streams, share, y, weight, SCALE) == 2 * sums_loss(predicted, share, y, weight, SCALE)


def test_a_sequence_is_the_spinup_and_the_period(sums, spec, standardisation):
    data = _sequences(sums, spec, standardisation)
    batch = data.gather(np.array([3, 0]))
    assert batch.x.shape[:2] == (2, 16) and (batch.share[:, :4] == 0).all()
    torch.testing.assert_close(batch.share.sum(1), torch.ones(2))
    days = torch.tensor(pd.date_range("2006-01-01", periods=12, freq="MS").days_in_month.to_numpy()).float()
    torch.testing.assert_close(batch.share[0, 4:], days / 365)
    inputs = dataset.model_inputs(sums.samples, spec, standardisation)
    torch.testing.assert_close(batch.x[0, 4:, :2], inputs.x[3, 12:24, :2])
    torch.testing.assert_close(batch.y[1], torch.tensor([float(sums.samples[f"sum_{f}"][0]) for f in FLUXES]))


def test_periods_of_different_length_stand_in_one_batch(sums, spec, standardisation):
    sums.samples["sum_steps"][1] = 3
    batch = _sequences(sums, spec, standardisation).gather(np.array([0, 1]))
    assert (batch.share > 0).sum(1).tolist() == [12, 3] and batch.share[1, 7:].sum() == 0


def test_months_of_a_mean_year_go_on_beyond_december(sums, spec, standardisation):
    ds = sums.samples.isel(time=slice(12)).assign_attrs(climatology="2000-2025")
    ds["sum_start"][:], ds["sum_steps"][:] = 11, 3
    batch = _sequences(dataclasses.replace(sums, samples=ds), spec, standardisation).gather(np.array([2]))
    x = dataset.model_inputs(ds, spec, standardisation).x
    torch.testing.assert_close(batch.x[0, 4:, :2], x[2, [11, 0, 1], :2])
    torch.testing.assert_close(batch.share[0, 4:], torch.tensor([31.0, 31.0, 28.0]) / 90)


def test_sums_without_complete_drivers_are_not_learned_from(sums, spec, standardisation):
    sums.samples["evi"][2, 13], sums.samples["evi"][5, 3] = np.nan, np.nan  # within the period, and before it
    assert sorted(_sequences(sums, spec, standardisation).site) == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_places_that_are_left_out_take_their_sums_along(sums):
    left = sums.without(np.array([10, 13]))
    assert left.samples["site"].values.tolist() == [f"XX-{k:03d}" for k in (11, 12, 14, 15, 16, 17, 18, 19)]
    assert left.samples["sum_site"].values.tolist() == list(range(8)) and left.group.tolist()[:2] == [11, 12]
    np.testing.assert_array_equal(left.samples["sum_gpp"].values, sums.samples["sum_gpp"].values[[1, 2, 4, 5, 6, 7, 8, 9]])


def test_a_draw_depends_on_the_step_alone(sums, spec, standardisation):
    data = _sequences(sums, spec, standardisation)
    a, b = (module.SumSampler(data, np.ones(10), seed=7) for _ in range(2))
    assert torch.equal(a.draw(5, 8).x, (b.draw(4, 8), b.draw(5, 8))[1].x)
    assert not torch.equal(a.draw(5, 8).x, a.draw(6, 8).x)
    one = module.SumSampler(data, (np.arange(10) == 4).astype(float), seed=7).draw(0, 3)
    assert (one.y == data.y[4]).all()


def test_sums_of_a_place_share_its_weight():
    chance = module.sum_chance(np.array([0, 0, 0, 0, 1]), np.array([1.0, 3.0]), np.array(["GRA", "ENF"]), class_weights=True)
    assert chance.tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5, 3.0])  # in all twice that of one sum, as for record lengths


def _fit(samples, group, settings, sums, seed=5):
    plugin = registry.load(registry.MODELS, "ctlstm")
    chosen = plugin.Options(hidden=8)
    spec = InputSpec.requested(chosen, dynamic=("air_temperature", "evi"), static=("igbp_fraction",), step="month")
    own = standardise.fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    fitted = member.fit_member(samples, group, plugin, chosen, spec, own, Optimisation(**settings), seed, sums)
    return fitted, spec, own


def test_sums_teach_the_level_of_places_unlike_the_towers(complete, group, settings):
    """Towers whose respiration is underestimated by half bias a network; means at other places show it."""
    towers = complete.isel(site=slice(10))
    towers = towers.assign(reco=towers["reco"] * 0.5, nee=towers["reco"] * 0.5 - towers["gpp"])
    places, unseen = _with_sums(complete.isel(site=slice(16)), 10), complete.isel(site=slice(16, None))
    found, truth = {}, unseen["reco"].mean("time").values
    for weight in (0.0, 3.0):
        own = module.TrainingSums(places, np.arange(6) + 10) if weight else None
        fitted, spec, own = _fit(towers, group[:10], settings | {"steps": 100, "sums_weight": weight}, own)
        inputs = dataset.model_inputs(unseen, spec, own)
        found[weight] = fitted.model.predict(inputs.x, inputs.support, inputs.static)[..., 1].mean(1).numpy()
        assert fitted.sum_sites == (tuple(f"XX-{k:03d}" for k in range(10, 16)) if weight else ())
    without, with_sums = (np.abs(found[weight] - truth).mean() for weight in (0.0, 3.0))
    assert with_sums < 0.6 * without


def test_no_sum_of_a_group_that_chooses_the_weights_trains(complete, group, settings, sums):
    fitted, _, _ = _fit(complete, group, settings | {"steps": 2, "sums_weight": 1.0}, sums)
    assert fitted.held_back and not set(fitted.held_back) & set(fitted.sum_sites)


@pytest.fixture
def sum_files(complete, tmp_path) -> list[str]:
    ds, paths = _with_sums(complete, 10), [str(tmp_path / "sums.nc"), str(tmp_path / "sum_splits.csv")]
    ds = ds.assign_coords(site=[f"SS-{k:03d}" for k in range(10)])
    ds.to_netcdf(paths[0])
    table = pd.DataFrame({"site": ds["site"].values, "group": np.arange(10) + 50, "fold": [str(k % 2) for k in range(10)]})
    table.to_csv(paths[1], index=False)
    return paths


def _train(files, folder, settings, sums=(), fold="0"):
    features = {"dynamic": ["air_temperature", "evi"], "static": ["igbp_fraction"]}
    which = {
        "model": "tamrl",
        "plugin": "tamrl",
        "fold": fold,
        "member": "0",
        "options": {"hidden": 8, "code": 4, "streams": 1, "plain": 0.0},
    }
    train_model(**files, **which, folder=str(folder), features=features, training=settings, step="month", seed=1, sums=sums)
    return checkpoint.load_member(folder)


def _weights(trained) -> dict[str, torch.Tensor]:
    return trained.model.state_dict()


def test_a_fold_learns_from_no_place_it_holds_out(files, settings, sum_files, tmp_path):
    settings = settings | {"steps": 3, "sums_weight": 1.0}
    for fold in ("0", "1"):
        seen = _train(files, tmp_path / fold, settings, sum_files, fold).spec.training.sum_sites
        assert seen == tuple(f"SS-{k:03d}" for k in range(10) if k % 2 != int(fold))
    assert len(_train(files, tmp_path / "all", settings, sum_files, "all").spec.training.sum_sites) == 10


def test_held_out_places_are_predicted_and_known_ones_refused(files, settings, sum_files, tmp_path):
    settings = settings | {"steps": 3, "sums_weight": 1.0}
    models = [str(tmp_path / fold) for fold in ("0", "1")]
    for fold, folder in zip(("0", "1"), models, strict=True):
        _train(files, folder, settings, sum_files, fold)
    table = tmp_path / "predictions.parquet"

    def predict(splits) -> pd.DataFrame:
        predict_sums(samples=sum_files[0], splits=splits, models=models, table=str(table), model="tamrl", batches={})
        return pd.read_parquet(table)

    rows = predict(sum_files[1])
    assert len(rows) == 30 and rows["predicted"].notna().all()
    balance = rows.pivot(index="site", columns="flux", values="predicted")
    np.testing.assert_allclose(balance["nee"], balance["reco"] - balance["gpp"], atol=1e-5)
    changed = pd.read_csv(sum_files[1]).assign(fold=[str((k + 1) % 2) for k in range(10)])
    changed.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(Exception, match="trained on sums"):
        predict(str(tmp_path / "other.csv"))


def test_without_weight_the_bits_are_those_without_sums(files, settings, sum_files, tmp_path):
    off, absent = (
        _train(files, tmp_path / "a", settings | {"sums_weight": 0.0}, sum_files),
        _train(files, tmp_path / "b", settings),
    )
    on = _train(files, tmp_path / "c", settings | {"sums_weight": 1.0}, sum_files)
    again = _train(files, tmp_path / "d", settings | {"sums_weight": 1.0}, sum_files)
    assert all(torch.equal(_weights(off)[name], _weights(absent)[name]) for name in _weights(off))
    assert all(torch.equal(_weights(on)[name], _weights(again)[name]) for name in _weights(on))
    assert not all(torch.equal(_weights(on)[name], _weights(off)[name]) for name in _weights(on))


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_on_sums_ends_with_the_same_bits(files, settings, sum_files, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "EVERY", 10)
    save, settings = resume.Resume.save, settings | {"steps": 25, "sums_weight": 1.0}

    def dying(self, state, *rest):
        save(self, state, *rest)
        if state.step == 17:
            raise Killed

    monkeypatch.setattr(resume.Resume, "save", dying)
    with pytest.raises(Killed):
        _train(files, tmp_path / "a", settings, sum_files)
    monkeypatch.setattr(resume.Resume, "save", save)
    continued, whole = _train(files, tmp_path / "a", settings, sum_files), _train(files, tmp_path / "b", settings, sum_files)
    assert continued.spec == whole.spec and continued.spec.weights == whole.spec.weights

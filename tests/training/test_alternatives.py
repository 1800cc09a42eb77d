"""What members learn from where towers state alternatives to their chosen fluxes."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.carbon import FLUXES
from tamrl.samples.alternatives import build_alternatives
from tamrl.training import alternatives as module
from tamrl.training import checkpoint
from tamrl.training.stage import train_model

CHOSEN = {"partitioning": "NT", "ustar": "REF"}


@pytest.fixture
def stated(files, samples, tmp_path) -> str:
    """The alternatives of the first half of the towers: another partitioning, and two percentiles at the first of them."""
    table = samples[list(FLUXES)].isel(site=slice(10)).to_dataframe()[list(FLUXES)].reset_index()
    first, late = table["site"] == "XX-000", table["time"] > "2008"
    for flux, values in {"gpp": table["reco"] - table["nee"], "reco": table["reco"]}.items():
        table[f"{flux}_DT_REF"] = 0.5 * values
        table[f"{flux}_NT_05"] = (0.9 * values).where(first)
        table[f"{flux}_NT_95"] = (1.1 * values).where(first & late)
    table.rename(columns={"time": "date"}).to_parquet(tmp_path / "towers.parquet")
    output = tmp_path / "alternatives.nc"
    build_alternatives(
        records=str(tmp_path / "towers.parquet"), samples=files["samples"], alternative=str(output), reading=CHOSEN
    )
    return str(output)


def _seed(stated: str, label: str, site: str = "XX-001") -> int:
    with xr.open_dataset(stated) as ds:
        share = ds["share"].load()
    return next(s for s in range(99) if module.choose_alternatives(share, "NT_REF", s).get(site, "NT_REF") == label)


def test_members_differ_where_towers_state_alternatives_and_only_there(samples, stated):
    changed, drawn = module.draw_alternatives(samples, [stated], _seed(stated, "DT_REF"))
    assert set(drawn) == set(samples["site"].values[:10].tolist()) and set(drawn.values()) == {"DT_REF"}
    for flux in FLUXES:
        before, after = samples[flux].values, changed[flux].values
        np.testing.assert_array_equal(before[10:], after[10:])
        np.testing.assert_array_equal(np.isfinite(before[:10]), np.isfinite(after[:10]))  # what failed a test stays missing
        assert (before[:10] != after[:10])[np.isfinite(before[:10])].all()
    np.testing.assert_array_equal(changed["evi"].values, samples["evi"].values)
    complete = np.isfinite(changed["gpp"].values[:10])
    closed = (changed["reco"] - changed["gpp"] - changed["nee"]).values[:10][complete]
    assert (closed == 0).all()


def test_the_partitioning_is_drawn_once_for_all_towers(stated):
    with xr.open_dataset(stated) as ds:
        share = ds["share"].load()
    for seed in range(30):
        drawn = module.choose_alternatives(share, "NT_REF", seed)
        others = {drawn.get(f"XX-{k:03d}") for k in range(1, 10)}
        assert others in ({None}, {"DT_REF"})
        assert drawn["XX-000"] == ("DT_REF" if others == {"DT_REF"} else "NT_05")  # the other percentile has too few steps
        fewer = module.choose_alternatives(share.isel(site=[0, 4]), "NT_REF", seed)
        assert all(drawn.get(site) == label for site, label in fewer.items())


def test_a_tower_draws_percentiles_by_the_share_of_thresholds_that_they_stand_for():
    labels = [f"NT_{p}" for p in ("05", "16", "25", "50", "75", "84", "95")]
    share = xr.DataArray(np.ones((7, 400)), {"alternative": labels, "site": [f"A{k}" for k in range(400)]})
    drawn = pd.Series(module.choose_alternatives(share, "NT_REF", 7)).value_counts(normalize=True).reindex(labels)
    np.testing.assert_allclose(drawn.to_numpy(), [0.105, 0.1, 0.17, 0.25, 0.17, 0.1, 0.105], atol=0.06)


def _train(files, output, settings, member="0", **options):
    train_model(
        **files,
        folder=str(output),
        model="lightgbm",
        fold="all",
        member=member,
        features={"dynamic": ["air_temperature", "evi"], "static": ["igbp_fraction"]},
        training=settings,
        plugin="lightgbm",
        options={},
        step="month",
        seed=1,
        **options,
    )
    return checkpoint.load_member(output)


def test_the_record_names_what_a_member_drew(files, settings, stated, tmp_path):
    members = [_train(files, tmp_path / str(k), settings, str(k), alternatives=[stated]) for k in range(4)]
    again = _train(files, tmp_path / "again", settings, "3", alternatives=[stated])
    assert again.spec.digest == members[3].spec.digest
    drawn = [member.spec.training.drawn for member in members]
    assert {labels.get("XX-001") for labels in drawn} == {None, "DT_REF"} and all("XX-000" in labels for labels in drawn)
    plain = _train(files, tmp_path / "plain", settings)
    assert not plain.spec.training.drawn and not plain.spec.training.alternatives
    assert plain.spec.training.kin != members[0].spec.training.kin  # no ensemble of both
    assert {m.spec.inputs_key for m in members} == {plain.spec.inputs_key}  # so that members share their inputs


def test_towers_without_alternatives_train_as_without_the_option(files, settings, samples, tmp_path):
    table = samples[list(FLUXES)].to_dataframe()[list(FLUXES)].reset_index().rename(columns={"time": "date"})
    table.to_parquet(tmp_path / "towers.parquet")
    empty = str(tmp_path / "alternatives.nc")
    build_alternatives(records=str(tmp_path / "towers.parquet"), samples=files["samples"], alternative=empty, reading=CHOSEN)
    plain, other = _train(files, tmp_path / "a", settings), _train(files, tmp_path / "b", settings, alternatives=[empty])
    assert plain.spec.weights == other.spec.weights and not other.spec.training.drawn

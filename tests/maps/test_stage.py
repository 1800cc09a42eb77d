"""Written files: values, closure, blocks that change nothing, errors, and budgets that agree with the maps."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import carbon, contracts, files
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError, MachineError, PluginError
from tamrl.maps import blocks, land, stage
from tamrl.maps.budgets.stage import sum_budgets, sum_year
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration
from tests import disks


def members(world, flux):
    ds = xr.open_zarr(world.store, consolidated=False)
    gpp, reco = ds["gpp"].values.astype(float), ds["reco"].values.astype(float)
    return {"gpp": gpp, "reco": reco, "nee": reco - gpp}[flux]


def share(world):
    return land.describe_land(xr.open_zarr(world.folder / "cube.zarr", consolidated=False), vegetated_only=True).share


@pytest.mark.parametrize("flux", FLUXES)
def test_a_map_holds_mean_spread_and_quantiles_of_the_land(daily, flux):
    ds = xr.open_dataset(daily.write_map(flux))
    values = members(daily, flux)
    expected = values.mean(0)
    np.testing.assert_allclose(ds[flux].values, expected * share(daily), rtol=1e-5, atol=1e-5)
    fitted, scale = Calibration.read(daily.folder / "calibration.json").at("day", flux)
    of_tower = conformal.interval(fitted, expected, values.std(0, ddof=1))
    q05, _, sigma = (expected + (of_tower[0] - expected) * 0.8, None, of_tower[2] * 0.8)  # the flux has no noise
    assert scale == "day" and ds[f"{flux}_std"].tower_std_over_std == pytest.approx(1 / 0.8)
    np.testing.assert_allclose(ds[f"{flux}_std"].values, sigma * share(daily), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ds[f"{flux}_q05"].values, q05 * share(daily), rtol=1e-4, atol=1e-4)
    desert = ds[flux].isel(lat=slice(6, 8), lon=slice(10, None))
    assert (desert == 0).all() and (ds[f"{flux}_std"].isel(lat=6, lon=20) == 0).all()
    assert np.isnan(ds[flux].isel(lon=slice(0, 10))).all(), "sea and cells with too little land"
    assert np.isnan(ds[flux].values).sum() == 366 * 180 + 1, "what one member lacks is missing, and nothing else"


def test_a_map_tells_how_many_drivers_were_filled(daily, climatology):
    ds = xr.open_dataset(daily.write_map("gpp"))
    filled = ds["filled_drivers"]
    assert filled.dims == ("lat", "lon") and "Of 2 drivers" in filled.attrs["comment"]
    np.testing.assert_array_equal(np.isnan(filled), ds["land_fraction"] == 0)
    np.testing.assert_allclose(filled.isel(lat=3, lon=slice(20, None)), 0.5)
    assert float(filled.isel(lat=slice(4, None)).max()) == 0
    assert "filled_drivers" not in xr.open_dataset(climatology.write_map("gpp")), "a grid without composites has none"


def test_the_balance_closes_in_the_written_files(daily):
    gpp, reco, nee = (xr.open_dataset(daily.write_members(flux))[flux] for flux in FLUXES)
    assert gpp.dims == ("time", "member", "lat", "lon") and gpp.dtype == "float32"
    assert float(np.abs(carbon.residual(gpp=gpp, reco=reco, nee=nee)).max()) < 1e-5
    gpp, reco, nee = (xr.open_dataset(daily.write_map(flux))[flux] for flux in FLUXES)
    assert float(np.abs(carbon.residual(gpp=gpp, reco=reco, nee=nee)).max()) < 1e-5


def test_units_of_the_climate_modellers(daily):
    usual = xr.open_dataset(daily.write_map("nee"))
    other = xr.open_dataset(daily.write_map("nee", "si", units="kg m-2 s-1"))
    assert (usual["nee"].units, other["nee"].units) == ("g m-2 d-1", "kg m-2 s-1")
    for name in ("nee", "nee_std", "nee_q05", "nee_q95"):
        np.testing.assert_allclose(other[name].values * 86400 * 1000, usual[name].values, rtol=1e-5, atol=1e-5)


def test_blocks_of_any_size_write_the_same_values(daily, monkeypatch):
    whole = xr.open_dataset(daily.write_map("nee")).load()
    monkeypatch.setattr(blocks, "strips", lambda store: [slice(0, 3), slice(3, 4), slice(4, 18)])
    real = blocks.steps
    monkeypatch.setattr(blocks, "MEMORY", 101)
    monkeypatch.setattr(blocks, "steps", lambda count, **_: real(count, bytes_per_step=1))
    monkeypatch.setattr(stage.netcdf, "CHUNK", 3 * 18 * 36 * 4)
    other = xr.open_dataset(daily.write_map("nee", "blocks")).load()
    assert other["nee"].encoding["chunksizes"] == (3, 18, 36)
    xr.testing.assert_equal(whole, other)


def test_without_classes_or_by_choice_the_whole_land_counts(make_world):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=5), igbp=False)
    ds = xr.open_dataset(world.write_map("gpp"))
    assert float(ds["gpp"].isel(lat=6, lon=20).min()) > 0
    assert "no igbp_fraction" in ds["gpp"].comment
    ds = xr.open_dataset(world.write_map("gpp", "choice", vegetated_only=False))
    assert "vegetated_only: false" in ds["gpp"].comment


def test_a_single_member_gets_the_calibrated_interval_without_spread(make_world):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=3), members=1)
    ds = xr.open_dataset(world.write_map("gpp"))
    known = np.isfinite(ds["gpp"].values)
    assert known.any() and np.isfinite(ds["gpp_std"].values[known]).all()
    table = budgets(world)
    assert np.isnan(table["member_std"]).all() and (table["std"] > 0).any()


def budgets(world, virtual=False, vegetated_only=True):
    output = world.folder / "budgets.csv"
    sum_budgets(
        manifests=[world.common["manifest"]],
        cube=world.common["cube"],
        **world.errors,
        budgets=output,
        members=world.folder / "budget_members.csv",
        trends=world.folder / "budget_trends.csv",
        regions=world.folder / "regions.csv",
        labels=[world.label],
        vegetated_only=vegetated_only,
        virtual=virtual,
    )
    return contracts.check_table(pd.read_csv(output, dtype={"year": str}), contracts.BUDGETS, where=output)


def test_budgets_of_years_that_are_summed_apart_have_the_same_bits(daily, tmp_path):
    budgets(daily)
    names = ("budgets", "budget_members", "budget_trends", "regions")
    before = {name: (daily.folder / f"{name}.csv").read_bytes() for name in names}
    common = {"cube": daily.common["cube"], "vegetated_only": True, **daily.errors}
    sum_year(manifest=daily.common["manifest"], label=daily.label, tables=str(tmp_path / "2012"), **common)
    outputs = dict(
        zip(("budgets", "members", "trends", "regions"), (str(tmp_path / f"{name}.csv") for name in names), strict=True)
    )
    sum_budgets(manifests=[daily.common["manifest"]], labels=[daily.label], years=[str(tmp_path / "2012")], **common, **outputs)
    assert {name: (tmp_path / f"{name}.csv").read_bytes() for name in names} == before


@pytest.mark.parametrize("name", ["daily", "climatology"])
def test_budgets_are_those_of_the_written_members(name, request):
    world = request.getfixturevalue(name)
    table = budgets(world).set_index(["flux", "region"])
    for flux in FLUXES:
        ds = xr.open_dataset(world.write_members(flux))
        bounds = ds[ds["time"].attrs.get("bounds", "climatology_bnds")]
        months = (ds["time"].values.astype("datetime64[M]") + 1).astype("datetime64[D]") - ds["time"].values.astype(
            "datetime64[D]"
        )
        days = months.astype(float) if name == "climatology" else (bounds[:, 1] - bounds[:, 0]).dt.days
        days = xr.DataArray(np.asarray(days, float), dims="time")
        present = np.isfinite(ds[flux]).all("member")
        per_member = (ds[flux].astype(float).where(present) * ds["cell_area"] * ds["land_fraction"] * days).sum(
            ("time", "lat", "lon")
        ) * 1e-15
        row = table.loc[(flux, "globe")]
        np.testing.assert_allclose(row["mean"], per_member.mean(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(row["member_std"], per_member.std(ddof=1), rtol=1e-2, atol=1e-5)
        np.testing.assert_allclose([row["minimum"], row["maximum"]], [per_member.min(), per_member.max()], rtol=1e-4, atol=1e-4)


def test_regions_add_up_to_the_globe_and_bare_classes_carry_nothing(daily):
    table = budgets(daily).pivot(index="region", columns="flux", values="mean")
    bands = table.loc[[r for r in table.index if r[0].isdigit()]]
    np.testing.assert_allclose(bands.sum(), table.loc["globe"], rtol=1e-4)
    np.testing.assert_allclose(table.loc[[*land.classes.IGBP]].sum(), table.loc["globe"], rtol=1e-4)
    assert (table.loc[["BSV", "SNO", "WAT"]] == 0).all(axis=None)
    assert (table.loc["globe", "nee"]) == pytest.approx(table.loc["globe", "reco"] - table.loc["globe", "gpp"], abs=1e-3)


def test_deserts_let_in_raise_the_total(daily):
    closed, opened = (budgets(daily, vegetated_only=v).set_index(["flux", "region"])["mean"] for v in (True, False))
    assert opened["gpp", "globe"] > closed["gpp", "globe"] * 1.05
    assert opened["gpp", "BSV"] > 0


@pytest.mark.parametrize("key", ["label", "store", "cube"])
def test_predictions_of_another_label_store_or_cube_are_refused(make_world, key):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=3))
    manifest = world.common["manifest"]
    files.write_json(manifest, files.read_json(manifest) | {"store_digest" if key == "store" else key: "f" * 64})
    with pytest.raises(ContractError, match=f"not finished for this {key}"):
        world.write_map("gpp")
    with pytest.raises(ContractError, match=f"not finished for this {key}"):
        budgets(world)


def test_a_flux_without_calibration_is_refused(make_world):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=3))
    file = world.folder / "calibration.json"
    days = files.read_json(file)["scales"]["day"]
    files.write_json(file, {"scales": {"day": {"gpp": days["gpp"]}}})
    with pytest.raises(ContractError, match="no calibration of reco for a day"):
        world.write_map("reco")
    assert not list(world.folder.glob("*reco*"))


def test_a_lost_chunk_of_the_predictions_is_refused_and_the_old_map_stays(make_world):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=5))
    before = files.sha256(world.write_map("gpp"))
    next((world.store / "gpp/c/0/0").rglob("[0-9]*/[0-9]*")).unlink()
    with pytest.raises(ContractError, match="differs from its manifest"):
        world.write_map("gpp")
    assert files.sha256(world.folder / "map_gpp.nc") == before
    assert not list(world.folder.glob(".part-*"))


def test_an_unknown_product_is_refused(daily):
    extra = {"calibration": daily.folder / "calibration.json", "applicability": daily.folder / "applicability.nc"}
    with pytest.raises(PluginError, match="no plug-in named"):
        stage.write_product(**daily.common, **extra, file="x.nc", format=daily.format(), flux="gpp", product="ensmble")


def test_a_full_disk_while_a_map_is_written_is_named_and_the_old_map_stays(make_world):
    world = make_world(label="2012", time=pd.date_range("2012-01-01", periods=5))
    before = files.sha256(world.write_map("gpp"))
    with disks.limited(12_000), pytest.raises(MachineError, match=r"map_gpp\.nc[\s\S]*EFBIG"):
        world.write_map("gpp")
    assert files.sha256(world.folder / "map_gpp.nc") == before and not list(world.folder.glob(".part-*"))

"""The stage end to end on a world of 5 degrees: totals, regions, files, refusals."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import zarr

from tamrl import alternatives
from tamrl.errors import ConfigError, ContractError
from tamrl.grid import Grid
from tamrl.towers import survey
from tamrl.towers.networks import fluxnet, fluxnet2015
from tamrl.twin import archives, modis, stage
from tamrl.twin.world import WorldStore

pytestmark = pytest.mark.xdist_group("twin")


@pytest.fixture(scope="module")
def world(written):
    return WorldStore.of(zarr.open_group(written.world, mode="r"), where=written.world)


@pytest.fixture(scope="module")
def truth(written):
    return {flux: xr.open_dataarray(path).load() for flux, path in written.truth.items()}


@pytest.fixture(scope="module")
def land_area(world):
    grid, parts = Grid(5.0), world.mosaic
    area = np.zeros(grid.shape)
    area.ravel()[parts.cell] = np.broadcast_to(grid.area(), grid.shape).ravel()[parts.cell] * parts.land
    return xr.DataArray(area, dims=("lat", "lon"), coords={"lat": grid.lat, "lon": grid.lon})


def test_global_totals_are_those_of_the_earth(truth, land_area):
    total = {flux: float((values.sum("time").fillna(0) * land_area).sum()) / 1e15 for flux, values in truth.items()}
    assert 90 < total["gpp"] < 150
    assert -12 < total["nee"] < 0
    assert land_area.sum() == pytest.approx(1.45e14, rel=0.03)


def test_regions_rank_as_they_should(truth, land_area):
    yearly = truth["gpp"].sum("time", min_count=1)
    mean = lambda low, high: float(yearly.where(land_area > 0).sel(lat=slice(high, low)).weighted(land_area).mean())  # noqa: E731
    assert mean(-10, 5) > mean(35, 50) > mean(55, 70) > mean(72, 85)
    assert float(yearly.sel(lat=22.5, lon=7.5, method="nearest")) < 100, "the Sahara is bare"
    north = truth["gpp"].sel(lat=slice(70, 50)).mean(("lat", "lon")).groupby("time.month").mean()
    assert int(north.values.argmax()) in (5, 6, 7)


def test_truth_balances_and_is_missing_only_at_sea(truth, land_area):
    np.testing.assert_array_equal(truth["nee"], truth["reco"] - truth["gpp"])
    for flux, values in truth.items():
        assert values.name == flux
        assert values.dims == ("time", "lat", "lon")
        assert values.shape == (366, 36, 72)
        assert values.dtype == np.float32
        assert (np.isnan(values).all("time") == (land_area == 0)).all()
        assert not np.isnan(values.where(land_area > 0, 0)).any()
    assert (np.diff(truth["gpp"]["lat"]) < 0).all()


def test_era5_files_are_the_weather_of_the_world(written, world):
    files = sorted(p.name for p in written.era5.iterdir())
    assert len(files) == 4 * 24
    with xr.open_dataset(written.era5 / "era5_total_precipitation_daily_sum_2012_02.nc") as ds:
        assert ds.sizes == {"valid_time": 29, "latitude": 37, "longitude": 72}
        np.testing.assert_array_equal(ds["tp"].values, world.weather(2012, 2)["tp"])


def test_modis_files_show_the_season(written):
    files = sorted(p.name for p in written.modis.iterdir())
    assert len(files) == 46
    assert files[0] == "MOD13C1.A2011001.061.nc"
    north = {}
    for day in ("017", "209"):
        with xr.open_dataset(written.modis / f"MOD13C1.A2012{day}.061.nc") as ds:
            assert ds[modis.EVI].shape == (72, 144)
            north[day] = float(ds[modis.EVI].where(ds[modis.RELIABILITY] < 3).sel(lat=slice(65, 45)).mean())
    assert north["209"] > 2 * north["017"]


def test_carbon_dioxide_is_a_series_that_drivers_can_read(written):
    table = pd.read_csv(f"{written.static}-co2.csv", comment="#")
    assert (
        list(table) == ["year", "ppm"]
        and (table["year"].diff().dropna() == 1).all()
        and (table["ppm"].diff().dropna() == 2).all()
    )
    assert {1990, 2010, 2030} <= set(table["year"])


def test_static_maps_lie_on_the_globe(written, world):
    with rasterio.open(written.static / "land_cover.tif") as cover, rasterio.open(written.static / "koppen.tif") as koppen:
        assert cover.crs.to_epsg() == koppen.crs.to_epsg() == 4326
        assert tuple(cover.bounds) == (-180, -90, 180, 90)
        assert (cover.dtypes, koppen.dtypes) == (("uint8",), ("uint8",))
        np.testing.assert_array_equal(cover.read(1), world.static("land_cover"))
        assert set(np.unique(koppen.read(1))) == {0, 1, 2, 3, 4, 5}
    with rasterio.open(written.static / "elevation.tif") as height:
        values = height.read(1)
        assert (height.nodata, height.shape) == (-9999, (36, 72))
        assert values[values != -9999].min() > 0


def test_archives_are_whole(written):
    old, new = sorted(written.fluxnet2015.glob("*.zip")), sorted(written.fluxnet.glob("*.zip"))
    assert (len(old), len(new)) == (12, 12)
    table = pd.read_csv(written.fluxnet2015 / archives.BIF_2015, sep=";", encoding="latin-1", keep_default_na=False)
    assert set(table["SITE_ID"]) == {p.name.split("_")[1] for p in old}
    for path in (*old, *new):
        with zipfile.ZipFile(path) as archive:
            (daily,) = [n for n in archive.namelist() if "_DD_" in n]
            record = pd.read_csv(archive.open(daily), na_values=-9999)
            assert any("_BIF_" in n for n in archive.namelist()) == (path in new)
        first, last = map(int, path.stem.split("_SUBSET_" if path in old else "_FLUXNET_")[1].split("_")[0].split("-"))
        assert record["TIMESTAMP"].iloc[[0, -1]].tolist() == [first * 10000 + 101, last * 10000 + 1231]
        assert ((record["SW_IN_F"] <= record["SW_IN_POT"] + 0.01) | record["SW_IN_F"].isna()).all()
        assert record["GPP_NT_VUT_REF"].notna().mean() > 0.2


def test_towers_of_the_newer_product_state_percentiles(written):
    kinds = ("partitioning", "ustar")
    for network, labels in ((fluxnet, {"DT_REF", "NT_16", "NT_84", "DT_16", "DT_84"}), (fluxnet2015, {"DT_REF"})):
        options = network.Options(path=str(getattr(written, network.__name__.rpartition(".")[2])))
        plan = survey.SurveyPlan("day", alternatives=kinds)
        records, _, _ = survey.read_tables(network, [Path(options.path)], options, plan)
        assert {a.label for a in alternatives.listed(records)} == labels
        assert (records["reco_DT_REF"] != records["reco"])[records["reco"].notna()].mean() > 0.9


def test_every_world_has_a_managed_tower_that_says_so(written, world):
    table = pd.read_csv(written.fluxnet2015 / archives.BIF_2015, sep=";", encoding="latin-1")
    told = set(table.loc[table["VARIABLE"] == "DM_WATER", "SITE_ID"])
    for path in written.fluxnet.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            (name,) = [n for n in archive.namelist() if "_BIF_" in n]
            part = pd.read_csv(archive.open(name))
        told |= set(part.loc[part["VARIABLE"] == "DM_WATER", "SITE_ID"])
    assert told == set(world.towers.site[world.towers.irrigated])
    assert told


def test_towers_tell_what_truth_was(written, world):
    """Averaged over a record, the noise is small against the differences between towers."""
    series, towers = world.tower_series(), world.towers
    pairs = []
    for number in range(0, towers.site.size, 2):
        (path,) = written.fluxnet2015.glob(f"FLX_{towers.site[number]}_*.zip")
        with zipfile.ZipFile(path) as archive:
            record = pd.read_csv(archive.open(archive.namelist()[0]), na_values=-9999)
        days = pd.date_range("2011-01-01", "2012-12-31").strftime("%Y%m%d").astype(int)
        true = pd.Series(series["gpp"][:, number], index=days).reindex(record["TIMESTAMP"]).to_numpy()
        seen = record["GPP_DT_VUT_REF"].to_numpy()
        pairs.append((np.nanmean(seen), true[~np.isnan(seen)].mean()))
    seen, true = np.array(pairs).T
    assert np.corrcoef(seen, true)[0, 1] > 0.98


@pytest.mark.parametrize("time", [{"step": "month", "years": [2011]}, {"step": "day", "years": []}])
def test_months_and_climatologies_are_refused(tmp_path, time):
    with pytest.raises(ConfigError):
        stage.simulate_world(world=str(tmp_path / "w.zarr"), twin={}, time=time, resolution=5.0, seed=1)
    assert not list(tmp_path.iterdir())


def test_truth_of_another_year_or_flux_is_refused(written, tmp_path):
    for label in ("1999", "all"):
        with pytest.raises(ConfigError, match="no such truth"):
            files = [str(tmp_path / f"{flux}_{label}.nc") for flux in ("gpp", "reco", "nee")]
            stage.write_truth(world=str(written.world), files=files, labels=[label])
    with pytest.raises(ConfigError, match="no such truth"):
        stage.write_truth(world=str(written.world), files=[str(tmp_path / "npp_2012.nc")], labels=["2012"])
    assert not list(tmp_path.iterdir())


def test_a_world_that_lost_a_chunk_or_is_of_another_layout_is_refused(written, tmp_path):
    copy = tmp_path / "world.zarr"
    shutil.copytree(written.world, copy)
    (copy / "months/2011-07/tp/c/0/0/0").unlink()
    with pytest.raises(ContractError, match="differs from its manifest"):
        stage.write_era5(world=str(copy), folder=str(tmp_path / "era5"), twin={"era5_format": "netcdf"})
    assert not (tmp_path / "era5").exists()
    other = zarr.open_group(tmp_path / "other.zarr", mode="w", attributes={"layout": 0})
    with pytest.raises(ContractError, match="no world of this version"):
        WorldStore.of(other, where="other.zarr")


def test_the_manifest_says_how_the_world_was_made(written):
    about = json.loads((written.world / "manifest.json").read_text())["about"]
    assert (about["seed"], about["resolution"], about["years"]) == (1, 5.0, [2011, 2012])

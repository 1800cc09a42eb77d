"""The index by hand, the threshold's rule, and the stage on a small world."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, contracts, files, simulated, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.uncertainty import applicability, stage
from tamrl.uncertainty.descriptions import DescribedTowers
from tamrl.uncertainty.stage import assess_applicability, assess_towers, describe_driver

MONTHS = np.repeat(np.arange(1, 13), 30)


def test_the_season_is_mean_and_amplitude_of_monthly_means():
    wave = 10 + 5 * np.cos(2 * np.pi * (MONTHS - 1) / 12)
    mean, amplitude = applicability.mean_and_amplitude(np.stack([wave, 2 * wave], 1), MONTHS)
    np.testing.assert_allclose(mean, [10, 20])
    np.testing.assert_allclose(amplitude, [10, 20])


def test_a_month_mostly_missing_leaves_the_place_undescribed():
    values = np.ones((360, 3))
    values[:20, 1] = np.nan
    values[:10, 2] = np.nan
    mean, amplitude = applicability.mean_and_amplitude(values, MONTHS)
    assert np.isnan(mean).tolist() == np.isnan(amplitude).tolist() == [False, True, False]


def test_blocks_of_steps_change_no_bit_of_mean_and_amplitude():
    values = np.random.default_rng(0).normal(size=(360, 5, 7)).astype("f4")
    values[::7, 2] = np.nan
    one = applicability.mean_and_amplitude(values, MONTHS)
    many = applicability.mean_and_amplitude((values[first : first + 37] for first in range(0, 360, 37)), MONTHS)
    by_month = [np.nansum(values[month == MONTHS], axis=0, dtype=float) for month in range(1, 13)]
    counts = [np.isfinite(values[month == MONTHS]).sum(0) for month in range(1, 13)]
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(one[0], (np.array(by_month) / counts).mean(0))


def line(folds):
    """Towers at 0, 1, 2, 3 and 10 on one predictor, another that is the same everywhere."""
    towers = np.array([[0.0, 5], [1, 5], [2, 5], [3, 5], [10, 5]])
    return applicability.reference(towers, families=np.array(["a", "b"]), folds=np.array(folds)), towers


def test_the_index_is_mean_distance_to_three_towers_over_the_mean_distance():
    found, _ = line(["0", "1", "0", "1", "0"])
    mean_distance = np.mean([1, 2, 3, 10, 1, 2, 9, 1, 8, 7])
    places = np.array([[0.0, 5], [5.0, -3], [14.0, 5], [np.nan, 5]])
    expected = np.array([1, 3, 9, np.nan]) / mean_distance
    np.testing.assert_allclose(applicability.dissimilarity(found, places), expected)


def test_the_threshold_is_the_upper_whisker_of_held_out_towers():
    found, _ = line(["0", "1", "0", "1", "0"])
    distances = np.array([2, 11 / 3, 1, 11 / 3, 8])  # to all towers of the other fold, as there are three at most; an outlier
    low, high = np.quantile(distances, [0.25, 0.75])
    assert distances.max() > high + 1.5 * (high - low)
    assert found.threshold == pytest.approx(11 / 3 / np.mean([1, 2, 3, 10, 1, 2, 9, 1, 8, 7]))


def test_towers_near_a_test_site_neither_train_nor_test():
    found, _ = line(["test", "near-test", "none", "none", "none"])
    assert found.threshold == pytest.approx(5 / np.mean([1, 2, 3, 10, 1, 2, 9, 1, 8, 7]))


def test_a_predictor_counts_as_much_as_its_weight():
    towers = np.random.default_rng(3).normal(0, 1, (40, 2))
    families, folds = np.array(["a", "b"]), np.array(["0", "1"] * 20)
    found = applicability.reference(towers, families=families, folds=folds, weights=np.array([1.0, 0.05]))
    centre = towers.mean(0)
    far_in_a, far_in_b = applicability.dissimilarity(found, centre + np.diag([4.0, 4.0]))
    assert far_in_a > 3 * far_in_b
    index = applicability.of_held_out(towers, families=families, folds=folds, weights=np.array([1.0, 0.05]))
    by_a = applicability.of_held_out(towers[:, :1], families=families[:1], folds=folds)
    assert np.corrcoef(index, by_a)[0, 1] > 0.95


def test_the_classes_of_a_fraction_count_as_one_predictor():
    rng = np.random.default_rng(1)
    towers = np.column_stack([rng.normal(0, 3, 50), rng.dirichlet(np.ones(5), 50)])
    families = np.array(["t", *["igbp"] * 5])
    found = applicability.reference(towers, families=families, folds=np.array(["0", "1"] * 25))
    variance = ((towers - towers.mean(0)) / found.scale).var(0, ddof=1)
    assert variance[0] == pytest.approx(1) and variance[1:].sum() == pytest.approx(1)


def test_too_few_or_equal_towers_are_refused():
    folds = np.array(["0", "1"])
    with pytest.raises(ContractError, match="three towers"):
        applicability.reference(np.ones((2, 1)), families=np.array(["a"]), folds=folds)
    with pytest.raises(ContractError, match="same predictors"):
        applicability.reference(np.ones((4, 1)), families=np.array(["a"]), folds=np.array(["0", "1"] * 2))
    with pytest.raises(ContractError, match="held out"):
        applicability.reference(np.eye(4), families=np.array(list("abcd")), folds=np.array(["none"] * 4))


@pytest.fixture
def inputs(tmp_path):
    """Two years of temperature that falls with latitude; towers at 30 to 60 degrees north only."""
    grid, rng = Grid(15.0), np.random.default_rng(2)
    time = pd.date_range("2001-01-01", "2002-12-31")
    lat = np.broadcast_to(grid.lat[:, None], grid.shape)
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365)[:, None, None]
    temperature = 300 - 0.5 * np.abs(lat) + 0.3 * lat * season + rng.normal(0, 1, (len(time), *grid.shape))
    land = np.ones(grid.shape)
    land[:, :4] = 0
    land[:, 4] = 0.01
    fraction = np.zeros((len(classes.IGBP), *grid.shape))
    fraction[classes.IGBP.index("GRA")] = 1
    cube = xr.Dataset(
        {
            "air_temperature": (("time", "lat", "lon"), np.where(land > 0, temperature, np.nan).astype("float32")),
            "igbp_fraction": (("igbp", "lat", "lon"), np.where(land > 0, fraction, np.nan).astype("float32")),
            "land_fraction": (("lat", "lon"), land.astype("float32")),
        },
        coords={"time": time, "lat": grid.lat, "lon": grid.lon, "igbp": list(classes.IGBP)},
        attrs={"time_step": "day", "resolution": 15.0},
    )
    cube["air_temperature"][5:40, 6, 12] = np.nan  # most of a January, in both years' mean only a part
    cube["air_temperature"][365 + 5 : 365 + 31, 6, 12] = np.nan
    cube.to_zarr(tmp_path / "cube.zarr", zarr_format=3, consolidated=False)
    stores.seal_store(tmp_path / "cube.zarr", origin={})
    sites = [f"XX-{i}" for i in range(9)]
    rows, columns = np.repeat([2, 3, 4], 3), np.tile([6, 9, 12], 3)
    point = {"lat": xr.DataArray(rows, dims="site"), "lon": xr.DataArray(columns, dims="site")}
    towers = cube[["air_temperature", "igbp_fraction"]].isel(point)
    towers = towers.transpose("site", "igbp", "time").assign_coords(site=sites)
    towers = towers.assign({flux: (("site", "time"), np.ones((9, len(time)))) for flux in (*FLUXES, "nee_qc")})
    towers = towers.assign_coords(igbp_class=("site", ["GRA"] * 9), koppen_class=("site", ["Temperate"] * 9))
    towers["air_temperature"] = towers["air_temperature"] + xr.DataArray(rng.normal(0, 0.5, 9), dims="site")
    towers.to_netcdf(tmp_path / "grid.nc")
    pd.DataFrame({"site": sites, "group": range(9), "fold": [str(i % 3) for i in range(9)]}).to_csv(
        tmp_path / "splits.csv", index=False
    )
    return tmp_path


def assess(folder, virtual=False, threads=1, seasons=None, **features):
    assess_applicability(
        cube=folder / "cube.zarr",
        samples=folder / "grid.nc",
        splits=folder / "splits.csv",
        map=folder / "applicability.nc",
        features={"dynamic": ["air_temperature"], "static": ["igbp_fraction"]} | features,
        min_land_fraction=0.02,
        seasons=seasons,
        virtual=virtual,
        threads=threads,
    )
    return xr.open_dataset(folder / "applicability.nc", mask_and_scale=False)


def test_threads_change_no_bit_of_the_map(inputs, monkeypatch):
    monkeypatch.setattr(stage, "_bands", lambda driver: (slice(k, k + 1) for k in range(driver.sizes["lat"])))
    maps = [assess(inputs, threads=threads).load() for threads in (1, 3)]
    xr.testing.assert_identical(*maps)
    assert np.unique(maps[0]["applicability"]).size > 1


@pytest.mark.parametrize("threads", [1, 3])
def test_drivers_described_by_jobs_of_their_own_give_the_same_bits(inputs, threads):
    whole, season = assess(inputs).load(), inputs / "air_temperature.nc"
    describe_driver(cube=inputs / "cube.zarr", season=season, variable="air_temperature", threads=threads)
    xr.testing.assert_identical(assess(inputs, seasons=[season]).load(), whole)
    with xr.open_dataset(season) as described:
        assert described["mean"].attrs["units"] == "K"
    season.write_bytes(season.read_bytes()[:-1])
    with pytest.raises(ContractError, match="sealed"):
        assess(inputs, seasons=[season])


def test_descriptions_are_taken_by_the_name_of_their_driver(inputs):
    """A choice may do without a driver, or name them in another order."""
    with xr.open_zarr(inputs / "cube.zarr", consolidated=False) as cube:
        twice = cube.load().assign(dew_point_temperature=cube["air_temperature"] - 5)
    shutil.rmtree(inputs / "cube.zarr")
    twice.to_zarr(inputs / "cube.zarr", zarr_format=3, consolidated=False)
    stores.seal_store(inputs / "cube.zarr", origin={})
    expected, paths = assess(inputs).load(), []
    for name in ("dew_point_temperature", "air_temperature"):
        paths.append(inputs / f"{name}.nc")
        describe_driver(cube=inputs / "cube.zarr", season=paths[-1], variable=name)
    xr.testing.assert_identical(assess(inputs, seasons=paths).load(), expected)
    with pytest.raises(ContractError, match="not described"):
        assess(inputs, seasons=paths[:1])


def test_descriptions_of_another_grid_are_refused(inputs):
    season = inputs / "air_temperature.nc"
    describe_driver(cube=inputs / "cube.zarr", season=season, variable="air_temperature")
    with xr.open_dataset(season) as described:
        shifted = described.load().assign_coords(lat=described["lat"] + 1)
    with files.atomic(season) as part:
        shifted.to_netcdf(part, engine="netcdf4")
    with pytest.raises(ContractError, match="another grid"):
        assess(inputs, seasons=[season])


def test_the_stage_maps_where_towers_stand_and_where_they_do_not(inputs):
    ds = assess(inputs)
    flags = ds["applicability"].values
    assert flags.dtype == np.int8 and ds["applicability"].attrs["flag_meanings"] == "outside inside"
    assert (flags[:, :5] == -1).all(), "sea, and cells with too little land"
    assert flags[6, 12] == -1, "a cell without a described January"
    assert (flags[3, 6:] == 1).mean() > 0.8 and (flags[[0, -1], 6:] == 0).all()
    index = ds["dissimilarity"].values
    known = flags >= 0
    np.testing.assert_array_equal(index[known] <= ds["dissimilarity"].attrs["threshold"], flags[known] == 1)
    assert ds["dissimilarity"].attrs["grid_mapping"] == "crs" and "crs_wkt" in ds["crs"].attrs


def test_the_mask_of_a_virtual_earth_says_so_and_is_the_same(inputs):
    real = assess(inputs).load()
    virtual = assess(inputs, virtual=True).load()
    xr.testing.assert_equal(real, virtual)
    assert simulated.is_stated(virtual.attrs) and not simulated.is_stated(real.attrs)
    for name in ("title", "summary", "source"):
        assert simulated.STATEMENT in virtual.attrs[name] and simulated.STATEMENT not in real.attrs.get(name, "")


def test_strips_of_any_height_give_the_same_map(inputs, monkeypatch):
    from tamrl.uncertainty import stage

    whole = assess(inputs)["dissimilarity"].values
    monkeypatch.setattr(stage, "_bands", lambda driver: [slice(i, i + 1) for i in range(driver.sizes["lat"])])
    np.testing.assert_array_equal(assess(inputs)["dissimilarity"].values, whole)


def test_places_have_the_index_of_their_cells(inputs):
    index = assess(inputs)["dissimilarity"].values
    row, column = np.array([2, 6, 6, 11]), np.array([6, 12, 20, 8])
    chosen = {"lat": xr.DataArray(row, dims="site"), "lon": xr.DataArray(column, dims="site")}
    cells = stores.open_cube(inputs / "cube.zarr").isel(chosen).load().transpose("site", ...)
    paths = str(inputs / "grid.nc"), str(inputs / "splits.csv")
    towers = DescribedTowers.read(*paths)
    expected = np.where(index > 1e30, np.nan, index)[row, column]
    assert np.isnan(expected).tolist() == [False, True, False, False]
    np.testing.assert_allclose(towers.dissimilarity(cells), expected, rtol=1e-5)
    assert np.isnan(towers.dissimilarity(cells.isel(time=slice(200)))).all(), "no January to July is no year"
    assert DescribedTowers.read(*paths) is towers and towers.of_sites(["XX-3", "XX-4"]).sites == ("XX-3", "XX-4")
    os.utime(paths[1], (1, 1))
    assert DescribedTowers.read(*paths) is not towers


def test_towers_without_a_fold_are_refused(inputs):
    table = pd.read_csv(inputs / "splits.csv", dtype=str)
    table.iloc[:-1].to_csv(inputs / "splits.csv", index=False)
    with pytest.raises(ContractError, match="not in the splits"):
        assess(inputs)
    assert not (inputs / "applicability.nc").exists()


def test_every_held_out_tower_is_compared_with_those_that_trained(inputs):
    table = pd.read_csv(inputs / "splits.csv", dtype=str)
    table.loc[0, "fold"] = "none"
    table.to_csv(inputs / "splits.csv", index=False)
    assess_towers(
        samples=inputs / "grid.nc",
        splits=inputs / "splits.csv",
        table=inputs / "dissimilarity.csv",
        features={"dynamic": ["air_temperature"], "static": ["igbp_fraction"]},
    )
    found = contracts.read_csv(inputs / "dissimilarity.csv", contracts.DISSIMILARITY)
    assert found["site"].tolist() == table["site"].tolist() and found["fold"].tolist() == table["fold"].tolist()
    assert np.isnan(found["dissimilarity"][0]) and (found["dissimilarity"][1:] > 0).all()
    threshold = assess(inputs)["dissimilarity"].attrs["threshold"]
    assert (found["dissimilarity"][1:] <= threshold).mean() > 0.7, "the threshold is the upper whisker of just these"


def test_towers_with_short_records_are_described_by_what_they_have(inputs):
    with xr.open_dataset(inputs / "grid.nc") as ds:
        short = ds.load()
    short["air_temperature"][3, 365:] = np.nan  # one year of two
    short["air_temperature"][4, 10:] = np.nan  # ten days
    short.to_netcdf(inputs / "tower.nc")
    features = {"dynamic": ["air_temperature"], "static": ["igbp_fraction"]}
    names = {"samples": inputs / "tower.nc", "splits": inputs / "splits.csv", "table": inputs / "dissimilarity.csv"}
    assess_towers(**names, features=features)
    found = contracts.read_csv(inputs / "dissimilarity.csv", contracts.DISSIMILARITY)["dissimilarity"]
    assert np.isnan(found).tolist() == [k == 4 for k in range(9)]

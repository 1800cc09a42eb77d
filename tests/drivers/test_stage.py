"""The stage on files of a tiny world: the cube, the cube at towers, and what is refused."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tamrl import contracts, humidity, solar, stores
from tamrl.drivers import stage
from tamrl.drivers.cube import fields
from tamrl.drivers.cube import write as cube_write
from tamrl.errors import ContractError, InputError, UnitError
from tamrl.grid import Grid

GRID = Grid(10)


def build(path, drivers, *, years=(2011,), step="day", resolution=10.0, threads=1):
    inputs = [drivers[s]["path"] for s in drivers["sources"] if "path" in drivers.get(s, {})]
    time = {"step": step, "years": list(years)}
    stage.build_cube(paths=inputs, cube=str(path), drivers=drivers, time=time, resolution=resolution, threads=threads)
    return stores.open_cube(path, verify=True).load()


@pytest.fixture(scope="module")
def cube_path(world, tmp_path_factory):
    return tmp_path_factory.mktemp("cube") / "cube.zarr"


@pytest.fixture
def cube(cube_path, drivers):
    return stores.open_cube(cube_path).load() if cube_path.exists() else build(cube_path, drivers)


def test_the_cube_keeps_its_contract(cube, drivers):
    names = drivers["variables"]
    contracts.check_cube(cube, dynamic=tuple(names["dynamic"]), static=tuple(names["static"]), where="test")
    assert cube.sizes["time"] == 365 and cube.attrs["time_step"] == "day" and cube.attrs["resolution"] == 10
    assert "climatology" not in cube.attrs
    assert cube["igbp"].values[9] == "GRA" and cube["koppen"].values[0] == "Tropical"
    assert all(cube[n].dtype == np.float32 for n in cube if n != "filled_drivers")
    assert cube["air_temperature"].attrs["units"] == "K"


def test_values_are_the_mean_of_four_corners(cube, write):
    raw = write.weather("t2m", cube["time"].values, resolution=10)[180]
    row, column = 4, 17  # 50..40 N, 10 W..0
    expected = np.mean([raw[4, 35], raw[5, 35], raw[4, 0], raw[5, 0]])
    assert cube["air_temperature"].values[180, row, column] == pytest.approx(expected, rel=1e-6)
    assert (cube["lat"].values[row], cube["lon"].values[column]) == (45, -5)
    radiation = write.weather("ssrd", cube["time"].values, resolution=10)[180] / 86400
    expected = np.mean([radiation[4, 35], radiation[5, 35], radiation[4, 0], radiation[5, 0]])
    assert cube["shortwave_radiation"].values[180, row, column] == pytest.approx(expected, rel=1e-5)


def test_derived_variables_follow_from_the_cell_values(cube, write):
    dew = write.weather("d2m", cube["time"].values, resolution=10)[10].astype("float32")
    here = np.float32(np.mean([dew[4, 35], dew[5, 35], dew[4, 0], dew[5, 0]]))
    warm = cube["air_temperature"].values[10, 4, 17]
    expected = humidity.saturation_vapour_pressure(warm) - humidity.saturation_vapour_pressure(here)
    assert cube["vapour_pressure_deficit"].values[10, 4, 17] == pytest.approx(expected, rel=1e-4)
    days = cube["time"].values[[0, 200]].astype("datetime64[D]")
    land = cube["land_fraction"].values[:, 17] > 0
    lat = cube["lat"].values[land]
    np.testing.assert_allclose(cube["day_length"].values[[0, 200]][:, land, 17], solar.day_length(lat, days), rtol=1e-5)


def test_the_sea_is_missing_everywhere_but_in_land_fraction(cube):
    sea = cube["land_fraction"].values == 0
    assert sea.any() and not sea.all()
    for name in cube:
        if name not in ("land_fraction", "filled_drivers"):
            assert np.isnan(cube[name].values[..., sea]).all(), name
            assert np.isfinite(cube[name].values[..., ~sea]).all(), name


def test_trap_6_class_fractions_of_the_land_sum_to_one(cube):
    land = cube["land_fraction"].values > 0
    for name in ("igbp_fraction", "koppen_fraction"):
        np.testing.assert_allclose(cube[name].values.sum(0)[land], 1, atol=1e-6)
    assert (cube["igbp_fraction"].sel(igbp="WAT").values[land] == 0).all()
    ice = cube["igbp_fraction"].sel(igbp="SNO").values
    assert set(np.unique(ice[land])) <= {0.0, 1.0}, "pure ice is exactly one"


def test_vegetation_is_not_biased_by_clouds(cube, write):
    start = pd.Timestamp("2011-07-12")  # composite of day 193
    lat = cube["lat"].values
    season = 0.5 + 0.2 * np.cos(2 * np.pi * (start.day_of_year - 200) / 365) * np.sign(lat)
    day = start + pd.Timedelta(days=8)
    found = cube["ndvi"].sel(time=day).values[:, 17]
    np.testing.assert_allclose(found[1:-2], season[1:-2], atol=0.004)


def test_filled_composites_are_counted_step_by_step(cube, drivers, world, tmp_path):
    shutil.copytree(world / "modis", tmp_path / "modis")
    lost = sorted(file for file in (tmp_path / "modis").iterdir() if "2011193" in file.name)
    for file in lost:
        file.unlink()
    found = build(tmp_path / "cube.zarr", drivers | {"modis": drivers["modis"] | {"path": str(tmp_path / "modis")}})
    count, land = found["filled_drivers"], found["land_fraction"].values > 0
    assert lost and count.dtype == "uint8" and count.attrs["of"] == 2, "NDVI and EVI"
    assert found["ndvi"].attrs["filled_share"] == pytest.approx(1 / 23, abs=1e-4)
    days = count["time"].dt.dayofyear.values[(count.values == 2).any((1, 2))]
    assert days.tolist() == list(range(186, 217)), "between the middles of the composites before and after"
    assert (count.sel(time="2011-07-20").values == 2 * land).all() and (cube["filled_drivers"].values == 0).all()


def test_two_threads_give_the_same_bits(cube, cube_path, drivers, tmp_path):
    build(tmp_path / "cube.zarr", drivers, threads=2)
    a, b = (stores.read_manifest(p).files for p in (cube_path, tmp_path / "cube.zarr"))
    assert a == b


def test_variables_made_apart_give_the_same_bits(cube_path, cube, drivers, world, tmp_path, monkeypatch):
    given = {"paths": [], "drivers": drivers, "time": {"step": "day", "years": [2011]}, "resolution": 10.0, "threads": 1}
    parts = [str(tmp_path / f"{name}.zarr") for name in drivers["variables"]["dynamic"]]
    for name, part in zip(drivers["variables"]["dynamic"], parts, strict=True):
        stage.build_driver(**given, variable=name, part=part)
    assert sorted(zarr.open_group(tmp_path / "evi.zarr").array_keys()) == ["evi", "filled_drivers"]
    for linked in (True, False):
        if not linked:
            monkeypatch.setattr(cube_write, "os", SimpleNamespace(link=_no_links))
        stage.build_cube(**given, parts=parts, cube=str(tmp_path / f"{linked}.zarr"))
        assert stores.read_manifest(tmp_path / f"{linked}.zarr") == stores.read_manifest(cube_path)
    stores.check_store(tmp_path / "evi.zarr", verify=True)
    next(file for file in (tmp_path / "ndvi.zarr/ndvi/c").rglob("*") if file.is_file()).unlink()
    with pytest.raises(ContractError, match="ndvi"):
        stage.build_cube(**given, parts=parts, cube=str(tmp_path / "broken.zarr"))
    assert not (tmp_path / "broken.zarr").exists()


def _no_links(*_):
    raise OSError("no links here")


def test_composites_on_disk_give_the_same_bits(cube_path, cube, drivers, tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "SCRATCH_BYTES", 0)
    build(tmp_path / "cube.zarr", drivers)
    a, b = (stores.read_manifest(p).files for p in (cube_path, tmp_path / "cube.zarr"))
    assert a == b


def test_fault_20_other_longitudes_and_latitudes_give_the_same_cube(cube, cube_path, drivers, world, tmp_path):
    for path in (world / "era5").glob("*.nc"):
        with xr.open_dataset(path) as ds:
            ds = ds.load()
        ds = ds.assign_coords(longitude=(ds["longitude"] + 180) % 360 - 180).sortby("longitude").sortby("latitude")
        (tmp_path / "era5").mkdir(exist_ok=True)
        ds.to_netcdf(tmp_path / "era5" / path.name)
    found = build(tmp_path / "cube.zarr", drivers | {"cds_era5": {"path": str(tmp_path / "era5")}})
    for name in cube:
        np.testing.assert_array_equal(found[name].values, cube[name].values)


def test_the_manifest_says_what_was_read(cube, cube_path):
    about = stores.read_manifest(cube_path).origin
    assert set(about["sources"]) == {"cds_era5", "modis", "static"}
    assert about["sources"]["cds_era5"]["files"] == 48 and len(about["sources"]["modis"]["sha256"]) == 64


def test_a_coarser_grid_and_months(cube, drivers, tmp_path):
    found = build(tmp_path / "cube.zarr", drivers, resolution=30.0, step="month")
    assert found.sizes["time"] == 12 and found.sizes["lat"] == 6 and found.attrs["time_step"] == "month"
    july = found["precipitation"].sel(time="2011-07-01")
    assert np.isfinite(july.values[found["land_fraction"].values > 0]).all()


def broken_era5(world, tmp_path, change):
    shutil.copytree(world / "era5", tmp_path / "era5")
    path = tmp_path / "era5/era5_t2m_2011_03.nc"
    with xr.open_dataset(path) as ds:
        ds = ds.load()
    ds = change(ds)
    path.unlink()
    ds.to_netcdf(path)
    return {"cds_era5": {"path": str(tmp_path / "era5")}}


def test_fault_18_celsius_is_refused_and_no_cube_appears(drivers, world, tmp_path):
    changed = broken_era5(world, tmp_path, lambda ds: ds.assign(t2m=ds["t2m"] - 273.15))
    with pytest.raises(UnitError, match="air_temperature"):
        build(tmp_path / "cube.zarr", drivers | changed)
    assert not list(tmp_path.glob("*cube.zarr*"))


def test_fault_22_a_missing_value_stays_where_it_is(cube, drivers, world, tmp_path):
    def pierce(ds):
        ds["t2m"][4, 5, 0] = np.nan  # 5 March, 40 N, 0 E
        return ds

    found = build(tmp_path / "cube.zarr", drivers | broken_era5(world, tmp_path, pierce))
    land = cube["land_fraction"].values > 0
    for name in cube:
        gone = np.isnan(found[name].values) & np.broadcast_to(land, found[name].shape)
        if name in ("air_temperature", "vapour_pressure_deficit"):
            assert gone.sum() == 4 and gone[63].sum() == 4
            assert found[name].attrs["missing_over_land"] == 4
        else:
            assert not gone.any()
        np.testing.assert_array_equal(found[name].values[~gone], cube[name].values[~gone])


def test_a_missing_input_is_refused(drivers, tmp_path):
    with pytest.raises(InputError, match="an input of the drivers is missing"):
        build(tmp_path / "cube.zarr", drivers | {"modis": {"path": str(tmp_path / "nowhere")}})


def towers(path, places):
    frame = pd.DataFrame(
        [{"site": s, "network": "test", "lat": lat, "lon": lon, "igbp": "GRA", "koppen": None} for s, lat, lon in places]
    )
    for column in ("elevation", "utc_offset"):
        frame[column] = np.nan
    frame["managed"] = None
    frame.to_csv(path, index=False)


def collocated(cube_path, tmp_path, places, reach=150.0):
    towers(tmp_path / "towers.csv", places)
    stage.collocate_drivers(
        cube=str(cube_path), towers=str(tmp_path / "towers.csv"), drivers=str(tmp_path / "towers.nc"), max_distance_km=reach
    )
    return xr.open_dataset(tmp_path / "towers.nc").load()


def test_towers_take_their_cell_or_the_nearest_with_drivers(cube, cube_path, tmp_path, caplog):
    places = [("NA-Own", 45.0, -5.0), ("XX-Sea", 45.0, -91.0), ("XX-Far", 0.0, 170.0), ("XX-Two", 12.0, 30.0)]
    found = collocated(cube_path, tmp_path, places)
    assert found["site"].values.tolist() == ["NA-Own", "XX-Sea", "XX-Two"]
    assert "XX-Far is left out" in caplog.text
    own, sea = found.sel(site="NA-Own"), found.sel(site="XX-Sea")
    assert own["distance_km"] == 0 and (own["cell_lat"], own["cell_lon"], own["lat"], own["lon"]) == (45, -5, 45, -5)
    assert sea["distance_km"] == pytest.approx(78.6, abs=0.5) and sea["cell_lon"] == -85
    np.testing.assert_array_equal(own["air_temperature"].values, cube["air_temperature"].sel(lat=45, lon=-5).values)
    np.testing.assert_array_equal(sea["igbp_fraction"].values, cube["igbp_fraction"].sel(lat=45, lon=-85).values)
    assert found["air_temperature"].dims == ("site", "time") and found["igbp_fraction"].dims == ("site", "igbp")
    assert found.attrs["time_step"] == "day" and found["igbp"].values[9] == "GRA"


def test_the_order_of_towers_does_not_matter(cube, cube_path, tmp_path):
    places = [("XX-One", 45.0, -5.0), ("XX-Two", -42.0, 30.0), ("XX-Tre", 12.0, 31.0), ("XX-For", 44.0, -6.0)]
    first = collocated(cube_path, tmp_path, places)
    second = collocated(cube_path, tmp_path, places[::-1])
    xr.testing.assert_identical(first, second.sel(site=first["site"]))


def test_no_tower_on_land_is_refused(cube, cube_path, tmp_path):
    with pytest.raises(InputError, match="no tower lies on or near land"):
        collocated(cube_path, tmp_path, [("XX-Far", 0.0, 170.0)])


def test_a_damaged_cube_is_refused(cube, cube_path, tmp_path):
    shutil.copytree(cube_path, tmp_path / "cube.zarr")
    next(p for p in (tmp_path / "cube.zarr/evi/c").rglob("*") if p.is_file()).unlink()
    with pytest.raises(ContractError, match="evi/c"):
        collocated(tmp_path / "cube.zarr", tmp_path, [("XX-One", 45.0, -5.0)])


def a_chunk(path, name="air_temperature"):
    return max((p for p in (path / name / "c").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_fault_7_a_truncated_chunk_is_refused_by_name(cube, cube_path, tmp_path, share):
    shutil.copytree(cube_path, tmp_path / "cube.zarr")
    chunk = a_chunk(tmp_path / "cube.zarr")
    chunk.write_bytes(chunk.read_bytes()[: int(share * chunk.stat().st_size)])
    with pytest.raises(ContractError, match=str(chunk.relative_to(tmp_path / "cube.zarr"))):
        collocated(tmp_path / "cube.zarr", tmp_path, [("XX-One", 45.0, -5.0)])


def test_fault_6_a_flipped_bit_is_refused_by_name_when_the_chunk_is_read(cube, cube_path, tmp_path):
    shutil.copytree(cube_path, tmp_path / "cube.zarr")
    chunk = a_chunk(tmp_path / "cube.zarr")
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(ContractError, match=f"{chunk.relative_to(tmp_path / 'cube.zarr')} does not match its checksum"):
        collocated(tmp_path / "cube.zarr", tmp_path, [("XX-One", 45.0, -5.0)])


def test_era5_land_is_averaged_over_its_boxes(cube, drivers, write, tmp_path):
    """Daily means on a lattice that does not nest in the cells (5° boxes with sea missing, cells of 10°, for one variable)."""
    lat, lon = np.arange(90, -90.1, -5.0), np.arange(0, 360, 5.0)
    values = np.broadcast_to(300 - np.abs(lat)[:, None] / 3, (365, lat.size, lon.size)).copy()
    values[:, 20, 20] = np.nan
    days = pd.date_range("2011-01-01", "2011-12-31")
    write.save(write.era5("t2m", values, days, lat=lat, lon=lon), tmp_path / "land" / "t2m.nc")
    chosen = drivers | {"sources": ["cds_era5_land", *drivers["sources"]], "cds_era5_land": {"path": str(tmp_path / "land")}}
    chosen["variables"] = drivers["variables"] | {"dynamic": ["air_temperature"]}
    found = build(tmp_path / "cube.zarr", chosen)
    assert found["air_temperature"].attrs["source"].startswith(str(tmp_path / "land")), "the first source named"
    edge = np.sin(np.deg2rad([50, 47.5, 42.5, 40]))
    expected = np.average(300 - np.array([50, 45, 40]) / 3, weights=edge[:-1] - edge[1:])
    assert found["air_temperature"].sel(lat=45, lon=5).values[0] == pytest.approx(expected, abs=1e-3)
    land = found["land_fraction"].values > 0
    assert np.isfinite(found["air_temperature"].values[:, land]).all(), "a box at sea weighs nothing"


def test_a_variable_of_the_vocabulary_arrives_by_its_name(cube, drivers, tmp_path):
    chosen = drivers | {
        "variables": {"dynamic": ["clearness", "relative_humidity", "growing_degrees", "nirv"], "static": ["elevation"]}
    }
    found = build(tmp_path / "cube.zarr", chosen)
    land = found["land_fraction"].values > 0
    for name in chosen["variables"]["dynamic"]:
        assert np.isfinite(found[name].values[:, land]).all() and found[name].attrs["units"]
    light = cube["shortwave_radiation"].values / cube["potential_radiation"].values
    day = cube["potential_radiation"].values > 5
    np.testing.assert_allclose(found["clearness"].values[day & land], np.minimum(light, 1)[day & land], rtol=1e-5)
    np.testing.assert_allclose(found["nirv"].values[180, land], 0.3 * cube["ndvi"].values[180, land], atol=0.005)

"""One virtual Earth, written in every format of the providers, gives one and the same cube."""

import numpy as np
import pytest
import xarray as xr

from tamrl import humidity, stores
from tamrl.drivers import stage as drivers_stage
from tamrl.sections.inputs import SimulatedWorld
from tamrl.twin import stage as twin_stage

TWIN = {"towers": 12, "spinup_years": 1, "modis_ratio": 2, "noise": 1.0}
RESOLUTION, YEARS = 15.0, [2011]
ROUTES = {
    "netcdf, netcdf": ("netcdf", "netcdf", "cds_era5", "era5"),
    "grib, netcdf": ("grib", "netcdf", "cds_era5", "era5"),
    "zarr, hdf4": ("zarr", "hdf4", "arco_era5", "era5"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("routes") / "world.zarr"
    time = {"step": "day", "years": YEARS}
    twin_stage.simulate_world(
        world=str(path),
        twin={k: v for k, v in TWIN.items() if k in SimulatedWorld.model_fields},
        time=time,
        resolution=RESOLUTION,
        seed=1,
    )
    twin_stage.write_static(world=str(path), folder=str(path.parent / "static"), co2=str(path.parent / "co2.csv"), seed=1)
    return path


@pytest.fixture(scope="module")
def cubes(world):
    found = {}
    for route, (weather, greenness, source, path) in ROUTES.items():
        folder = world.parent / route.replace(", ", "-")
        twin = TWIN | {"era5_format": weather, "modis_format": greenness}
        twin_stage.write_era5(world=str(world), folder=str(folder / "era5"), twin=twin)
        twin_stage.write_modis(world=str(world), folder=str(folder / "modis"), twin=twin, seed=1)
        drivers_stage.build_cube(
            paths=[],
            cube=str(folder / "cube.zarr"),
            drivers={
                "sources": [source, "modis", "static"],
                "variables": {
                    "dynamic": [
                        "air_temperature",
                        "vapour_pressure_deficit",
                        "shortwave_radiation",
                        "precipitation",
                        "evi",
                        "ndvi",
                    ],
                    "static": ["igbp_fraction", "elevation"],
                },
                source: {"path": str(folder / path), "nodes": "all"},
                "modis": {"path": str(folder / "modis")},
                "static": {"path": str(world.parent / "static")},
            },
            time={"step": "day", "years": YEARS},
            resolution=RESOLUTION,
            threads=1,
        )
        found[route] = folder / "cube.zarr"
    return found


def chunks(path):
    files = stores.read_manifest(path).files
    return {name: entry.sha256 for name, entry in files.items() if "/c/" in name}


def test_zarr_and_hdf4_give_the_same_chunks_as_netcdf(cubes):
    first, other = chunks(cubes["netcdf, netcdf"]), chunks(cubes["zarr, hdf4"])
    differing = {name.split("/")[0] for name in first if first[name] != other[name]}
    assert len(first) > 8 and first.keys() == other.keys() and differing == {"vapour_pressure_deficit"}


def test_the_vapour_pressure_deficit_of_hours_is_the_mean_over_hours_and_nodes(cubes, world):
    store = xr.open_zarr(world.parent / "zarr-hdf4/era5/arco.zarr", consolidated=True).sel(time="2011-07-15")
    corners = store.sel(latitude=[45, 60], longitude=[15, 30])
    full, vapour = (
        humidity.saturation_vapour_pressure(corners[name].values).mean(dtype="float64")
        for name in ("2m_temperature", "2m_dewpoint_temperature")
    )
    here = {"time": "2011-07-15", "lat": 52.5, "lon": 22.5}
    of_hours, of_means = (
        stores.open_cube(cubes[route])["vapour_pressure_deficit"].sel(here).item() for route in ("zarr, hdf4", "netcdf, netcdf")
    )
    assert of_hours == pytest.approx(full - vapour, rel=1e-5) and abs(of_means - of_hours) > 0.05


def test_grib_gives_the_same_cube_to_the_width_of_its_packing(cubes):
    first, other = stores.open_cube(cubes["netcdf, netcdf"]), stores.open_cube(cubes["grib, netcdf"])
    widths = {"air_temperature": 3e-5, "vapour_pressure_deficit": 2e-4, "shortwave_radiation": 1e-4, "precipitation": 1e-4}
    for name in first:
        np.testing.assert_allclose(other[name].values, first[name].values, rtol=0, atol=widths.get(name, 0), err_msg=name)


def test_the_cube_holds_the_weather_of_the_world(cubes, world):
    cube = stores.open_cube(cubes["zarr, hdf4"])
    with xr.open_dataset(next((world.parent / "netcdf-netcdf/era5").glob("*2m_temperature*_2011_07.nc"))) as ds:
        corner = ds["t2m"].sel(valid_time="2011-07-15")
        lat, lon = 52.5, 22.5
        expected = corner.sel(latitude=[lat - 7.5, lat + 7.5], longitude=[lon - 7.5, lon + 7.5]).mean().item()
    assert cube["air_temperature"].sel(time="2011-07-15", lat=lat, lon=lon).item() == pytest.approx(expected, rel=1e-6)


def test_hours_are_no_disguised_days(world):
    """The formats of hours really hold a course of the day, and their day is exact only by summing them all."""
    ds = xr.open_zarr(world.parent / "zarr-hdf4/era5/arco.zarr", consolidated=True)
    day = ds["2m_temperature"].sel(time="2011-07-15", latitude=45, longitude=15).values
    assert day.size == 24 and np.ptp(day) == pytest.approx(8, abs=0.2)
    sun = ds["surface_solar_radiation_downwards"].sel(latitude=45, longitude=15).sel(time="2011-07-15").values
    assert sun[0] == 0 and sun.max() > 0 and (sun >= 0).all()

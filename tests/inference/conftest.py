"""A small cube, and members with weights as they begin."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tamrl import classes, registry, stores, variables
from tamrl.grid import Grid
from tamrl.samples.dataset import InputSpec
from tamrl.samples.standardise import Moments, Standardisation
from tamrl.training import checkpoint
from tamrl.training.model_spec import model_dims
from tests.modelling import trained

DYNAMIC, STATIC = ("air_temperature", "evi"), ("igbp_fraction", "elevation")


def _cube(time: pd.DatetimeIndex) -> xr.Dataset:
    random, grid = np.random.default_rng(2), Grid(15.0)
    shape = (len(time), *grid.shape)
    land = random.uniform(0, 1, grid.shape).astype("f4").round(2)
    land[random.uniform(size=grid.shape) < 0.5] = 0
    ds = xr.Dataset(coords={"time": time, "lat": grid.lat, "lon": grid.lon, "igbp": list(classes.IGBP)})
    ds["air_temperature"] = (("time", "lat", "lon"), random.normal(280, 8, shape).astype("f4"))
    ds["evi"] = (("time", "lat", "lon"), random.uniform(0, 0.8, shape).astype("f4"))
    ds["igbp_fraction"] = (("igbp", "lat", "lon"), random.dirichlet(np.ones(17), grid.shape).transpose(2, 0, 1).astype("f4"))
    ds["elevation"] = (("lat", "lon"), random.uniform(0, 2000, grid.shape).astype("f4"))
    ds["land_fraction"] = (("lat", "lon"), land)
    for name in ds:
        ds[name].attrs = variables.attributes(name)
        if name != "land_fraction":
            ds[name] = ds[name].where(ds["land_fraction"] > 0)
    return ds.assign_attrs(resolution=grid.resolution, time_step="month" if time[1] - time[0] > pd.Timedelta(days=2) else "day")


def _write(ds: xr.Dataset, path: Path) -> Path:
    coder = {str(n): {"compressors": stores.compressors()} for n in ds}
    ds.to_zarr(path, zarr_format=3, consolidated=False, encoding=coder)
    stores.seal_store(path, origin={})
    return path


@pytest.fixture(scope="session")
def world() -> xr.Dataset:
    """Two years of months."""
    return _cube(pd.date_range("2010-01-01", periods=24, freq="MS"))


@pytest.fixture(scope="session")
def save_cube():
    return _write


@pytest.fixture(scope="session")
def cube(world, tmp_path_factory) -> Path:
    return _write(world, tmp_path_factory.mktemp("cube") / "cube.zarr")


@pytest.fixture(scope="session")
def climatology_cube(world, tmp_path_factory) -> Path:
    months = world.isel(time=slice(12)).assign_coords(time=pd.date_range("2001-01-01", periods=12, freq="MS"))
    return _write(months.assign_attrs(climatology="2000-2025"), tmp_path_factory.mktemp("cube") / "climatology.zarr")


@pytest.fixture(scope="session")
def spec() -> InputSpec:
    return InputSpec(DYNAMIC, STATIC, "month", (90,))


@pytest.fixture(scope="session")
def scaling() -> Standardisation:
    inputs = {"air_temperature": Moments((280.0,), (8.0,), "K"), "evi": Moments((0.4,), (0.2,), "1")}
    inputs |= {"igbp_fraction": Moments((0.0,) * 17, (1.0,) * 17, "1"), "elevation": Moments((800.0,), (500.0,), "m")}
    return Standardisation(inputs, {"gpp": 5.0, "reco": 4.0, "nee": 2.5})


@pytest.fixture(scope="session")
def save_member(spec, scaling):
    def save(folder: Path, *, member: int = 0, fold: str = "all", sites: tuple[str, ...] = (), kin: str = "k") -> str:
        plugin = registry.load(registry.MODELS, "tamrl")
        torch.manual_seed(member)
        options = {"hidden": 16, "code": 8}
        model = plugin.build(model_dims(spec, scaling), plugin.Options(**options))
        described = trained(model, spec, scaling, options, fold=fold, member=str(member), kin=kin, sites=sites)
        checkpoint.save_model(folder, described)
        return str(folder)

    return save


@pytest.fixture(scope="session")
def models(save_member, tmp_path_factory) -> list[str]:
    return [save_member(tmp_path_factory.mktemp("models") / f"member-{m}", member=m) for m in range(2)]

"""Cells of a cube as places, through the interface for Python."""

import numpy as np
import pytest
import torch
import xarray as xr

import tamrl
from tamrl.errors import InputError
from tamrl.inference.decode import predict_series
from tamrl.training.checkpoint import load_ensemble


@pytest.fixture(scope="module")
def cells(cube, world):
    row, column = np.argwhere(world["land_fraction"].values > 0)[[0, 5, 9]].T
    lat, lon = (xr.DataArray(values, dims="site") for values in (world["lat"].values[row], world["lon"].values[column]))
    return tamrl.read_drivers(cube).sel(lat=lat, lon=lon, method="nearest")


def test_cells_of_a_cube_are_places(cells, models):
    ds = tamrl.load_model(models[0], intervals=False, device="cpu").predict(cells)
    assert ds.sizes == {"site": 3, "time": 24} and ds["site"].values.tolist() == ["0", "1", "2"]
    drivers = cells.load().transpose("site", ...)
    (fluxes,) = predict_series(load_ensemble(models[:1]), drivers, batch=64, device=torch.device("cpu"))
    np.testing.assert_array_equal(ds["gpp"], fluxes[..., 0])
    np.testing.assert_array_equal(ds["nee"], ds["reco"] - ds["gpp"])


def test_the_cube_itself_is_refused_with_the_way_to_its_cells(cube, models):
    with pytest.raises(InputError, match=r"site and time[\s\S]*nearest"):
        tamrl.load_model(models[0], intervals=False, device="cpu").predict(tamrl.read_drivers(cube))

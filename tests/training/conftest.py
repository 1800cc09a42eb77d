"""Samples of towers whose fluxes follow from their drivers and a hidden trait that the drivers betray."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, variables
from tamrl.samples.dataset import InputSpec

TRAINING = {
    "sequence": 12,
    "spinup": 4,
    "batch": 16,
    "steps": 40,
    "learning_rate": 1e-2,
    "weight_decay": 1e-2,
    "validation": 0.2,
    "class_weights": True,
    "input_noise": 0.05,
    "device": "cpu",
}


@pytest.fixture
def settings() -> dict:
    return dict(TRAINING)


@pytest.fixture(scope="session")
def spec() -> InputSpec:
    return InputSpec(("air_temperature", "evi"), ("igbp_fraction",), "month", (90,))


@pytest.fixture(scope="session")
def samples() -> xr.Dataset:
    random = np.random.default_rng(11)
    sites, time = 20, pd.date_range("2005-01-01", periods=48, freq="MS", name="time")
    season = np.cos(2 * np.pi * (time.month.to_numpy() - 7) / 12)
    trait = random.uniform(0.5, 1.5, (sites, 1))
    kind = np.arange(sites) % 3
    temperature = 283 + 9 * season + random.normal(0, 1.5, (sites, 48))
    evi = np.clip(0.3 + 0.15 * trait * season + random.normal(0, 0.01, (sites, 48)), 0, 1)
    gpp = 12 * trait * evi * np.clip((temperature - 270) / 20, 0, None)
    reco = 2 * np.exp(0.05 * (temperature - 283)) + 0.3 * gpp
    ds = xr.Dataset(coords={"site": [f"XX-{k:03d}" for k in range(sites)], "time": time, "igbp": list(classes.IGBP)})
    fluxes = {"gpp": gpp, "reco": reco, "nee": reco - gpp + random.normal(0, 0.3, gpp.shape)}
    for name, values in ({"air_temperature": temperature, "evi": evi} | fluxes).items():
        ds[name] = (("site", "time"), values.astype("f4"), variables.attributes(name))
    ds["nee_qc"] = (("site", "time"), np.full((sites, 48), 0.9, "f4"))
    fractions = np.eye(len(classes.IGBP), dtype="f4")[kind]
    ds["igbp_fraction"] = (("site", "igbp"), fractions, variables.attributes("igbp_fraction"))
    ds["gpp"][:, 20:23] = np.nan
    return ds.assign_coords(
        lat=("site", np.linspace(40, 60, sites)),
        lon=("site", np.linspace(0, 90, sites)),
        igbp_class=("site", np.array(classes.IGBP)[kind]),
        koppen_class=("site", np.full(sites, "Temperate")),
    )


@pytest.fixture
def group(samples) -> np.ndarray:
    return np.arange(samples.sizes["site"])


@pytest.fixture
def files(samples, tmp_path) -> dict:
    paths = {"samples": tmp_path / "grid.nc", "splits": tmp_path / "splits.csv"}
    samples.to_netcdf(paths["samples"])
    sites = samples["site"].values
    pd.DataFrame({"site": sites, "group": range(len(sites)), "fold": [str(k % 2) for k in range(len(sites))]}).to_csv(
        paths["splits"], index=False
    )
    return {name: str(path) for name, path in paths.items()}

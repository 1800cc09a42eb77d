"""A tiny run: models trained on twenty towers, their held-out predictions and calibration, and maps of two years."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, contracts, files, variables
from tamrl.evaluation.stage import evaluate_models
from tamrl.inference.stage import predict_towers
from tamrl.layout import File, RunLayout
from tamrl.sections.inputs import Features
from tamrl.training.stage import train_model
from tests.training.conftest import TRAINING

FEATURES = Features(dynamic=("air_temperature", "evi"), static=("igbp_fraction",))
SITES, MONTHS = 20, 48


def _samples() -> xr.Dataset:
    """Towers whose fluxes follow from temperature, greenness and a trait of their own."""
    random, time = np.random.default_rng(11), pd.date_range("2005-01-01", periods=MONTHS, freq="MS", name="time")
    season = np.cos(2 * np.pi * (time.month.to_numpy() - 7) / 12)
    trait, kind = random.uniform(0.5, 1.5, (SITES, 1)), np.arange(SITES) % 3
    temperature = 283 + 9 * season + random.normal(0, 1.5, (SITES, MONTHS))
    evi = np.clip(0.3 + 0.15 * trait * season + random.normal(0, 0.01, (SITES, MONTHS)), 0, 1)
    gpp = 12 * trait * evi * np.clip((temperature - 270) / 20, 0, None)
    reco = 2 * np.exp(0.05 * (temperature - 283)) + 0.3 * gpp
    ds = xr.Dataset(coords={"site": [f"XX-{k:03d}" for k in range(SITES)], "time": time, "igbp": list(classes.IGBP)})
    fluxes = {"gpp": gpp, "reco": reco, "nee": reco - gpp + random.normal(0, 0.3, gpp.shape)}
    for name, values in ({"air_temperature": temperature, "evi": evi} | fluxes).items():
        ds[name] = (("site", "time"), values.astype("f4"), variables.attributes(name))
    ds["nee_qc"] = (("site", "time"), np.full((SITES, MONTHS), 0.9, "f4"))
    ds["igbp_fraction"] = (("site", "igbp"), np.eye(17, dtype="f4")[kind], variables.attributes("igbp_fraction"))
    ds["evi"][3, 30:32] = np.nan
    return ds.assign_coords(
        lat=("site", np.linspace(40, 60, SITES)),
        lon=("site", np.linspace(0, 90, SITES)),
        igbp_class=("site", np.array(classes.IGBP)[kind]),
        koppen_class=("site", np.full(SITES, "Temperate")),
    ).assign_attrs(time_step="month", drivers="grid")


def _train(at: RunLayout, fold: str, member: int) -> str:
    train_model(
        samples=at(File.SAMPLES, drivers="grid"),
        splits=at(File.SPLITS),
        folder=(folder := at(File.MODEL, model="tamrl", fold=fold, member=member)),
        model="tamrl",
        fold=fold,
        member=str(member),
        features=FEATURES,
        training=TRAINING | {"steps": 8},
        plugin="tamrl",
        options={"hidden": 8, "code": 4},
        step="month",
        seed=1,
    )
    return folder


def _write_map(at: RunLayout, flux: str, year: int) -> None:
    """A map of 45° cells whose numbers say year, month and row; the flag is 0 in the west."""
    time = pd.date_range(f"{year}-01-01", periods=12, freq="MS")
    lat, lon = np.array([67.5, 22.5, -22.5, -67.5]), np.arange(-157.5, 180, 45.0)
    values = year + time.month.to_numpy()[:, None, None] / 100 + np.arange(4)[:, None] / 1000 + np.zeros(8)
    values[:, 3] = np.nan  # no land
    names = [flux, f"{flux}_std", f"{flux}_q05", f"{flux}_q95"]
    fields = {name: (("time", "lat", "lon"), (values + k).astype("f8")) for k, name in enumerate(names)}
    ds = xr.Dataset(fields, {"time": time, "lat": lat, "lon": lon})
    for name in names:
        ds[name].attrs = {"units": "g m-2 d-1", "interval_of": "the flux of the land of the cell"}
    ds["applicability"] = ("lat", "lon"), np.where(lon < 0, 0, 1).astype("i1") + np.zeros((4, 8), "i1")
    with files.atomic(at(File.MAP, flux=flux, label=year)) as part:
        ds.to_netcdf(part)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> RunLayout:
    """Where the files of the run lie."""
    at = RunLayout.at(str(tmp_path_factory.mktemp("results") / "tiny"))
    samples = _samples()
    for drivers in ("grid", "tower"):
        with files.atomic(at(File.SAMPLES, drivers=drivers)) as part:
            samples.to_netcdf(part)
    sites = samples["site"].values
    folds = {"site": sites, "group": range(SITES), "fold": [str(k % 2) for k in range(SITES)]}
    contracts.write_table(at(File.SPLITS), pd.DataFrame(folds), contracts.SPLITS)
    places = {"site": sites, "network": "table", "lat": samples["lat"].values, "lon": samples["lon"].values}
    places |= {
        "igbp": samples["igbp_class"].values,
        "koppen": "Temperate",
        "elevation": 100.0,
        "utc_offset": 0.0,
        "managed": None,
    }
    contracts.write_table(at(File.TOWERS), pd.DataFrame(places), contracts.SITES)
    models = [_train(at, fold, member) for fold in ("0", "1") for member in (0, 1)]
    for member in (0, 1):
        _train(at, "all", member)
    members = at(File.MEMBER_PREDICTIONS, model="tamrl", drivers="grid")
    held_out = {"samples": at(File.SAMPLES, drivers="grid"), "splits": at(File.SPLITS), "models": models, "table": members}
    predict_towers(**held_out, model="tamrl", drivers="grid", batches={"device": "cpu"})
    evaluate_models(
        members=[members],
        towers=at(File.TOWERS),
        splits=at(File.SPLITS),
        predictions=at(File.TOWER_PREDICTIONS),
        metrics=at(File.SITE_METRICS),
        calibration=at(File.CALIBRATION),
        scores=at(File.SCORES),
        comparisons=at(File.COMPARISONS),
        reliability=at(File.RELIABILITY),
        protocol={
            "scheme": "kfold",
            "qc": 0.8,
            "map_model": "tamrl",
            "step": "month",
            "targets": [],
            "rivals": [],
            "gridded": True,
            "virtual": False,
        },
    )
    for flux in ("gpp", "reco", "nee"):
        for year in (2011, 2012):
            _write_map(at, flux, year)
    return at


@pytest.fixture(scope="session")
def samples(tiny_run) -> xr.Dataset:
    return xr.load_dataset(tiny_run(File.SAMPLES, drivers="grid"))


@pytest.fixture
def table(samples) -> pd.DataFrame:
    """The drivers of the towers as a table of tower files: °C, and the classes of the places."""
    rows = samples[["air_temperature", "evi"]].to_dataframe().reset_index()
    rows = rows.assign(TA_F=rows["air_temperature"].astype(float) - 273.15, date=rows["time"].dt.strftime("%Y-%m"))
    rows["igbp"] = rows["igbp_class"]
    return rows[["site", "date", "lat", "lon", "igbp", "TA_F", "evi"]].rename(columns={"evi": "EVI"})

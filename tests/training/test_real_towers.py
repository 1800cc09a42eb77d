"""TAM-RL learns real towers: months of FLUXNET2015, a third of the groups held out."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tamrl import classes, registry, variables
from tamrl.carbon import FLUXES
from tamrl.samples import dataset, splits, standardise
from tamrl.samples.dataset import InputSpec
from tamrl.sections.models import Optimisation, Splits
from tamrl.training.member import fit_member

COLUMNS = {
    "air_temperature": ("TA_F", 1.0, 273.15),
    "shortwave_radiation": ("SW_IN_F", 1.0, 0.0),
    "vapour_pressure_deficit": ("VPD_F", 1.0, 0.0),
    "evi": ("mm_EVI", 1.0, 0.0),
    "gpp": ("GPP_NT_VUT_REF", 1.0, 0.0),
    "reco": ("RECO_NT_VUT_REF", 1.0, 0.0),
    "nee": ("NEE_VUT_REF", 1.0, 0.0),
    "nee_qc": ("NEE_VUT_REF_QC", 1.0, 0.0),
}


@pytest.fixture(scope="module")
def months(shared_data) -> xr.Dataset:
    raw = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet")
    raw = raw[raw["date"] >= "2004-01-01"]
    raw.loc[raw["NEE_VUT_REF_QC"] < 0.8, ["GPP_NT_VUT_REF", "RECO_NT_VUT_REF", "NEE_VUT_REF"]] = np.nan
    place = raw.groupby("site")[["lat", "lon", "igbp"]].first()
    means = raw.groupby(["site", raw["date"].dt.to_period("M").dt.to_timestamp().rename("time")])[
        [c for c, _, _ in COLUMNS.values()]
    ].mean()
    ds = means.to_xarray().transpose("site", "time")
    ds = xr.Dataset({n: (ds[c] * f + o).astype("f4").assign_attrs(units="1") for n, (c, f, o) in COLUMNS.items()})
    for name in ds.drop_vars("nee_qc"):
        ds[name].attrs = variables.attributes(name)
    one_hot = (place["igbp"].to_numpy(str)[:, None] == np.array(classes.IGBP)).astype("f4")
    ds["igbp_fraction"] = (("site", "igbp"), one_hot, variables.attributes("igbp_fraction"))
    axes = {n: ("site", place[n].to_numpy(float)) for n in ("lat", "lon")}
    axes |= {"igbp": list(classes.IGBP), "igbp_class": ("site", place["igbp"].to_numpy(str))}
    return ds.assign_coords(axes)


def test_fluxes_of_unseen_towers_are_predicted(months):
    towers = pd.DataFrame({"site": months["site"].values, "lat": months["lat"].values, "lon": months["lon"].values})
    towers = towers.assign(igbp=months["igbp_class"].values)
    conf = {"scheme": "kfold", "folds": 3, "distance_km": 30.0}
    split = splits.split_towers(towers, splits=Splits(**conf), test_sites=[], seed=1)
    train = (split["fold"] != "0").to_numpy()
    spec = InputSpec(("air_temperature", "shortwave_radiation", "vapour_pressure_deficit", "evi"), ("igbp_fraction",), "month")
    own = standardise.fit_standardisation(months.isel(site=train), dynamic=spec.dynamic, static=spec.static)
    plugin = registry.load(registry.MODELS, "tamrl")
    settings = {"sequence": 24, "spinup": 6, "batch": 24, "steps": 150, "learning_rate": 8e-3, "weight_decay": 1e-2}
    settings |= {"validation": 0.1, "class_weights": True, "input_noise": 0.05, "device": "cpu"}
    options = plugin.Options(hidden=32, code=16)
    torch.set_num_threads(1)
    fitted = fit_member(
        months.isel(site=train), split["group"].to_numpy()[train], plugin, options, spec, own, Optimisation(**settings), 3
    )
    unseen = months.isel(site=~train)
    cells = dataset.model_inputs(unseen, spec, own)
    found = fitted.model.predict(cells.x, cells.support, cells.static).numpy()
    valid = cells.valid.numpy()
    assert set(towers["site"][~train]).isdisjoint(towers["site"][train])
    for k, (flux, least) in enumerate(zip(FLUXES, (0.45, 0.25, 0.1), strict=True)):
        y = unseen[flux].values
        there = np.isfinite(y) & valid
        explained = 1 - np.mean((found[..., k] - y)[there] ** 2) / y[there].var()
        assert explained > least, f"{flux}: NSE {explained:.2f}"

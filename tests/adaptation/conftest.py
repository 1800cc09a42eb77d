"""Samples of towers whose fluxes hold a trait that their drivers do not betray."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, variables


@pytest.fixture(scope="session")
def samples() -> xr.Dataset:
    """Two years of days of 24 towers: what only fluxes of the tower itself can tell."""
    return _samples()


def _samples(sites: int = 24) -> xr.Dataset:
    """Days of towers whose fluxes hold a trait that the drivers do not betray: what only fluxes of the tower can tell."""
    random, time = np.random.default_rng(5), pd.date_range("2005-01-01", "2006-12-31", name="time")
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365)
    hidden = np.exp(random.normal(0, 0.4, (sites, 1)))
    temperature = 283 + 9 * season + random.normal(0, 2, (sites, len(time)))
    evi = np.clip(0.3 + 0.15 * season + random.normal(0, 0.01, (sites, len(time))), 0, 1)
    gpp = 12 * hidden * evi * np.clip((temperature - 268) / 20, 0, None)
    reco = 2 * np.exp(0.05 * (temperature - 283)) + 0.3 * gpp
    ds = xr.Dataset(coords={"site": [f"XX-{k:03d}" for k in range(sites)], "time": time, "igbp": list(classes.IGBP)})
    for name, values in {"air_temperature": temperature, "evi": evi, "gpp": gpp, "reco": reco, "nee": reco - gpp}.items():
        ds[name] = (("site", "time"), values.astype("f4"), variables.attributes(name))
    ds["nee_qc"] = (("site", "time"), np.full(gpp.shape, 0.9, "f4"))
    ds["igbp_fraction"] = (("site", "igbp"), np.eye(17, dtype="f4")[np.arange(sites) % 3], variables.attributes("igbp_fraction"))
    return ds.assign_coords(
        lat=("site", np.full(sites, 50.0)),
        lon=("site", np.linspace(0, 90, sites)),
        igbp_class=("site", np.array(classes.IGBP)[np.arange(sites) % 3]),
        koppen_class=("site", np.full(sites, "Temperate")),
    )

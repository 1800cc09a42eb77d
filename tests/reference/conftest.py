"""A run of ten degrees with known maps, to be compared with products."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes
from tamrl.grid import Grid
from tamrl.maps.land import Land
from tamrl.reference.maps import RunMaps
from tests.reference.writers import fluxes


class KnownMaps(RunMaps):
    """Maps of simulated fluxes, with a bias."""

    bias = 0.0
    factor = 1.0
    shift = 0

    def months(self, flux, label):
        year = 2010 if label == "climatology" else int(label)
        months = [(m - 1 - self.shift) % 12 + 1 for m in range(1, 13)]
        fields = [fluxes(flux, self.land.lat, self.land.lon, year, month) for month in months]
        return (np.stack(fields) * self.factor + self.bias).astype("float32")


def known_maps(labels, size=5.0, **changes) -> RunMaps:
    grid = Grid(size)
    fraction = np.ones(grid.shape)
    igbp = np.zeros((len(classes.IGBP), *grid.shape), dtype="float32")
    igbp[3, : grid.shape[0] // 2], igbp[9, grid.shape[0] // 2 :] = 1, 1  # DBF in the north, grass in the south
    area = np.broadcast_to(grid.area(), grid.shape)
    land = Land(grid.lat, grid.lon, area, fraction, fraction, igbp, (), "", None)
    maps = KnownMaps({(flux, label): "" for flux in ("gpp", "reco", "nee") for label in labels}, land)
    for name, value in changes.items():
        object.__setattr__(maps, name, value)
    return maps


def budgets(labels, mean=0.0, half=1e6) -> pd.DataFrame:
    rows = [
        {"flux": flux, "year": label, "region": region, "mean": mean, "std": half / 1.645, "q05": mean - half, "q95": mean + half}
        for flux in ("gpp", "reco", "nee")
        for label in labels
        for region in ("globe", *classes.LATITUDE_BANDS)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def run_maps():
    return known_maps


def product_dataset(quantity: str, *, size=10.0, years=(2010, 2011), per="land", change=lambda values, year, month: values):
    """An opened product with the simulated fluxes."""
    grid = Grid(size)
    time = np.arange(f"{years[0]}-01", f"{years[-1] + 1}-01", dtype="datetime64[M]")
    months = [(1970 + int(t.astype(int)) // 12, int(t.astype(int)) % 12 + 1) for t in time]
    values = np.stack([change(fluxes(quantity, grid.lat, grid.lon, *month), *month) for month in months])
    field = xr.DataArray(
        values, {"time": time.astype("datetime64[ns]"), "lat": grid.lat, "lon": grid.lon}, ("time", "lat", "lon")
    )
    return field.assign_attrs(product="a product", per=per).to_dataset(name=quantity)

"""Climate of the grid for towers whose metadata name none."""

import numpy as np
import pandas as pd
import xarray as xr

from tamrl.classes import KOPPEN
from tamrl.evaluation import stage
from tamrl.samples import build


def _fractions(rows):
    sites = [f"S{k}" for k in range(len(rows))]
    return xr.Dataset({"koppen_fraction": (("site", "koppen"), np.array(rows, float))}, {"site": sites, "koppen": list(KOPPEN)})


def test_the_largest_group_stands_in_and_the_towers_word_counts():
    rows = [[0.1, 0.6, 0.3, 0, 0], [0, 0, 0.4, 0.6, 0], [np.nan] * 5, [0] * 5]
    towers = pd.DataFrame({"koppen": ["Polar", None, None, ""]}, index=["S0", "S1", "S2", "S3"])
    found = build.with_climate(towers, _fractions(rows))["koppen"]
    assert found["S0"] == "Polar" and found["S1"] == "Continental" and found[["S2", "S3"]].isna().all()
    assert build.with_climate(towers, xr.Dataset()) is towers


def test_scores_take_the_climate_of_the_samples(tmp_path):
    path = str(tmp_path / "grid.nc")
    classes = ("site", ["Arid", "Tropical", build.UNKNOWN])
    xr.Dataset(coords={"site": ["S0", "S1", "S2"], "koppen_class": classes}).to_netcdf(path)
    sites = pd.DataFrame({"site": ["S0", "S1", "S2", "S3"], "koppen": ["Polar", None, None, None]})
    found = stage._fill_climate(sites, path)["koppen"]
    assert found[:2].tolist() == ["Polar", "Tropical"] and found[2:].isna().all()
    assert stage._fill_climate(sites, None) is sites

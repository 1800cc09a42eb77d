"""The stages write files that hold their contracts."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import contracts
from tamrl.errors import ContractError, InputError
from tamrl.samples import stage
from tamrl.samples.stage import build_samples, split_sites


@pytest.fixture
def files(tmp_path, towers, records, drivers) -> dict:
    paths = {"towers": tmp_path / "towers.csv", "records": tmp_path / "towers.parquet", "drivers": tmp_path / "towers.nc"}
    towers.to_csv(paths["towers"], index=False)
    records.to_parquet(paths["records"], index=False)
    drivers.to_netcdf(paths["drivers"])
    return {name: str(path) for name, path in paths.items()}


def test_samples_of_both_kinds_hold_their_contract(files, tmp_path, features):
    outputs = {"grid": str(tmp_path / "grid.nc"), "tower": str(tmp_path / "tower.nc")}
    build_samples(**files, **outputs, features=features, step="day")
    for kind, path in outputs.items():
        ds = xr.load_dataset(path)
        contracts.check_samples(ds, dynamic=tuple(features["dynamic"]), static=tuple(features["static"]), where=path)
        assert ds.attrs["drivers"] == kind and ds["air_temperature"].attrs["units"] == "K"
        assert ds["gpp"].dtype == np.float32 and "NA-Bbb" in ds["site"].values


def test_a_feature_without_drivers_is_refused_and_nothing_written(files, tmp_path, features):
    features["dynamic"].append("evi")
    with pytest.raises(ContractError, match="lack evi"):
        build_samples(**files, grid=str(tmp_path / "g.nc"), tower=str(tmp_path / "t.nc"), features=features, step="day")
    assert not list(tmp_path.glob("*g.nc"))


def test_splits_of_both_schemes(files, tmp_path):
    wanted = tmp_path / "test_sites.txt"
    wanted.write_text("# held out\nNA-Bbb\n\n")
    for scheme, listed in {"kfold": None, "sites": str(wanted)}.items():
        output = tmp_path / f"{scheme}.csv"
        conf = {"scheme": scheme, "folds": 2, "distance_km": 30.0, "test_sites": listed}
        split_sites(towers=files["towers"], table=str(output), splits=conf, seed=1)
        table = pd.read_csv(output, keep_default_na=False, dtype={"fold": str}).set_index("site")
        assert table.loc["DE-Aaa", "group"] == table.loc["NA-Bbb", "group"]
        expected = {"kfold": table.loc["NA-Bbb", "fold"], "sites": "near-test"}[scheme]
        assert table.loc["DE-Aaa", "fold"] == expected


@pytest.mark.parametrize("scheme", ["warm", "temporal"])
def test_splits_that_ask_the_samples(scheme, files, tmp_path, features):
    outputs = {"grid": str(tmp_path / "grid.nc"), "tower": str(tmp_path / "tower.nc")}
    build_samples(**files, **outputs, features=features, step="day")
    conf = {"scheme": scheme, "folds": 2, "distance_km": 30.0, "test_share": 0.3}
    output = tmp_path / "splits.csv"
    split_sites(towers=files["towers"], table=str(output), splits=conf, seed=1, samples=outputs["tower"])
    table = contracts.read_csv(str(output), contracts.SPLITS).set_index("site")
    assert table.loc["US-Far", "fold"] == "near-test", "no records, no temperature"
    if scheme == "temporal":
        assert table["since"].notna().tolist() == [True, True, True, False]
        assert table["since"].iloc[0] == pd.Timestamp("2010-06-01") + pd.Timedelta(days=0.7 * 394) // pd.Timedelta(
            "1D"
        ) * pd.Timedelta("1D") + pd.Timedelta("1D")
    else:
        assert table.loc["DE-Aaa", "fold"] == table.loc["NA-Bbb", "fold"] == "test", "warmed to 285 K in the measurements"
    xr.load_dataset(outputs["tower"]).drop_vars("air_temperature").to_netcdf(tmp_path / "no.nc")
    with pytest.raises(ContractError, match="no air_temperature"):
        split_sites(towers=files["towers"], table=str(output), splits=conf, seed=1, samples=str(tmp_path / "no.nc"))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_list_of_sites_is_read_with_remarks_and_blanks(tmp_path, mark):
    path = tmp_path / "sites.txt"
    path.write_text(f"{mark}# mine\n  # too\n\n DE-Hai \r\nNA\nNO-Adv", newline="")
    assert stage.read_sites(path) == ["DE-Hai", "NA", "NO-Adv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"DE-Hai\nDE-Hai,FR-Pue\n", "line 2"),
        (b"DE-Hai\n../../x\n", "line 2"),
        ("DE-Hai\n".encode("utf-16"), "UTF-16"),
        (b"<html></html>", "web page"),
        (b"DE-Hai\n\0\0\0", "NUL"),
    ],
)
def test_a_list_of_something_else_is_refused_by_line(tmp_path, content, message):
    path = tmp_path / "sites.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        stage.read_sites(path)
    assert "sites.txt" in str(error.value)

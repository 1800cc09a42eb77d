"""Yearly sums of towers beside finished predictions: the stage reads the cells that the maps deliver."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import carbon, contracts
from tamrl.errors import InputError
from tamrl.reference.independent import HELD_OUT, PLACES, SCORES, TRAINING, UNSEEN
from tamrl.reference.independent_stage import score_independent

YEAR = 365.2422


def _sites(rows, path):
    table = pd.DataFrame(rows, columns=["site", "lat", "lon", "igbp"])
    empty = dict.fromkeys(("koppen", "elevation", "utc_offset", "managed", "also_in"), None)
    table = table.assign(network="table", **{name: value for name, value in empty.items() if name in contracts.SITES.columns})
    contracts.write_table(path, table.reindex(columns=list(contracts.SITES.columns)), contracts.SITES)


@pytest.fixture
def judged(climatology, tmp_path):
    """The mean year judged by ten unseen places, two that a fold held out, one flux tower, and one at sea."""
    places = [(f"CC-{k:03d}", -35.0 + 10 * k, 55.0 + 10 * k) for k in range(10)]
    others = [("AA-001", 45.0, 5.0), ("BB-001", 55.0, 15.0), ("BB-002", 35.0, 25.0), ("SS-001", 5.0, -165.0)]
    rows = [{"site_id": s, "location_lat": lat, "location_long": lon, "igbp_class": "GRA"} for s, lat, lon in places + others]
    table = pd.DataFrame(rows).assign(gpp_median=1000.0, ter_median=900.0, nep_median=100.0)
    table.assign(n_years_gpp=3, n_years_ter=3, n_years_nee=3).to_csv(tmp_path / "sums.csv", index=False)
    _sites([(*others[0], "GRA")], tmp_path / "towers.csv")
    contracts.write_table(
        tmp_path / "splits.csv", pd.DataFrame({"site": ["AA-001"], "group": [0], "fold": ["0"]}), contracts.SPLITS
    )
    _sites([(*row, "GRA") for row in others[1:3]], tmp_path / "places.csv")
    folds = pd.DataFrame({"site": ["BB-001", "BB-002"], "group": [1, 2], "fold": ["0", "1"]})
    contracts.write_table(tmp_path / "sum_splits.csv", folds, contracts.SPLITS)
    predictions = [
        {"model": "tamrl", "fold": fold, "member": m, "site": site, "group": k, "sum": k, "flux": flux, "years": 3.0}
        | {"observed": 2.0, "predicted": 2.0 + m}
        for k, (site, fold) in enumerate((("BB-001", "0"), ("BB-002", "1")))
        for m in (0, 1)
        for flux in carbon.FLUXES
    ]
    pd.DataFrame(predictions).to_parquet(tmp_path / "sums.parquet")
    outputs = {"places": str(tmp_path / "independent.csv"), "scores": str(tmp_path / "scores.csv")}
    arguments = {
        "towers": str(tmp_path / "towers.csv"),
        "splits": str(tmp_path / "splits.csv"),
        "calibration": str(climatology.folder / "calibration.json"),
        "cube": str(climatology.folder / "cube.zarr"),
        "manifests": [str(climatology.folder / "climatology.json")],
        "table": {"path": str(tmp_path / "sums.csv")},
        "distance_km": 30.0,
        "vegetated_only": True,
        "sums": [str(tmp_path / name) for name in ("places.csv", "sum_splits.csv", "sums.parquet")],
    }
    return arguments, outputs


def test_the_map_is_read_where_it_was_never_trained(judged, climatology):
    arguments, outputs = judged
    score_independent(**arguments, **outputs)
    table = contracts.read_csv(outputs["places"], PLACES)
    roles = table.drop_duplicates("site").set_index("site")["role"]
    assert roles[["AA-001", "BB-001", "CC-004"]].tolist() == [TRAINING, HELD_OUT, UNSEEN]
    assert "SS-001" not in set(table.loc[table["predicted"].notna(), "site"]), "the sea has no map"
    delivered = xr.open_dataset(climatology.write_map("gpp"))["gpp"].sel(lat=5.0, lon=95.0)
    month = delivered["time"].dt.days_in_month
    found = table[(table["site"] == "CC-004") & (table["flux"] == "gpp")].iloc[0]
    assert found["predicted"] == pytest.approx(float(delivered.weighted(month).mean()) * YEAR, rel=1e-4)
    assert found["observed"] == pytest.approx(1000) and found["q05"] < found["predicted"] < found["q95"]
    nee = table[(table["site"] == "CC-004") & (table["flux"] == "nee")].iloc[0]
    assert nee["observed"] == pytest.approx(-100)


def test_the_models_that_held_a_place_out_judge_there(judged):
    arguments, outputs = judged
    score_independent(**arguments, **outputs)
    table = contracts.read_csv(outputs["places"], PLACES).query("role == 'held_out' and flux == 'gpp'").set_index("site")
    assert table["predicted"].to_numpy() == pytest.approx(2.5 * YEAR, rel=1e-5) and table["fold"].astype(str).tolist() == [
        "0",
        "1",
    ]
    assert table["distance_km"].between(1000, 3000).all(), "the flux tower of another fold, or the other place of sums"
    scores = contracts.read_csv(outputs["scores"], SCORES)
    every = scores[(scores["kind"] == "all") & (scores["flux"] == "gpp")].set_index("role")["places"]
    assert every[HELD_OUT] == 2 and every[UNSEEN] >= 5


def test_without_sums_in_training_their_places_judge_the_map(judged):
    arguments, outputs = judged
    score_independent(**arguments | {"sums": []}, **outputs)
    table = contracts.read_csv(outputs["places"], PLACES)
    assert set(table["role"]) == {UNSEEN, TRAINING} and np.isfinite(table.query("site == 'BB-001'")["predicted"]).all()


def test_a_table_of_training_towers_alone_is_refused(judged, tmp_path):
    arguments, outputs = judged
    table = pd.read_csv(tmp_path / "sums.csv")
    table[table["site_id"] == "AA-001"].to_csv(tmp_path / "sums.csv", index=False)
    with pytest.raises(InputError, match="every place of the table trained the maps"):
        score_independent(**arguments, **outputs)

"""Real FLUXNET2015 archives, read whole."""

import numpy as np
import pandas as pd
import pytest

from tamrl.towers import survey
from tamrl.towers.networks import fluxnet2015
from tamrl.towers.product import Product
from tamrl.towers.reader import oneflux, records


@pytest.fixture(scope="module")
def options(shared_data):
    folder = shared_data / "archives"
    bif = folder / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"
    return fluxnet2015.Options(path=str(folder / "fluxnet2015"), bif=str(bif))


@pytest.fixture(scope="module")
def real(options, shared_data):
    paths = [shared_data / "archives" / "fluxnet2015", shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"]
    assert [str(p) for p in paths] == fluxnet2015.inputs(options)
    return records.check_network(*survey.read_tables(fluxnet2015, paths, options, survey.SurveyPlan("day"))[:2], where="real")


def test_all_eighteen_towers_are_there(real):
    table, places = real
    assert len(places) == table["site"].nunique() == 18
    assert places[["lat", "lon", "igbp"]].notna().all(axis=None)
    assert places.set_index("site").loc["GL-ZaF", ["lat", "igbp"]].tolist() == [74.4814, "WET"]  # listed as DK-ZaF
    assert table.groupby("site").size()[["DE-Hai", "US-Cop", "US-Los"]].tolist() == [4749, 2556, 5479]
    assert table.groupby("site")["gpp"].apply(lambda g: g.isna().sum())[["DE-Hai", "US-Cop", "US-Los"]].tolist() == [0, 731, 1461]


def test_the_first_day_of_hainich_by_hand(real):
    row = real[0].set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-01-01"))]
    expected = {
        "gpp": -0.165529,
        "reco": 1.17086,
        "nee": 1.33639,
        "nee_qc": 1.0,
        "air_temperature": 0.581 + 273.15,
        "vapour_pressure_deficit": 0.085,
        "shortwave_radiation": 5.91,
        "precipitation": 0.71,
    }
    assert row[list(expected)].to_dict() == pytest.approx(expected, abs=1e-6)


def test_day_time_partitioning_of_hainich_by_hand(options, shared_data):
    name = "FLX_DE-Hai_FLUXNET2015_SUBSET_2000-2012_1-4.zip"
    product = Product("DE-Hai", shared_data / "archives" / "fluxnet2015" / name)
    table, _, _ = oneflux.read_oneflux(product, records.RecordChoice("day", "DT"))
    assert table.loc[0, ["gpp", "reco", "nee"]].tolist() == [0.0, 1.08909, 1.33639]


def test_agreement_with_the_table_from_half_hours(real, shared_data):
    """Two ways from the same towers: official daily files, and daily means of published half hours."""
    other = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet")
    both = real[0].merge(other, on=["site", "date"])
    assert both["site"].nunique() == 18
    limits = {
        ("nee", "NEE_VUT_REF", 0.0): 0.06,
        ("gpp", "GPP_NT_VUT_REF", 0.0): 0.06,
        ("air_temperature", "TA_F", 273.15): 0.01,
        ("vapour_pressure_deficit", "VPD_F", 0.0): 0.01,
        ("shortwave_radiation", "SW_IN_F", 0.0): 0.01,
    }
    for (ours, theirs, shift), limit in limits.items():
        difference = (both[ours] - shift - both[theirs]).abs()
        assert np.isfinite(difference).sum() > 40_000
        assert difference.median() <= limit, ours


def test_the_real_monthly_file_of_puechabon(shared_data):
    """A FULLSET of hundreds of columns, loose as distributed."""
    folder = shared_data / "archives" / "formats"
    (product,) = oneflux.find_products(folder, fluxnet2015.FILES, "month")
    table, _, _ = oneflux.read_oneflux(product, records.RecordChoice("month", "NT"))
    assert product.site == "FR-Pue" and len(table) == 96
    january = table.iloc[0]
    assert january["date"] == pd.Timestamp("2007-01-01")
    assert january[["air_temperature", "nee", "nee_qc"]].tolist() == pytest.approx([8.009 + 273.15, -0.730855, 0.955645])
    assert january["precipitation"] == 0.755  # P_F before P_ERA

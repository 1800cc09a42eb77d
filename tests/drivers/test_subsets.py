"""Every real MODIS table around Australian towers is read, with values looked up by hand."""

import numpy as np
import pandas as pd
import pytest

from tamrl.drivers import subsets
from tamrl.errors import InputError

DAY = "2005-06-26"
TUM = {
    ("MOD09A1", "sur_refl_b02"): (0.2312, 0.228, 287 / 289),
    ("MOD11A2", "LST_Day_1km"): (281.2151, 280.28, 1.0),
    ("MOD15A2H", "Lai_500m"): (0.515, np.nan, 20 / 289),
    ("MOD16A2GF", "ET_500m"): (np.nan, np.nan, 0.0),
    ("MOD17A2HGF", "Gpp_500m"): (np.nan, np.nan, 0.0),
    ("MOD21A2", "LST_Night_1KM"): (275.0953, 275.0, 1.0),
}


@pytest.fixture
def folder(shared_data):
    return shared_data / "modis/sites"


@pytest.mark.parametrize(("product", "band"), TUM)
def test_values_by_hand(folder, product, band):
    found = subsets.read_subset(folder / f"AU-Tum/statistics_{product}.csv").set_index(["band", "start"]).loc[(band, DAY)]
    assert tuple(found[["value", "centre", "share"]]) == pytest.approx(TUM[product, band], nan_ok=True)


def test_every_table_is_read_and_rows_without_good_pixels_are_missing(folder):
    files = sorted(folder.rglob("*.csv"))
    assert len(files) == 14
    for file in files:
        found = subsets.read_subset(file)
        nothing = found["share"] == 0
        assert len(found) > 700 and nothing.any(), file
        assert found.loc[nothing, ["value", "centre"]].isna().all(axis=None) and found.loc[~nothing, "value"].notna().all()


def test_vegetation_at_a_tower(folder):
    found = subsets.at_site(folder / "AU-Tum").set_index("date")
    day = found.loc["2005-06-30"]
    assert day["ndvi"] == pytest.approx((0.2312 - 0.0199) / (0.2312 + 0.0199), rel=1e-5)
    assert day["evi"] == pytest.approx(2.5 * 0.2113 / (0.2312 + 6 * 0.0199 - 7.5 * 0.0037 + 1), rel=1e-4)
    assert day["lswi"] == pytest.approx((0.2312 - 0.0797) / (0.2312 + 0.0797), rel=1e-4)
    assert np.isnan(day["lai"]), "7 % of the pixels are too few"
    assert found["ndvi"].between(0.3, 1).mean() > 0.95, "a forest"
    assert found["lai"].median() == pytest.approx(5, abs=1)


def test_all_towers_as_days_and_months(folder):
    days, months = (subsets.subsets_at_towers(folder, step=step) for step in ("day", "month"))
    assert set(days["site"]) == {"AU-Cum", "AU-Rob", "AU-Tum", "AU-Whr", "AU-Wom"}
    assert not months.duplicated(["site", "date"]).any() and (pd.DatetimeIndex(months["date"]).day == 1).all()
    june = days[(days["site"] == "AU-Tum") & (days["date"].dt.to_period("M") == "2005-06")]["ndvi"].mean()
    assert months.set_index(["site", "date"]).loc[("AU-Tum", "2005-06-01"), "ndvi"] == pytest.approx(june)


def test_what_is_refused(folder, tmp_path):
    text = (folder / "AU-Rob/statistics_MOD15A2H.csv").read_text()
    (tmp_path / "AU-Rob").mkdir()
    path = tmp_path / "AU-Rob/statistics_MOD15A2H.csv"
    with pytest.raises(InputError, match="no subsets"):
        subsets.subsets_at_towers(tmp_path, step="day")
    path.write_text(text.replace("pixels_pass_qa,", "other,"))
    with pytest.raises(InputError, match="lacks pixels_pass_qa"):
        subsets.read_subset(path)
    path.write_text(text.replace(",289,", ",28,"))
    with pytest.raises(InputError, match="more pixels passed"):
        subsets.read_subset(path)
    path.write_text(text.replace("2001-", "x001-"))
    with pytest.raises(InputError, match="cannot be read"):
        subsets.read_subset(path)

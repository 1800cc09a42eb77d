"""The public monthly files."""

import shutil

import pandas as pd
import pytest

from tamrl.errors import ConfigError, InputError
from tamrl.towers import records
from tamrl.towers.networks import metaflux


@pytest.fixture(scope="module")
def paths(shared_data):
    return [shared_data / "towers" / "metaflux", shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"]


@pytest.fixture(scope="module")
def real(paths):
    return records.check(*metaflux.read(paths, metaflux.Options(), partitioning="NT", step="month"), where="metaflux")


@pytest.fixture
def few(paths, tmp_path):
    """Four of the towers."""
    for site in ("DE-Hai", "SN-Dhr", "US-Ton", "FI-Hyy"):
        shutil.copy(paths[0] / f"{site}_MM.csv", tmp_path)
    return [tmp_path, paths[1]]


def test_all_towers_are_read(real):
    table, places = real
    assert (len(places), len(table)) == (166, 14148)
    assert places["igbp"].notna().all() and places["koppen"].notna().all()
    assert places.set_index("site")["managed"].dropna().to_dict() == {"US-Ne1": "irrigated", "US-Ne2": "irrigated"}
    assert places.set_index("site").loc["SJ-Adv", "koppen"] == "Polar"
    assert pd.isna(places.set_index("site").loc["US-Me6", "utc_offset"])  # +8 h at 121 degrees west in the metadata


def test_a_month_of_hainich_by_hand(real):
    row = real[0].set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row[["gpp", "reco", "nee", "nee_qc"]].tolist() == pytest.approx([0.105299, 1.405259, 1.29996, 0.979885])
    assert row["air_temperature"] == pytest.approx(2.541 + 273.15)
    assert row["precipitation"] == 3.863 and row["evi"] == pytest.approx(0.291265486)


def test_day_time_partitioning_balances_as_the_file_does(few):
    table, _ = metaflux.read(few, metaflux.Options(), partitioning="DT", step="month")
    row = table.set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row[["gpp", "reco"]].tolist() == pytest.approx([0.159502, 1.29996 + 0.159502])


def test_reanalysis_drivers_and_the_tower_where_they_are_broken(few):
    options = metaflux.Options(drivers="era")
    table, places = records.check(*metaflux.read(few, options, partitioning="NT", step="month"), where="metaflux")
    row = table.set_index(["site", "date"]).loc[("DE-Hai", pd.Timestamp("2000-02-01"))]
    assert row["air_temperature"] == pytest.approx(2.829 + 273.15) and row["precipitation"] == 2.542
    senegal = table[table["site"] == "SN-Dhr"]  # SW_IN_ERA there is 13 W m-2 the year round
    assert senegal["shortwave_radiation"].isna().all() and senegal["air_temperature"].notna().all()
    assert places.loc[places["implausible"] > 0, "site"].tolist() == ["SN-Dhr"]


def test_without_the_folder_the_download_is_asked_for(tmp_path):
    options = metaflux.Options(path=str(tmp_path / "none"), bif=str(tmp_path / "none.csv"))
    assert metaflux.inputs(options) == ["downloads/metaflux"]


def test_days_are_refused(paths):
    with pytest.raises(ConfigError, match="monthly"):
        metaflux.read(paths, metaflux.Options(), partitioning="NT", step="day")


def test_a_file_of_another_tower_is_refused(sample):
    options = metaflux.Options(**sample.metaflux("month"))
    (sample.folder / "base" / "DE-Aaa_MM.csv").rename(sample.folder / "base" / "DE-Zzz_MM.csv")
    with pytest.raises(InputError, match=r"DE-Zzz alone[\s\S]*DE-Aaa"):
        metaflux.read([sample.folder], options, partitioning="NT", step="month")


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        metaflux.read([tmp_path], metaflux.Options(), partitioning="NT", step="month")

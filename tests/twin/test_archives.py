"""Archives look like the networks' own: names, columns, missing values and metadata."""

import csv
import io
import re
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tamrl.twin import archives

SITE = archives.ArchiveSite("XV-Aab", 51.2, 10.3, 433.4, "DBF", 8.31, 712.4, False, 2010, 2012, koppen="Dfb")


def _columns_of(path) -> list[list[str]]:
    found = []
    for file in sorted(path.glob("*.zip")):
        with zipfile.ZipFile(file) as archive:
            (name,) = [n for n in archive.namelist() if "_DD_" in n]
            with archive.open(name) as handle:
                found.append(next(csv.reader(io.TextIOWrapper(handle))))
    return found


def test_columns_are_those_of_real_archives(shared_data):
    real = {name for columns in _columns_of(shared_data / "archives/fluxnet2015") for name in columns}
    for seed in range(20):
        assert set(archives.columns(np.random.default_rng(seed), reanalysis=False)) <= real


def test_reanalysis_columns_are_names_of_oneflux(shared_data):
    text = (shared_data / "archives/formats/ONEFlux_var_info_definitions_dd.txt").read_text(encoding="latin-1")
    known = {line.split("||")[0] for line in text.splitlines()}
    columns = [re.sub(r"_(16|84)$", "_XX", c) for c in archives.columns(np.random.default_rng(1), reanalysis=True)]
    assert set(columns) - known <= {"TS_F_MDS_1"}, "numbered by layer"


def test_columns_differ_in_set_and_order_from_site_to_site():
    drawn = [tuple(archives.columns(np.random.default_rng(k), reanalysis=False)) for k in range(30)]
    assert len({frozenset(d) for d in drawn}) > 5
    assert len({d.index("NEE_VUT_REF") - d.index("RECO_DT_VUT_REF") > 0 for d in drawn}) == 2
    assert all(set(archives.FIRST) | set(archives.LAST) <= set(d) for d in drawn)


def test_the_daily_table_is_written_as_distributed():
    record = pd.DataFrame({"TA_F": [1.23456789, np.nan], "P_F": [0.0, 12.0]})
    text = archives.daily_csv(record, pd.date_range("2012-02-28", periods=2), ["P_F", "TA_F"]).decode()
    assert text == "TIMESTAMP,P_F,TA_F\n20120228,0,1.23457\n20120229,12,-9999\n"


def test_names_follow_the_networks(shared_data):
    snapshot = pd.read_csv(shared_data / "archives/metadata/fluxnet_shuttle_snapshot_20260624T095651.csv")
    pattern = re.compile(r"^AMF_[A-Z]{2}-\w{3}_FLUXNET_\d{4}-\d{4}_v[\d.]+_r\d+\.zip$")
    real = snapshot.loc[snapshot["product_source_network"] == "AMF", "fluxnet_product_name"]
    assert real.str.match(pattern).mean() > 0.9
    assert pattern.match(archives.fluxnet_name(SITE) + ".zip")
    old = re.compile(r"^FLX_[A-Z]{2}-\w{3}_FLUXNET2015_SUBSET_\d{4}-\d{4}_\d-\d\.zip$")
    names = [p.name for p in (shared_data / "archives/fluxnet2015").glob("*.zip")]
    assert all(old.match(n) for n in [*names, archives.fluxnet2015_name(SITE) + ".zip"])


def test_metadata_have_the_real_layout(shared_data):
    real = pd.read_csv(shared_data / "archives/metadata/FLX_AA-Flx_BIF_LATEST.csv", sep=";", encoding="latin-1")
    table = archives.bif([SITE, replace(SITE, site="XV-Aac", irrigated=True)])
    assert list(table.columns) == [c for c in real.columns if not c.startswith("Unnamed")]
    pairs = set(zip(real["VARIABLE_GROUP"], real["VARIABLE"], strict=True))
    newer = {("GRP_CLIM_AVG", "CLIMATE_KOEPPEN")}  # AmeriFlux and the newer FLUXNET product
    assert set(zip(table["VARIABLE_GROUP"], table["VARIABLE"], strict=True)) <= pairs | newer
    assert table.groupby("GROUP_ID")["VARIABLE_GROUP"].nunique().eq(1).all()
    assert table.loc[table["VARIABLE"] == "DM_WATER", "SITE_ID"].tolist() == ["XV-Aac"]
    assert table.loc[table["VARIABLE"] == "CLIMATE_KOEPPEN", "DATAVALUE"].tolist() == ["Dfb", "Dfb"]
    assert (
        archives.bif_csv(table, separator=";")
        .decode("latin-1")
        .startswith("SITE_ID;GROUP_ID;VARIABLE_GROUP;VARIABLE;DATAVALUE\n")
    )


def test_zips_have_no_clock():
    one, two = (archives.zipped({"a.csv": b"1\n", "b.csv": b"2\n"}) for _ in range(2))
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert archive.read("b.csv") == b"2\n"


@pytest.mark.parametrize(("lon", "hours"), [(10.3, 1), (-118.0, -8), (179.0, 12)])
def test_utc_offset_by_longitude(lon, hours):
    assert replace(SITE, lon=lon).utc_offset == hours

"""Every format of the network `fluxnet`, written exactly as distributed, gives back what was written."""

import pandas as pd
import pytest

from tamrl.errors import InputError
from tamrl.towers import survey
from tamrl.towers.networks import fluxnet, fluxnet2015

HUBS = ("AMF", "EUF", "ICOS", "JPF", "TERN", "CNF", "KOF", "FLX", "SAEON")
"""All prefixes of the real snapshot of the shuttle."""


def _siteinfo(site):
    """Metadata as the ICOS thematic centre writes them: quoted, without groups of variables."""
    values = {"LOCATION_LAT": "51.0", "LOCATION_LONG": "10.5", "LOCATION_ELEV": "430", "IGBP": "DBF", "UTC_OFFSET": "1"}
    rows = [f'"{site}","{k}","{name}","{value}"' for k, (name, value) in enumerate(values.items())]
    return "\n".join(['"SITE_ID","GROUP_ID","VARIABLE","DATAVALUE"', *rows]) + "\n"


def _members(sample, hub, site="DE-Aaa"):
    """All files of a release of 2026: the names and the parts of a real archive."""
    name, years = f"{hub}_{site}_FLUXNET", "2010-2011_v1.3_r1"
    daily, monthly = sample.rows(), sample.rows(step="month", days=24)
    return {
        f"{name}_FLUXMET_HH_{years}.csv": sample.fine().to_csv(index=False),
        f"{name}_FLUXMET_DD_{years}.csv": daily.to_csv(index=False),
        f"{name}_FLUXMET_MM_{years}.csv": monthly.to_csv(index=False),
        f"{name}_FLUXMET_YY_{years}.csv": "TIMESTAMP\n2010\n",
        f"{name}_ERA5_DD_1981-2025_v1.3_r1.csv": "TIMESTAMP,TA_ERA\n19810101,1.0\n",
        f"{name}_BIF_{years}.csv": sample.bif("DE-Aaa", separator=",").replace(b"DE-Aaa", site.encode()),
        f"{name}_BIFVARINFO_DD_{years}.csv": (
            "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n"
            f"{site},7,GRP_VAR_INFO,VAR_INFO_VARNAME,NEE_VUT_REF\n{site},7,GRP_VAR_INFO,VAR_INFO_HEIGHT,43.5\n"
        ),
        "README.txt": "x",
        "DATA_POLICY_LICENSE_AND_INSTRUCTIONS.txt": "x",
    }


def _read(network, folder, step="day", **how):
    return survey.read_tables(network, [folder], network.Options(path=str(folder)), survey.SurveyPlan(step, **how))


@pytest.mark.parametrize("hub", HUBS)
def test_the_present_release_of_every_hub(sample, hub):
    sample.zip(sample.folder / f"{hub}_DE-Aaa_FLUXNET_2010-2011_v1.3_r1.zip", _members(sample, hub))
    table, places, _ = _read(fluxnet, sample.folder)
    written = sample.rows()
    for name, column in {"nee": "NEE_VUT_REF", "reco": "RECO_NT_VUT_REF", "nee_qc": "NEE_VUT_REF_QC"}.items():
        assert table[name].tolist() == pytest.approx(written[column].tolist())
    row = places.iloc[0]
    assert row[["site", "lat", "lon", "igbp", "utc_offset", "height"]].tolist() == ["DE-Aaa", 51.0, 10.5, "DBF", 1.0, 43.5]
    assert len(_read(fluxnet, sample.folder, "month")[0]) == 24


@pytest.mark.parametrize("interim", ["", "_INTERIM"])
@pytest.mark.parametrize("packed", [True, False])
def test_files_of_the_icos_thematic_centre(sample, packed, interim):
    name = "ICOSETC_DE-Aaa"
    files = {
        f"{name}_FLUXNET_DD{interim}_L2.csv": sample.rows().to_csv(index=False),
        f"{name}_SITEINFO{interim}_L2.csv": _siteinfo("DE-Aaa"),
        f"{name}_VARINFO_FLUXNET_DD{interim}_L2.csv": "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n",
        f"{name}_FLUXES{interim}_L2.csv": "TIMESTAMP_START\n",
    }
    if packed:
        sample.zip(sample.folder / f"{name}_ARCHIVE{interim}_L2.zip", files)
    else:
        for file, text in files.items():
            (sample.folder / file).write_text(text)
    table, places, _ = _read(fluxnet, sample.folder)
    assert len(table) == 400 and table["nee"][3] == pytest.approx(sample.rows()["NEE_VUT_REF"][3])
    assert places[["site", "lat", "lon", "elevation", "utc_offset"]].iloc[0].tolist() == ["DE-Aaa", 51.0, 10.5, 430.0, 1.0]


@pytest.mark.parametrize("code", ["HH", "HR"])
def test_older_ameriflux_archives_with_a_workbook_of_metadata(sample, code, shared_data):
    source = shared_data / "archives" / "formats" / "AMF_AA-Flx_BIF_CCBY4_20201218.xlsx"
    (sample.folder / source.name).write_bytes(source.read_bytes())
    name = "AMF_US-CRT_FLUXNET_FULLSET"
    raw = sample.fine(days=60, minutes={"HH": 30, "HR": 60}[code])
    path = sample.folder / f"{name}_2012-2012_3-5.zip"
    sample.zip(path, {f"{name}_{code}_2012-2012_3-5.csv": raw.to_csv(index=False)})
    table, places, _ = _read(fluxnet, sample.folder)
    assert len(table) == 60 and places[["site", "lat", "lon"]].iloc[0].tolist() == pytest.approx(["US-CRT", 41.6285, -83.3471])


def test_metadata_without_coordinates_are_looked_up_in_the_shared_table(sample):
    members = _members(sample, "EUF")
    members["EUF_DE-Aaa_FLUXNET_BIF_2010-2011_v1.3_r1.csv"] = "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n"
    sample.zip(sample.folder / "EUF_DE-Aaa_FLUXNET_2010-2011_v1.3_r1.zip", members)
    (sample.folder / "EUF_AA-Flx_BIF_X.csv").write_bytes(sample.bif("DE-Aaa"))
    assert _read(fluxnet, sample.folder)[1][["lat", "lon"]].iloc[0].tolist() == [51.0, 10.5]


def _with_percentiles(rows):
    """The columns of the other u* threshold, as FULLSET files have them."""
    names = {c: c.replace("_REF", "_USTAR50") for c in rows if "_VUT_REF" in c}
    other = rows[list(names)].rename(columns=names)
    return pd.concat([rows, other.where(other < 0, other * 0.5)], axis=1)


@pytest.mark.parametrize("partitioning", ["NT", "DT"])
def test_the_median_threshold(sample, partitioning):
    (sample.folder / "FLX_AA-Flx_BIF_LATEST.csv").write_bytes(sample.bif("DE-Aaa"))
    name, rows = "FLX_DE-Aaa_FLUXNET2015_FULLSET", sample.rows()
    content = {f"{name}_DD_2010-2011_1-4.csv": _with_percentiles(rows).to_csv(index=False)}
    sample.zip(sample.folder / f"{name}_2010-2011_1-4.zip", content)
    table, _, _ = _read(fluxnet2015, sample.folder, partitioning=partitioning, ustar="USTAR50")
    assert table["reco"][3] == pytest.approx(rows[f"RECO_{partitioning}_VUT_REF"][3] / 2)
    assert table["nee_qc"][3] == pytest.approx(0.45)


def test_subsets_lack_the_median_threshold_and_say_so(sample):
    options = sample.fluxnet2015("day")
    with pytest.raises(InputError, match=r"no column for [\s\S]*_VUT_USTAR50"):
        survey.read_tables(
            fluxnet2015, [sample.folder], fluxnet2015.Options(**options), survey.SurveyPlan("day", ustar="USTAR50")
        )

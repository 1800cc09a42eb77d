"""Archives of ONEFlux products that are not as they should be."""

import numpy as np
import pandas as pd
import pytest

from tamrl import alternatives
from tamrl.errors import InputError
from tamrl.towers import survey
from tamrl.towers.networks import fluxnet, fluxnet2015
from tamrl.towers.product import Product
from tamrl.towers.reader import oneflux
from tamrl.towers.reader.records import RecordChoice

NAME = "FLX_DE-Aaa_FLUXNET2015_SUBSET"


def _read(sample, members, step="day", partitioning="NT"):
    path = sample.zip(sample.folder / f"{NAME}_2010-2011_1-4.zip", members)
    return oneflux.read_oneflux(Product("DE-Aaa", path), RecordChoice(step, partitioning))


def _daily(rows):
    return {f"{NAME}_DD_2010-2011_1-4.csv": rows.to_csv(index=False)}


def test_a_missing_column_names_archive_and_column(sample):
    with pytest.raises(InputError, match=r"no column for nee_qc[\s\S]*1-4\.zip[\s\S]*NEE_VUT_REF_QC"):
        _read(sample, _daily(sample.rows().drop(columns="NEE_VUT_REF_QC")))


def test_without_any_partitioning_the_archive_is_refused(sample):
    with pytest.raises(InputError, match="no column for gpp"):
        _read(sample, _daily(sample.rows().drop(columns=["GPP_NT_VUT_REF", "GPP_DT_VUT_REF"])))


def test_without_the_chosen_partitioning_the_flux_is_missing(sample):
    table, _, _ = _read(sample, _daily(sample.rows().drop(columns=["GPP_DT_VUT_REF", "RECO_DT_VUT_REF"])), partitioning="DT")
    assert table[["gpp", "reco"]].isna().all(axis=None) and table["nee"].notna().all()


def test_a_constant_threshold_is_taken_only_where_there_is_no_other(sample):
    rows = sample.rows()
    constant = {c: c.replace("VUT", "CUT") for c in rows if "VUT" in c}
    both = pd.concat([rows, rows[list(constant)].rename(columns=constant) * 0.5], axis=1)
    assert _read(sample, _daily(both))[0]["nee"][3] == pytest.approx(rows["NEE_VUT_REF"][3])
    both[list(constant)] = -9999
    table, _, _ = _read(sample, _daily(both))
    assert table["nee"][3] == pytest.approx(rows["NEE_VUT_REF"][3] / 2)
    assert table["nee_qc"][3] == pytest.approx(0.45)


def test_a_file_with_a_constant_threshold_alone_is_read(sample):
    rows = sample.rows()
    table, _, _ = _read(sample, _daily(rows.rename(columns=lambda c: c.replace("VUT", "CUT"))))
    assert table[["nee", "reco", "nee_qc"]].iloc[3].tolist() == pytest.approx(
        rows[["NEE_VUT_REF", "RECO_NT_VUT_REF", "NEE_VUT_REF_QC"]].iloc[3].tolist()
    )


def _with_percentiles(rows, kind="VUT"):
    columns = {c: c.replace("REF", p) for c in rows if c.endswith("_VUT_REF") for p in ("05", "95")}
    further = {c.replace("REF", p): rows[c] + shift for c in columns for p, shift in (("05", -0.2), ("95", 0.2))}
    return rows.assign(**further).rename(columns=lambda c: c.replace("VUT", kind))


def _alternatives(sample, members, kinds, step="day", partitioning="NT"):
    path = sample.zip(sample.folder / f"{NAME}_2010-2011_1-4.zip", members)
    return oneflux.read_oneflux(Product("DE-Aaa", path), RecordChoice(step, partitioning, alternatives=kinds))[0]


@pytest.mark.parametrize("kind", ["VUT", "CUT"])
def test_alternatives_are_read_beside_the_chosen_fluxes(sample, kind):
    rows = sample.rows()
    members = _daily(_with_percentiles(rows, kind))
    table = _alternatives(sample, members, ("partitioning", "ustar"))
    plain = _alternatives(sample, members, ())
    pd.testing.assert_frame_equal(table[list(plain)], plain)
    labels = [a.label for a in alternatives.listed(table)]
    assert sorted(labels) == ["DT_05", "DT_95", "DT_REF", "NT_05", "NT_95"]
    expected = {"gpp_DT_REF": "GPP_DT_VUT_REF", "reco_NT_95": "RECO_NT_VUT_REF", "nee_05": "NEE_VUT_REF"}
    shift = {"gpp_DT_REF": 0, "reco_NT_95": 0.2, "nee_05": -0.2}
    for name, column in expected.items():
        np.testing.assert_allclose(table[name].iloc[10:], rows[column].iloc[10:] + shift[name], atol=1e-6)
    assert np.isnan(table["gpp_NT_05"].iloc[7]) or abs(table["gpp_NT_05"].iloc[7]) > 9000


def test_missing_columns_leave_alternatives_out_and_each_kind_is_of_its_own(sample):
    rows = _with_percentiles(sample.rows()).drop(columns=["RECO_NT_VUT_05", "GPP_NT_VUT_95", "RECO_NT_VUT_95", "NEE_VUT_REF_QC"])
    members = _daily(rows.assign(NEE_VUT_REF_QC=0.9))
    table = _alternatives(sample, members, ("ustar",))
    assert [a.label for a in alternatives.listed(table)] == ["NT_05"] and table["reco_NT_05"].isna().all()
    other = _alternatives(sample, members, ("partitioning",), partitioning="DT")
    assert [a.label for a in alternatives.listed(other)] == ["NT_REF"] and "nee_REF" not in other


def test_half_hours_give_partitionings_but_no_percentiles(sample):
    fine = sample.fine(days=40)
    path = {f"{NAME}_HH_2012-2012_1-4.csv": _with_percentiles(fine).to_csv(index=False)}
    table = _alternatives(sample, path, ("partitioning", "ustar"))
    assert [a.label for a in alternatives.listed(table)] == ["DT_REF"]
    np.testing.assert_allclose((table["reco_DT_REF"] - table["reco"]).dropna(), 0.1 * 12.011e-6 * 86400, rtol=1e-3)


def test_a_whole_archive_as_distributed_gives_the_day_files(sample):
    """All files of a FLUXNET2015 archive: steps, auxiliary files and reanalysis beside the one that is wanted."""
    rows, years = sample.rows(), "2010-2011_1-4.csv"
    members = {f"{NAME}_{step}_{years}": "TIMESTAMP\n1\n" for step in ("WW", "MM", "YY")}
    members |= {f"{NAME}_HH_{years}": sample.fine(days=2).to_csv(index=False)}
    members |= {f"FLX_DE-Aaa_FLUXNET2015_{aux}_{years}": "x\n" for aux in ("AUXMETEO", "AUXNEE", "ERAI_DD", "ERAI_HH")}
    table, _, _ = _read(sample, members | _daily(rows))
    assert len(table) == 400


def test_a_file_that_breaks_off_is_refused(sample):
    text = sample.rows().to_csv(index=False)
    with pytest.raises(InputError, match="breaks off"):
        _read(sample, {f"{NAME}_DD_2010-2011_1-4.csv": text[: len(text) // 2]})


@pytest.mark.parametrize("text", ["", "TIMESTAMP,TA_F\n", "<html>no</html>"])
def test_a_file_of_something_else_is_refused(sample, text):
    with pytest.raises(InputError):
        _read(sample, {f"{NAME}_DD_2010-2011_1-4.csv": text})


def test_a_coarser_step_is_not_taken_for_this_one(sample):
    rows = sample.rows(step="month", days=36)
    with pytest.raises(InputError, match="one file of DD or HH or HR"):
        _read(sample, {f"{NAME}_MM_2010-2011_1-4.csv": rows.to_csv(index=False)})


def test_of_several_steps_the_one_wanted_is_read_and_else_the_coarsest(sample):
    daily, monthly = sample.rows(days=730), sample.rows(step="month", days=24)
    both = _daily(daily) | {f"{NAME}_MM_2010-2011_1-4.csv": monthly.to_csv(index=False)}
    assert _read(sample, both, step="month")[0]["nee"][3] == pytest.approx(monthly["NEE_VUT_REF"][3])
    made, _, _ = _read(sample, _daily(daily), step="month")
    assert len(made) == 24
    assert made["nee"][1] == pytest.approx(daily["NEE_VUT_REF"][31:59].mean(), abs=1e-6)


def test_an_archive_with_the_file_of_another_tower_is_refused(sample):
    with pytest.raises(InputError, match="DE-Aaa holds a file of DE-Zzz"):
        _read(sample, {"FLX_DE-Zzz_FLUXNET2015_SUBSET_DD_2010-2011_1-4.csv": sample.rows().to_csv(index=False)})


def test_members_may_lie_in_a_folder_of_the_archive(sample):
    ((name, text),) = _daily(sample.rows()).items()
    assert len(_read(sample, {f"FLX_DE-Aaa/{name}": text})[0]) == 400


FLX, AMF = "FLX_DE-Aaa_FLUXNET2015", "AMF_DE-Aaa_FLUXNET"


@pytest.mark.parametrize(
    ("pattern", "names", "kept"),
    [
        (fluxnet2015.FILES, [f"{FLX}_SUBSET_2010-2011_1-3.zip", f"{FLX}_SUBSET_2010-2011_1-4.zip"], 1),
        (fluxnet2015.FILES, [f"{FLX}_SUBSET_2010-2011_1-9.zip", f"{FLX}_SUBSET_2010-2011_1-10.zip"], 1),
        (fluxnet2015.FILES, [f"{FLX}_SUBSET_2010-2011_1-4.zip", f"{FLX}_FULLSET_2010-2011_1-4.zip"], 1),
        (fluxnet2015.FILES, [f"{FLX}_SUBSET_DD_2010-2011_1-4.csv", f"{FLX}_SUBSET_MM_2010-2011_1-4.csv"], 0),
        (fluxnet2015.FILES, [f"{FLX}_FULLSET_HH_2010-2011_1-4.csv", f"{FLX}_FULLSET_DD_2010-2011_1-4.csv"], 1),
        (fluxnet2015.FILES, [f"{FLX}_FULLSET_2010-2011_2-4.zip", f"{FLX}_FULLSET_2010-2020_beta-3.zip"], 1),
        (fluxnet.FILES, ["ICOSETC_DE-Aaa_FLUXNET_DD_L2.csv", "ICOSETC_DE-Aaa_FLUXNET_DD_INTERIM_L2.csv"], 0),
        (fluxnet.FILES, ["ICOSETC_DE-Aaa_ARCHIVE_L2.zip", f"{AMF}_2010-2011_v1.3_r1.zip"], 1),
        (fluxnet.FILES, [f"{AMF}_2010-2011_v1.3_r1.zip", f"{AMF}_2010-2011_v1.3_r2.zip"], 1),
        (fluxnet.FILES, [f"{AMF}_FULLSET_2010-2011_3-5.zip", "AMF_DE-Aaa_BASE-BADM_4-5.zip"], 0),
    ],
)
def test_the_newest_and_fullest_product_of_a_tower_is_taken(tmp_path, pattern, names, kept):
    for name in [*names, ".snakemake_timestamp", "notes.txt"]:
        (tmp_path / name).touch()
    assert [p.path.name for p in oneflux.find_products(tmp_path, pattern, "day")] == [names[kept]]


def test_every_product_of_the_real_shuttle_is_recognised(shared_data):
    snapshot = pd.read_csv(
        shared_data / "archives" / "metadata" / "fluxnet_shuttle_snapshot_20260624T095651.csv", dtype=str, keep_default_na=False
    )
    matches = [fluxnet.FILES.match(name) for name in snapshot["fluxnet_product_name"]]
    assert len(matches) == 767 and all(matches)
    assert [m["site"] for m in matches] == snapshot["site_id"].tolist()


def test_an_older_archive_takes_its_place_from_a_table_of_many(sample):
    rows = sample.rows()
    member = "AMF_DE-Aaa_FLUXNET_FULLSET_DD_2010-2011_3-5.csv"
    sample.zip(sample.folder / "AMF_DE-Aaa_FLUXNET_FULLSET_2010-2011_3-5.zip", {member: rows.to_csv(index=False)})
    options = fluxnet.Options(path=str(sample.folder))
    with pytest.raises(InputError, match=r"no coordinates of DE-Aaa"):
        survey.read_tables(fluxnet, [sample.folder], options, survey.SurveyPlan("day"))
    (sample.folder / "AMF_AA-Flx_BIF_CCBY4_20201218.csv").write_bytes(sample.bif("DE-Aaa"))
    table, places, _ = survey.read_tables(fluxnet, [sample.folder], options, survey.SurveyPlan("day"))
    assert places["lat"].tolist() == [51.0] and len(table) == 400


@pytest.mark.parametrize("network", [fluxnet, fluxnet2015])
def test_an_empty_folder_says_what_to_put_there(tmp_path, network):
    with pytest.raises(InputError, match=r"no tower files[\s\S]*zip"):
        survey.read_tables(network, [tmp_path], network.Options(), survey.SurveyPlan("day"))


def test_fills_written_in_other_ways_reach_nothing(sample):
    rows = sample.rows().astype(object)
    rows.loc[10, "NEE_VUT_REF"], rows.loc[11, "NEE_VUT_REF"], rows.loc[12, "SW_IN_F"] = "-9999.0", "1e20", "9.96921e+36"
    table, fills, _ = _read(sample, _daily(rows))
    assert np.isnan(table.loc[[10, 11], "nee"]).all() and np.isnan(table.loc[12, "shortwave_radiation"])
    assert fills.loc["DE-Aaa"].tolist() == [1 + 2, 1 + 1]

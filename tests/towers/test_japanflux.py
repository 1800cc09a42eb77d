"""JapanFlux2024: names, quality from 0 to 3, days and half hours."""

import numpy as np
import pytest

from tamrl.towers import survey
from tamrl.towers.networks import japanflux

NAME = "FLX_DE-Aaa_JapanFLUX2024_COREVARS"


def _own(rows, qc=None):
    """ONEFlux columns under the names of JapanFlux."""
    found = rows.rename(columns=lambda c: c.replace("VUT_REF", "vUT").replace("VUT_USTAR", "vUT_USTAR"))
    return found if qc is None else found.assign(NEE_vUT_QC=qc)


def _read(sample, rows, code="DD", **how):
    (sample.folder / "FLX_AA-Flx_BIF_X.csv").write_bytes(sample.bif("DE-Aaa"))
    text = rows.to_csv(index=False)
    sample.zip(sample.folder / f"{NAME}_2010-2011_1-3.zip", {f"DATA/COREVARS/{NAME}_{code}_2010-2011_1-3.csv": text})
    options = japanflux.Options(path=str(sample.folder))
    return survey.read_tables(japanflux, [sample.folder], options, survey.SurveyPlan("day", **how))


def test_days_come_back(sample):
    rows = sample.rows()
    table, places, _ = _read(sample, _own(rows, np.resize([0.0, 0.4, 1.0, 2.0, 3.0, -9999], 400)))
    assert table["nee"][3] == pytest.approx(rows["NEE_VUT_REF"][3])
    assert table["nee_qc"][:5].tolist() == pytest.approx([1.0, 0.8, 0.5, 0.0, 0.0]) and np.isnan(table["nee_qc"][5])
    assert places[["site", "network", "igbp"]].iloc[0].tolist() == ["DE-Aaa", "japanflux", "DBF"]


def test_half_hours_come_back(sample):
    raw = sample.fine(days=70)
    table, _, _ = _read(sample, _own(raw), code="HH")
    assert len(table) == 70 and table["nee_qc"].tolist() == pytest.approx([0.5] * 70)


def test_the_median_threshold(sample):
    rows = _own(sample.rows(), 0.0)
    for name in ("NEE", "GPP_NT", "RECO_NT"):
        rows[f"{name}_vUT_USTAR50"] = rows[f"{name}_vUT"] * 0.5
    rows["NEE_vUT_USTAR50_QC"] = 1.0
    table, _, _ = _read(sample, rows, ustar="USTAR50")
    assert table["nee"][3] == pytest.approx(rows["NEE_vUT"][3] / 2) and table["nee_qc"][3] == 0.5


def test_names():
    assert japanflux._name("GPP_DT_vUT") == "GPP_DT_VUT_REF"
    assert japanflux._name("NEE_cUT_USTAR50_QC") == "NEE_CUT_USTAR50_QC"
    assert japanflux._name("TA_F_QC") == "TA_F_QC"

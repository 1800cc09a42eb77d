"""A table of sums: its columns, units, signs and periods, and which places are left out."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.errors import InputError, TamrlError, UnitError
from tamrl.sections.inputs import Screening, SumColumns, SumTable
from tamrl.towers import sums as module

YEAR = 365.242198781  # days, UDUNITS

HEADER = "site_id,igbp_class,location_lat,location_long,n_years_nee,n_years_gpp,n_years_ter,nep_median,gpp_median,ter_median"
ROWS = (
    "XX-Aaa,ENF,50.0,10.0,5,5,5,365.242198781,1460.968795124,1095.726596343",
    "XX-Bbb,GRA,40.0,20.0,3,1,3,100,900,800",
    "XX-Ccc,CRO,30.0,30.0,1,1,1,200,700,500",
    "XX-Ddd,WET,20.0,40.0,2,0,0,-50,,",
    "NA-Eee,EBF,10.0,50.0,9,9,9,300,2300,2000",
)


def _write(path, rows=ROWS, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def _sums(path, **changes) -> SumTable:
    return SumTable(path=str(path), **changes)


@pytest.fixture
def file(tmp_path):
    return _write(tmp_path / "medians.csv")


def _read(file, **changes):
    means, places = module.read_table(file, _sums(file, **changes))
    return means.set_index("site"), places.set_index("site")


def test_yearly_values_become_daily_means_with_the_sign_of_nee(file):
    means, places = _read(file)
    assert means.loc["XX-Aaa", ["gpp", "reco", "nee"]].tolist() == pytest.approx([4.0, 3.0, -1.0], rel=1e-6)
    assert means.loc["XX-Ddd", "nee"] == pytest.approx(50 / YEAR, rel=1e-6)
    assert means["first"].isna().all() and means["last"].isna().all()
    assert places.loc["NA-Eee", ["lat", "lon"]].tolist() == [10.0, 50.0] and places.loc["XX-Bbb", "igbp"] == "GRA"


def test_moles_and_seconds_are_converted(file):
    means, _ = _read(_scaled(file, 1 / (YEAR * 1.0377504)), units="umol m-2 s-1")
    assert means.loc["XX-Aaa", "gpp"] == pytest.approx(4.0, rel=1e-4)


def _scaled(file, factor):
    frame = pd.read_csv(file, keep_default_na=False, na_values=[""])
    frame[["nep_median", "gpp_median", "ter_median"]] *= factor
    frame.to_csv(file, index=False)
    return file


def test_fluxes_of_too_few_years_are_left_out_one_by_one(file):
    means, _ = _read(file)
    assert "XX-Ccc" not in means.index
    assert np.isnan(means.loc["XX-Bbb", "gpp"]) and means.loc["XX-Bbb", "gpp_years"] == 0
    assert means.loc["XX-Bbb", ["reco_years", "nee_years"]].tolist() == [3, 3]
    assert "XX-Ccc" in _read(file, min_years=1)[0].index


def test_periods_are_years_months_or_a_mean_year(tmp_path):
    header = "site,lat,lon,from,to,gpp"
    rows = ("XX-Aaa,50,10,2003,2005,900", "XX-Aaa,50,10,2006-06,2006-08,1800", "XX-Aaa,50,10,climatology,climatology,1000")
    columns = dict.fromkeys(SumColumns.model_fields, None) | {"site": "site", "lat": "lat", "lon": "lon", "gpp": "gpp"}
    means, _ = _read(_write(tmp_path / "t.csv", rows, header), columns=SumColumns(**columns | {"first": "from", "last": "to"}))
    assert means["first"].astype(str).tolist()[:2] == ["2003-01-01", "2006-06-01"] and pd.isna(means["first"].iloc[2])
    assert means["last"].astype(str).tolist()[:2] == ["2005-12-31", "2006-08-31"] and pd.isna(means["last"].iloc[2])
    assert means["gpp_years"].tolist() == [1, 1, 1] and means["nee"].isna().all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nep_median", "nep_mean", "no column 'nep_median' for nep"),
        ("10.0,5,5,5", "10.0,x,5,5", "numbers"),
        ("50.0,10.0", "150.0,10.0", "XX-Aaa"),
        ("XX-Bbb", "../x", "no site ids"),
        ("XX-Bbb,GRA", "XX-Aaa,GRA", "several coordinates"),
    ],
)
def test_what_is_wrong_is_named(file, old, new, message):
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(TamrlError, match=message):
        _read(file)


@pytest.mark.parametrize("bytes_lost", [2, 5, 40])
def test_a_table_cut_within_a_row_is_refused(file, bytes_lost):
    file.write_bytes(file.read_bytes()[:-bytes_lost])
    with pytest.raises(TamrlError, match=r"medians\.csv"):
        _read(file)


def test_a_row_that_stands_twice_is_refused(file):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[-1]]) + "\n")
    with pytest.raises(TamrlError, match="one row a site and period"):
        _read(file)


def test_an_inverted_sign_is_named(file):
    columns = SumColumns(nee="nep_median", nep=None)
    with pytest.raises(InputError, match="GPP - RECO"):
        _read(file, columns=columns)
    with pytest.raises(InputError, match="gpp of a table of sums is implausible"):
        _read(_negative(file))


def _negative(file):
    frame = pd.read_csv(file, keep_default_na=False, na_values=[""])
    frame["gpp_median"] *= -1
    frame.to_csv(file, index=False)
    return file


def test_a_wrong_unit_is_named(file):
    for unit in ("K", "gC m-2"):
        with pytest.raises(UnitError):
            _read(file, units=unit)
    with pytest.raises(TamrlError, match=r"gpp"):
        _read(file, units="gC m-2 d-1")  # a thousand a day


@pytest.mark.parametrize("wrong", [{"nee": "a", "nep": "b"}, {"first": "a"}, dict.fromkeys(("gpp", "reco", "nee", "nep"))])
def test_columns_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValueError, match="name"):
        SumColumns(**wrong)


def test_flux_towers_and_excluded_and_managed_places_are_left_out(file, tmp_path):
    _, places = module.read_table(file, _sums(file, min_years=0))
    towers, known = tmp_path / "towers.csv", tmp_path / "known.csv"
    contracts.write_table(str(towers), places[places["site"] == "XX-Aaa"], contracts.SITES)
    managed = places[places["site"] == "NA-Eee"].assign(managed="irrigated")
    contracts.write_table(str(known), managed, contracts.SITES)
    table, kept = tmp_path / "sums.csv", tmp_path / "places.csv"

    def read(**screening) -> list[str]:
        chosen = Screening(exclude=("XX-Bbb",), managed={"XX-Ddd": "flooded"}, **screening)
        paths = {"towers": str(towers), "known": [str(known)], "table": str(table), "places": str(kept)}
        module.read_sums(**paths, sums=_sums(file, min_years=1), screening=chosen)
        assert set(contracts.read_csv(str(kept), contracts.SITES)["site"]) == set(
            contracts.read_csv(str(table), contracts.SUMS)["site"]
        )
        return contracts.read_csv(str(table), contracts.SUMS)["site"].tolist()

    assert read() == ["XX-Ccc"]
    assert read(quality={"managed": "keep"}) == ["XX-Ccc", "XX-Ddd", "NA-Eee"]


def test_the_table_of_the_shuttle_is_read(shared_data):
    means, places = module.read_table(
        shared_data / "towers/shuttle_yearly_medians.csv", _sums(shared_data / "towers/shuttle_yearly_medians.csv")
    )
    assert len(places) == 337 and 275 <= means["nee"].notna().sum() <= 285
    assert 3 < means["gpp"].median() < 4.5 and -1 < means["nee"].median() < -0.2

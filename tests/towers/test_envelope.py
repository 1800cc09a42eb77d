"""Units and signs that no single value gives away."""

import numpy as np
import pytest

from tamrl.errors import UnitError
from tamrl.towers import envelope
from tamrl.towers.networks import table


@pytest.fixture(scope="module")
def real(shared_data):
    path = shared_data / "towers" / "fluxnet2015_daily.parquet"
    return table.read([path], table.Options(path=str(path)), partitioning="NT", step="day")[0]


def test_no_real_tower_fails(real):
    found = envelope.find(real)
    assert found["site"].nunique() == 164 and not found["fails"].any()


@pytest.mark.parametrize(
    ("variable", "spoil", "hint"),
    [
        ("vapour_pressure_deficit", lambda v: v / 10, "kPa"),
        ("shortwave_radiation", lambda v: v * 0.0864, "MJ"),
        ("precipitation", lambda v: v * 30, "month"),
        ("air_temperature", lambda v: (v - 273.15) * 1.8 + 32 + 273.15, "Fahrenheit"),
        ("gpp", lambda v: -v, "sign"),
        ("nee", lambda v: -v, "sign"),
    ],
)
def test_a_wrong_unit_or_sign_is_refused(real, variable, spoil, hint):
    spoilt = real.assign(**{variable: spoil(real[variable])})
    with pytest.raises(UnitError, match=rf"towers\.csv, column THIS[\s\S]*{hint}"):
        envelope.refuse(spoilt, where="towers.csv", columns={variable: "THIS"})


def test_a_single_tower_loses_its_driver_and_the_rest_stays(real):
    towers = real[real["site"].isin(["DE-Hai", "DE-Tha", "US-Ton"])].reset_index(drop=True)
    here = towers["site"] == "US-Ton"
    spoilt = towers.assign(shortwave_radiation=towers["shortwave_radiation"].where(~here, towers["shortwave_radiation"] / 20))
    settled, report = envelope.settle(spoilt, where="x")
    assert settled.loc[here, "shortwave_radiation"].isna().all()
    assert settled.loc[~here, "shortwave_radiation"].equals(towers.loc[~here, "shortwave_radiation"])
    assert settled.drop(columns="shortwave_radiation").equals(towers.drop(columns="shortwave_radiation"))
    assert report.index.tolist() == ["US-Ton"] and report["implausible"].iloc[0] == here.sum()


def test_a_single_tower_with_a_reversed_sign_loses_all_fluxes(real):
    towers = real[real["site"].isin(["DE-Hai", "DE-Tha", "US-Ton"])].reset_index(drop=True)
    here = towers["site"] == "DE-Hai"
    settled, _ = envelope.settle(towers.assign(nee=np.where(here, -towers["nee"], towers["nee"])), where="x")
    assert settled.loc[here, ["gpp", "reco", "nee"]].isna().all(axis=None)
    assert settled.loc[~here, "nee"].equals(towers.loc[~here, "nee"])


def test_short_records_are_not_judged(real):
    winter = real[(real["site"] == "DE-Hai") & (real["date"].dt.year == 2004) & (real["date"].dt.month <= 2)]
    found = envelope.find(winter.assign(shortwave_radiation=5.0))
    assert set(found["variable"]) <= {"gpp", "nee"}

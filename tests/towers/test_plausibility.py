"""Units and signs that no single value gives away."""

import numpy as np
import pandas as pd
import pytest

from tamrl import variables
from tamrl.errors import UnitError
from tamrl.towers.networks import table
from tamrl.towers.quality import plausibility


@pytest.fixture(scope="module")
def real(shared_data):
    path = shared_data / "towers" / "fluxnet2015_daily.parquet"
    return table.read([path], table.Options(path=str(path)), partitioning="NT", step="day")[0]


@pytest.fixture(scope="module")
def monthly(real):
    """Means of the months of 24 towers, judged by the same bounds, and fluxes of energy made up from what is there."""
    month = real["date"].dt.to_period("M").dt.to_timestamp()
    some = real["site"].isin(real["site"].unique()[::7])
    found = real[some].drop(columns="date").groupby(["site", month]).mean(numeric_only=True).reset_index()
    light = found["shortwave_radiation"]
    return found.assign(
        net_radiation=0.6 * light - 20,
        latent_heat_flux=0.25 * light,
        sensible_heat_flux=0.22 * light,
        ground_heat_flux=0.02 * light,
    )


@pytest.fixture(scope="module")
def lat(shared_data):
    places = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet", columns=["site", "lat"]).drop_duplicates(
        "site"
    )
    return places.set_index("site")["lat"].to_dict()


def test_no_real_tower_fails(real, lat):
    found = plausibility.site_statistics(real, lat)
    assert found["site"].nunique() == 164 and not found["fails"].any()
    assert {plausibility.YEAR, f"{plausibility.SEASON} of the northern hemisphere"} <= set(found["says"])


FACTORS = (10, 24, 30, 48, 100, 1000, 3600, 86_400)
FAULTS = {
    **{f"x {k}": lambda v, k=k: v * k for k in FACTORS},
    **{f"/ {k}": lambda v, k=k: v / k for k in FACTORS},
    "°C for K": lambda v: v - 273.15,
    "K for °C": lambda v: v + 273.15,
    "sign": lambda v: -v,
}
NAMES = [n for n, e in variables.vocabulary().items() if e.towers]
NEAR_ZERO = {*(f"/ {k}" for k in FACTORS), "sign"}
UNTOLD = {"nee": NEAR_ZERO - {"sign"}, "ground_heat_flux": NEAR_ZERO}
"""What bounds cannot tell: fluxes whose mean is near zero (docs/limits.md)."""


def refused(records, name, lat):
    try:
        variables.check_range(records[name], name=name, where="x", tolerance=0.01)
        needed = {"site", "date", name, *{"nee": ("gpp", "reco"), "vapour_pressure_deficit": ("air_temperature",)}.get(name, ())}
        plausibility.judge_statistics(plausibility.site_statistics(records[sorted(needed)], lat), where="x")
    except UnitError:
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_refused_for_every_variable_unless_bounds_cannot_tell(monthly, lat, name):
    assert not refused(monthly, name, lat)
    told = {fault for fault, spoil in FAULTS.items() if refused(monthly.assign(**{name: spoil(monthly[name])}), name, lat)}
    assert set(FAULTS) - told == UNTOLD.get(name, set())


@pytest.mark.parametrize("name", ["precipitation", "shortwave_radiation", "vapour_pressure_deficit", "gpp"])
def test_the_median_of_many_towers_tells_a_factor_that_one_tower_cannot(monthly, name):
    spoilt = monthly.assign(**{name: monthly[name] / 10})
    with pytest.raises(UnitError, match=r"the median over 24 towers|of the towers fail"):
        plausibility.refuse_wrong_units(spoilt, where="x")


def test_a_latitude_of_the_wrong_sign_is_refused(monthly, lat):
    with pytest.raises(UnitError, match=r"of the towers fail(.|\n)*latitude has the wrong sign"):
        plausibility.refuse_wrong_units(monthly, where="x", lat={site: -value for site, value in lat.items()})


def test_of_one_place_no_share_of_towers_is_told(monthly, lat):
    (site,) = monthly["site"].unique()[:1]
    with pytest.raises(UnitError) as refused:
        plausibility.refuse_wrong_units(monthly[monthly["site"] == site], where="x", lat={site: -lat[site]})
    assert refused.value.found.startswith(f"at {site} ")


def test_dates_half_a_year_off_are_refused_even_near_the_tropics_of_either_side(monthly, lat):
    late = monthly.assign(date=monthly["date"] + pd.DateOffset(months=6))
    with pytest.raises(UnitError, match="half a year off"):
        plausibility.refuse_wrong_units(late, where="x", lat=lat)


def test_a_single_tower_on_the_wrong_side_of_the_equator_loses_its_fluxes(monthly, lat):
    first = next(site for site in monthly["site"].unique() if abs(lat[site]) > 40)
    towers = monthly.reset_index(drop=True)
    settled, report = plausibility.mask_implausible(towers, where="x", lat=lat | {first: -lat[first]})
    here = towers["site"] == first
    assert settled.loc[here, ["gpp", "reco", "nee", "air_temperature"]].isna().all(axis=None)
    assert settled.loc[~here].equals(towers.loc[~here]) and "summer less winter" in report.loc[first, "implausible_note"]


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
        plausibility.refuse_wrong_units(spoilt, where="towers.csv", columns={variable: "THIS"})


def test_a_single_tower_loses_its_driver_and_the_rest_stays(real):
    towers = real[real["site"].isin(["DE-Hai", "DE-Tha", "US-Ton"])].reset_index(drop=True)
    here = towers["site"] == "US-Ton"
    spoilt = towers.assign(shortwave_radiation=towers["shortwave_radiation"].where(~here, towers["shortwave_radiation"] / 20))
    settled, report = plausibility.mask_implausible(spoilt, where="x")
    assert settled.loc[here, "shortwave_radiation"].isna().all()
    assert settled.loc[~here, "shortwave_radiation"].equals(towers.loc[~here, "shortwave_radiation"])
    assert settled.drop(columns="shortwave_radiation").equals(towers.drop(columns="shortwave_radiation"))
    assert report.index.tolist() == ["US-Ton"] and report["implausible"].iloc[0] == here.sum()


def test_a_single_tower_with_a_reversed_sign_loses_all_fluxes(real):
    towers = real[real["site"].isin(["DE-Hai", "DE-Tha", "US-Ton"])].reset_index(drop=True)
    here = towers["site"] == "DE-Hai"
    settled, _ = plausibility.mask_implausible(towers.assign(nee=np.where(here, -towers["nee"], towers["nee"])), where="x")
    assert settled.loc[here, ["gpp", "reco", "nee"]].isna().all(axis=None)
    assert settled.loc[~here, "nee"].equals(towers.loc[~here, "nee"])


def test_short_records_are_not_judged(real):
    winter = real[(real["site"] == "DE-Hai") & (real["date"].dt.year == 2004) & (real["date"].dt.month <= 2)]
    found = plausibility.site_statistics(winter.assign(shortwave_radiation=5.0))
    assert set(found["variable"]) <= {"gpp", "nee"}

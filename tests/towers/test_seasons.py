"""Columns that do not stand in their months are named, whatever rearranged them."""

import numpy as np
import pandas as pd
import pytest

from tamrl import seasons
from tamrl.errors import InputError
from tamrl.towers import survey
from tamrl.towers.networks import metaflux
from tamrl.towers.quality import seasons as check

LATITUDES = {f"AA-{k:03d}": lat for k, lat in enumerate(np.linspace(-50, 65, 14))}


@pytest.fixture(scope="module")
def years() -> pd.DataFrame:
    """Mean years of towers whose temperature follows the sun by a month, and all else the temperature."""
    dates = pd.date_range("2010-01-01", "2011-12-31")
    records = pd.concat([_tower(site, lat, dates) for site, lat in LATITUDES.items()], ignore_index=True)
    return seasons.mean_years(records, pd.Series(LATITUDES))


def _tower(site: str, lat: float, dates: pd.DatetimeIndex) -> pd.DataFrame:
    random = np.random.default_rng(round(lat * 100) % 2**32)
    warmth = np.sign(lat) * np.sin(2 * np.pi * (dates.day_of_year - 111) / 365)
    columns = {"air_temperature": 285 + 10 * warmth, "vapour_pressure_deficit": 8 + 5 * warmth, "gpp": 5 + 4 * warmth}
    sun = seasons.potential_radiation_at_towers(lat=np.full(dates.size, lat), day=dates.day_of_year.to_numpy())
    columns |= {"shortwave_radiation": 0.5 * sun, "evi": 0.3 + 0.2 * warmth**3, "lai": 2 + 1.5 * warmth}
    noisy = {name: values + 0.2 * np.std(values) * random.standard_normal(dates.size) for name, values in columns.items()}
    return pd.DataFrame({"site": site, "date": dates, **noisy})


def _rearranged(years: pd.DataFrame, name: str, order) -> pd.DataFrame:
    table = years[name].unstack("month")
    changed = pd.DataFrame(order(table.to_numpy()), table.index, table.columns).stack()
    return years.assign(**{name: changed.reindex(years.index)})


def test_columns_in_their_months_pass(years):
    table = check.check_seasons(years, where="network x")
    assert set(table["covariate"]) == {"shortwave_radiation", "air_temperature", "vapour_pressure_deficit", "evi", "lai"}
    assert (table["r"] > 0.8).all() and (table["fault"] == "").all() and (table["towers"] == len(LATITUDES)).all()


@pytest.mark.parametrize("name", ["evi", "lai", "shortwave_radiation", "vapour_pressure_deficit"])
def test_months_in_text_order_are_named(years, name):
    with pytest.raises(InputError, match=f"{name} does not stand in its months: its months stand in text order"):
        check.check_seasons(_rearranged(years, name, lambda v: v[:, seasons.TEXT_ORDER]), where="network x")


@pytest.mark.parametrize("months", [-4, 3, 5, 6])
@pytest.mark.parametrize("name", ["evi", "shortwave_radiation"])
def test_a_shifted_column_is_named_with_its_months(years, name, months):
    with pytest.raises(InputError, match=rf"{name} .*shifted by \{months:+d} months"):
        check.check_seasons(_rearranged(years, name, lambda v: np.roll(v, months, axis=1)), where="network x")


def test_another_column_in_its_place_is_named(years):
    flat = years.drop(columns="lai").assign(evi=np.random.default_rng(1).standard_normal(len(years)))
    swapped = flat.assign(vapour_pressure_deficit=flat["evi"], evi=years["vapour_pressure_deficit"])
    with pytest.raises(InputError, match=r"vapour_pressure_deficit does not stand .*the column of (evi|gpp) has its season"):
        check.check_seasons(swapped, where="network x")


def test_an_unusual_season_that_nothing_explains_is_reported_and_not_refused(years):
    noise = years.assign(evi=np.random.default_rng(2).standard_normal(len(years)))
    odd = noise[["evi", "gpp"]].assign(gpp=np.random.default_rng(3).standard_normal(len(noise)))
    table = check.check_seasons(odd, where="network x")
    assert table["fault"].tolist() == ["no known rearrangement restores its season"] and table["r_restored"].isna().all()


def test_few_towers_are_not_judged(years):
    few = years.loc[list(LATITUDES)[: seasons.FEWEST_TOWERS - 1]]
    shifted = _rearranged(few, "evi", lambda v: np.roll(v, 6, axis=1))
    assert (check.check_seasons(shifted, where="network x")["fault"] == "").all()


def test_a_tower_without_all_months_does_not_count(years):
    table = seasons.compare_seasons(years.drop(index=[(site, 7) for site in list(LATITUDES)[:3]]))
    assert (table["towers"] == len(LATITUDES) - 3).all()


def test_monthly_records_stand_for_the_middle_of_their_month():
    days = pd.date_range("2010-01-01", "2010-12-31")
    daily = pd.DataFrame({"site": "AA-001", "date": days, "gpp": 1.0})
    monthly = daily.groupby(daily["date"].dt.to_period("M")).first()
    lat = pd.Series({"AA-001": 50.0})
    a, b = (seasons.mean_years(t, lat)[seasons.POTENTIAL] for t in (daily, monthly))
    assert np.abs(a - b).max() < 6


# Real towers


NAMES = {
    "TA_F": "air_temperature",
    "SW_IN_F": "shortwave_radiation",
    "VPD_F": "vapour_pressure_deficit",
    "mm_EVI": "evi",
    "mm_LAI": "lai",
    "GPP_NT_VUT_REF": "gpp",
}


def test_real_covariates_stand_in_their_months(shared_data):
    columns = ["site", "date", "lat", *NAMES]
    table = pd.read_parquet(shared_data / "towers" / "fluxnet2015_daily.parquet", columns=columns).rename(columns=NAMES)
    years = seasons.mean_years(table, table.groupby("site")["lat"].first())
    compared = check.check_seasons(years, where="fluxnet2015_daily.parquet").set_index("covariate")
    assert (compared["r"] > 0.9).all() and (compared["towers"] >= 139).all()


@pytest.fixture(scope="module")
def published(shared_data) -> tuple[pd.DataFrame, pd.Series]:
    """Mean years of the public files of `metaflux`, read as if EVI and LAI stood in their months, and the networks."""
    paths = [shared_data / "towers" / "metaflux", shared_data / "archives" / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"]
    options = metaflux.Options(greenness="calendar")
    records, places, _ = survey.read_tables(metaflux, paths, options, survey.SurveyPlan("month", "NT", strict=True))
    return seasons.mean_years(records, places.set_index("site")["lat"]), places.set_index("site")["network"]


@pytest.mark.parametrize("name", ["evi", "lai"])
def test_greenness_as_published_is_refused_and_its_fault_is_named(published, name):
    years, networks = published
    with pytest.raises(InputError, match="its months stand in text order"):
        check.check_networks(years[[name, "gpp", seasons.POTENTIAL]], networks)

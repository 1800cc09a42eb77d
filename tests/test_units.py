"""Units as people write them: one parser, the right factor, or an error that says where and what is accepted."""

import re

import numpy as np
import pandas as pd
import pytest

from tamrl import units
from tamrl.errors import ConfigError, UnitError
from tamrl.towers.networks import table

MOLES = 12.011e-6 * 86400
CARBON = """g m-2 d-1; gC m-2 d-1; gC m-2 day-1; g C m-2 day-1; g C m^-2 d^-1; gC/m2/day; g C m**-2 d**-1; gC m⁻² d⁻¹; gCm-2d-1;
g(C) m-2 d-1; gC.m-2.d-1; gC·m-2·d-1; g C per m2 per day; g CO2-C m-2 d-1; $gC m^{-2} d^{-1}$"""
AMOUNT = """umol m-2 s-1; \u00b5mol m-2 s-1; \u03bcmol m-2 s-1; umol CO2 m-2 s-1;
umolCO2 m-2 s-1; \u00b5mol CO2 m⁻² s⁻¹; umol(CO2) m-2 s-1;
umolm-2s-1; umol/m2/s; umol C m-2 s-1; umol m-2 s-1 CO2"""
FLUX = dict.fromkeys(re.split(r";\s", CARBON), 1.0) | dict.fromkeys(re.split(r";\s", AMOUNT), MOLES)
FLUX |= dict.fromkeys(("kg m-2 s-1", "kgC m-2 s-1", "kg C m-2 s-1", "Kg m-2 s-1"), 8.64e7)
FLUX |= dict.fromkeys(("gCO2 m-2 d-1", "g CO2 m-2 day-1"), 12.011 / 44.009) | {"mg CO2 m-2 s-1": 86.4 * 12.011 / 44.009}
FLUX |= {"mol m-2 d-1": 12.011, "mg C m-2 h-1": 0.024, "tC ha-1 yr-1": 100 / 365.2425}
OTHERS = {
    "K": {"K": 1.0} | dict.fromkeys(("degC", "°C", "ºC", "℃", "Celsius", "celsius", "deg C", "degree_Celsius", "C"), 274.15),
    "hPa": {"hPa": 1.0, "hpa": 1.0, "mbar": 1.0, "mb": 1.0, "kPa": 10.0, "KPa": 10.0, "Pa": 0.01},
    "W m-2": dict.fromkeys(("W/m2", "W m**-2", "W m^-2", "Wm-2", "W·m⁻²"), 1.0)
    | dict.fromkeys(("MJ m-2 d-1", "MJ/m2/day"), 1e6 / 86400),
    "mm d-1": dict.fromkeys(("mm/day", "mm d**-1", "mm day-1", "kg m-2 d-1"), 1.0)
    | {"kg m-2 s-1": 86400.0, "mm h-1": 24.0, "m d-1": 1e3},
    "1": {"-": 1.0, "m2 m-2": 1.0, "m2/m2": 1.0, "%": 0.01, "unitless": 1.0},
}
CASES = [(source, "gC m-2 d-1", factor) for source, factor in FLUX.items()]
CASES += [(source, target, factor) for target, known in OTHERS.items() for source, factor in known.items()]


@pytest.mark.parametrize(("source", "target", "factor"), CASES)
def test_units_that_people_use_are_converted(source, target, factor):
    assert units.convert(1.0, source=source, target=target) == pytest.approx(factor, rel=1e-6)


def test_spellings_of_one_unit_give_the_same_bits():
    values = np.random.default_rng(1).normal(size=100)
    expected = values * (12.011 * 1e-6 * 86400)
    for source in ("umol m-2 s-1", "umolCO2 m-2 s-1", "\u00b5mol m-2 s-1", "umol CO2 m-2 s-1"):
        assert (units.convert(values, source=source, target="gC m-2 d-1") == expected).all()


@pytest.mark.parametrize("source", ["gC m-2", "umol", "W m-2", "nonsense", "", "gC m-2 month-1", "g m-2 mo-1", "ppm", "1"])
def test_what_is_no_flux_is_refused_with_where_and_what_is_accepted(source):
    with pytest.raises(UnitError, match=r"t\.csv, column x[\s\S]*to do: give"):
        units.convert(1.0, source=source, target="gC m-2 d-1", where="t.csv, column x")


@pytest.mark.parametrize(("source", "target"), [("F", "K"), ("kg", "hPa"), ("mm", "mm d-1"), ("W", "W m-2"), ("kg m-3", "1")])
def test_units_of_something_else_are_refused(source, target):
    with pytest.raises(UnitError, match=rf"t\.csv[\s\S]*{target}"):
        units.convert(1.0, source=source, target=target, where="t.csv")


def test_units_of_a_table_are_checked_before_anything_runs():
    table.inputs(table.Options(path="t.csv", units={"gpp": "g C m-2 day-1", "air_temperature": "°C"}))
    with pytest.raises(ConfigError, match=r"towers\.table\.units\.gpp[\s\S]*gC m-2 d-1, kg m-2 s-1"):
        table.inputs(table.Options(path="t.csv", units={"gpp": "gC m-2"}))
    with pytest.raises(ConfigError, match="no variable named 'gp'"):
        table.inputs(table.Options(path="t.csv", units={"gp": "gC m-2 d-1"}))


@pytest.mark.parametrize(("source", "factor"), FLUX.items())
def test_a_table_in_any_of_them_is_read_right(tmp_path, source, factor):
    days = pd.date_range("2010-01-01", periods=60)
    true = 3 + np.sin(np.arange(60) / 5)
    rows = pd.DataFrame({"site": "DE-Aaa", "date": days, "lat": 51, "lon": 10.5, "g": true / factor, "n": -true / factor})
    path = tmp_path / "t.csv"
    rows.to_csv(path, index=False)
    names = {"site": "site", "date": "date", "lat": "lat", "lon": "lon", "gpp": "g", "nee": "n"}
    options = table.Options(path=str(path), columns=names, units={"gpp": source, "nee": source})
    found, _ = table.read([path], options, partitioning="NT", step="day")
    np.testing.assert_allclose(found["gpp"], true, rtol=1e-6)

"""Scaling: numbers that know their variable's name and unit."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter

from tamrl import carbon, classes
from tamrl.errors import ContractError, UnitError
from tamrl.samples import standardise


@pytest.fixture
def samples() -> xr.Dataset:
    random = np.random.default_rng(0)
    ds = xr.Dataset()
    ds["air_temperature"] = (("site", "time"), random.normal(280, 8, (5, 100)).astype("f4"), {"units": "K"})
    ds["evi"] = (("site", "time"), np.full((5, 100), 0.3, "f4"), {"units": "1"})
    fractions = np.zeros((5, 17), "f4")
    fractions[:3, 0], fractions[3:, 9] = 1, 1
    ds["igbp_fraction"] = (("site", "igbp"), fractions, {"units": "1"})
    for k, flux in enumerate(carbon.FLUXES):
        ds[flux] = (("site", "time"), random.normal(k, 2, (5, 100)).astype("f4"))
    ds["air_temperature"][0, :50] = np.nan
    return ds


@pytest.fixture
def found(samples) -> standardise.Standardisation:
    return standardise.fit_standardisation(samples, dynamic=("air_temperature", "evi"), static=("igbp_fraction",))


def test_scaled_values_have_mean_0_and_deviation_1(samples, found):
    scaled = found.apply(samples["air_temperature"].values, name="air_temperature", units="K")
    finite = scaled[np.isfinite(scaled)]
    assert abs(finite.mean()) < 1e-3 and abs(finite.std() - 1) < 1e-3
    assert np.isnan(scaled[0, :50]).all() and scaled.dtype == np.float32


def test_what_never_varied_in_training_is_scaled_to_zero(found):
    assert (found.apply(np.array([0.1, 0.9]), name="evi", units="1") == 0).all()
    fractions = np.eye(17, dtype="f4")
    scaled = found.apply(fractions, name="igbp_fraction", units="1")
    kept = np.flatnonzero(scaled.any(0))
    assert kept.tolist() == [classes.IGBP.index("ENF"), classes.IGBP.index("GRA")]


@pytest.mark.filterwarnings("error")
def test_infinite_values_become_missing(found):
    assert np.isnan(found.apply(np.array([np.inf, -np.inf, np.nan]), name="evi", units="1")).all()


def test_fluxes_are_scaled_without_a_shift(samples, found):
    for flux in carbon.FLUXES:
        assert found.fluxes[flux] == pytest.approx(float(np.sqrt((samples[flux] ** 2).mean())), rel=1e-5)


def test_unknown_names_and_other_units_are_refused(found):
    with pytest.raises(ContractError, match="air_temperature"):
        found.apply(np.zeros(3), name="air_temperatur", units="K")
    with pytest.raises(UnitError, match="'K'"):
        found.apply(np.zeros(3), name="air_temperature", units="degC")


def test_a_variable_without_values_is_refused(samples):
    samples["evi"][:] = np.nan
    with pytest.raises(ContractError, match="evi"):
        standardise.fit_standardisation(samples, dynamic=("evi",), static=())


def test_it_survives_json(found):
    assert TypeAdapter(standardise.Standardisation).validate_python(json.loads(json.dumps(asdict(found)))) == found

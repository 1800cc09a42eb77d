"""Rounding to significant bits: a bounded error without bias, NaN kept, and fluxes that still close."""

import numpy as np
import pytest
import xarray as xr

from tamrl.maps import rounding


@pytest.mark.parametrize("bits", [4, 10, 13])
def test_the_error_is_bounded_and_has_no_bias(bits):
    values = np.random.default_rng(1).normal(0, 5, 100000).astype("f4")
    found = rounding.significant(values, bits)
    relative = (found - values) / np.abs(values)
    assert 2.0 ** -(bits + 2) < np.abs(relative).max() <= 2.0 ** -(bits + 1)
    assert abs(relative.mean()) < 2.0 ** -(bits + 1) / 50
    assert (rounding.significant(found, bits) == found).all()
    assert not (found.view("u4") & np.uint32(2 ** (23 - bits) - 1)).any()


def test_what_is_no_number_stays_and_ties_go_to_even():
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], "f4")
    np.testing.assert_array_equal(rounding.significant(odd, 4), odd)
    one = np.float32(1) + np.float32(2.0**-5)
    assert rounding.significant(np.array([one, one + np.float32(2.0**-4)]), 4).tolist() == [1.0, 1.125]


def test_nothing_is_rounded_unless_it_is_asked_for():
    values = np.random.default_rng(1).normal(size=10).astype("f4")
    assert (rounding.significant(values, None) == values).all() and rounding.stated(None) == ""


@pytest.mark.parametrize("write", ["write_map", "write_members"])
def test_rounded_files_close_and_say_their_error(daily, write):
    found = {flux: xr.open_dataset(getattr(daily, write)(flux, significant_bits=8)).load() for flux in ("gpp", "reco", "nee")}
    np.testing.assert_array_equal(found["nee"]["nee"].values, found["reco"]["reco"].values - found["gpp"]["gpp"].values)
    assert "relative error at most 2.0e-03" in found["gpp"]["gpp"].comment
    exact = xr.open_dataset(getattr(daily, write)("gpp"))["gpp"].values
    off = np.abs(found["gpp"]["gpp"].values - exact)[np.isfinite(exact)]
    assert 0 < off.max() <= 2.0**-9 * np.nanmax(np.abs(exact))

"""The contract of a product, held for every file in `tamrl/maps/products`."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from tamrl import classes, registry
from tamrl.maps import cf, land
from tamrl.maps.products import Context
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import StratumCalibration, TestedCalibration

PRODUCTS = registry.names(registry.PRODUCTS)
BARE = land.Land(np.ones(4), np.ones(5), *(np.ones((4, 5)) for _ in range(3)), None, (), land.WHOLE)


@pytest.fixture(params=PRODUCTS)
def product(request):
    return registry.load(registry.PRODUCTS, request.param)


@pytest.fixture
def members():
    rng = np.random.default_rng(1)
    values = rng.gamma(3, 2, (3, 6, 4, 5)).astype("float32")
    values[1, 2, 3, 4] = np.nan
    coords = {"time": np.arange("2001-01-01", "2001-01-07", dtype="datetime64[D]").astype("datetime64[ns]")}
    return xr.DataArray(
        values, dims=("member", "time", "lat", "lon"), coords=coords | {"lat": np.arange(4.0), "lon": np.arange(5.0)}
    )


def context(units="gC m-2 d-1", share=None, flux="gpp"):
    rng = np.random.default_rng(2)
    predicted = rng.gamma(3, 2, 500)
    observed = predicted + rng.normal(0, 1, 500)
    fitted = conformal.fit_calibration(
        observed=observed, predicted=predicted, spread=np.ones(500), site=np.arange(500) % 30, flux=flux
    )
    attributes = cf.flux_attributes(flux, units=units, resolution="day", note=BARE.note)
    return Context(
        flux, cf.UNITS[units], np.ones((4, 5)) if share is None else share, TestedCalibration(fitted, "day"), attributes
    )


def test_both_products_of_the_rules_are_there():
    assert {"ensemble", "members"} <= set(PRODUCTS)


def test_fields_are_float32_on_time_and_place_with_the_attributes_of_their_flux(product, members):
    ds = product.build(members, context())
    assert len(ds.data_vars) and product.TITLE.format(flux="GPP", label="2012")
    for field in ds.data_vars.values():
        assert field.dtype == "float32" and field.dims[0] == "time" and field.dims[-2:] == ("lat", "lon")
        assert {"units", "long_name", "cell_methods", "grid_mapping", "comment"} <= set(field.attrs)


def test_a_product_works_point_by_point(product, members):
    whole = product.build(members, context())
    part = product.build(members.isel(time=slice(2, 5), lat=[3]), context(share=np.ones((1, 5))))
    xr.testing.assert_equal(part, whole.isel(time=slice(2, 5), lat=[3]))


def test_missing_is_carried_and_nothing_else_is_lost(product, members):
    for field in product.build(members, context()).data_vars.values():
        missing = np.isnan(field.values)
        assert missing[2, ..., 3, 4].any()
        missing[2, ..., 3, 4] = False
        assert not missing.any()


def test_what_is_delivered_is_of_the_land_and_in_the_unit_of_the_files(product, members):
    usual = product.build(members, context())
    half = product.build(members, context("kg m-2 s-1", np.full((4, 5), 0.5)))
    for name, field in usual.data_vars.items():
        assert half[name].units == "kg m-2 s-1"
        np.testing.assert_allclose(half[name].values, field.values * 0.5 / 86400 / 1000, rtol=1e-5)


def test_intervals_of_the_map_follow_season_and_class(members):
    own = context()
    strata = {"igbp": {"CRO": 4.0}, "season": [1.0, 1.0, 9.0, 1.0], "scale": 1.0, "low": -1.0, "high": 1.0}
    by_strata = {"strata": StratumCalibration(**strata)}
    of_all = own.calibration.calibration
    with_spread = of_all.with_spread.model_copy(update=by_strata)
    fitted = TestedCalibration(of_all.model_copy(update={"with_spread": with_spread}), "day")
    igbp = np.zeros((len(classes.IGBP), 4, 5), "float32")
    igbp[classes.IGBP.index("CRO"), 1] = 1  # the second row of cells
    ensemble = registry.load(registry.PRODUCTS, "ensemble")
    south = members.assign_coords(lat=[30.0, 25.0, -25.0, -30.0])
    by_class = dataclasses.replace(own, calibration=fitted, igbp=igbp)
    width = (
        ensemble.build(south, by_class)["gpp_std"]
        / ensemble.build(south, dataclasses.replace(by_class, igbp=np.zeros_like(igbp)))["gpp_std"]
    )
    np.testing.assert_allclose(width.isel(lat=1), 2, rtol=1e-5)  # twice the standard deviation on crops
    np.testing.assert_allclose(width.isel(lat=[0, 2]), 1, rtol=1e-5)
    summer = south.assign_coords(time=south["time"] + np.timedelta64(181, "D"))
    change = ensemble.build(summer, by_class)["gpp_std"].values / ensemble.build(south, by_class)["gpp_std"].values
    np.testing.assert_allclose(change[:, :2], 3, rtol=1e-5)
    np.testing.assert_allclose(change[:2, 2:], 1 / 3, rtol=1e-5)


def test_intervals_do_not_step_where_the_hemispheres_meet(members):
    """Cells on either side of the equator with the same members have the same interval in every month, or nearly so."""
    own = context()
    strata = {"igbp": {}, "season": [1.0, 2.0, 9.0, 3.0], "scale": 1.0, "low": -1.0, "high": 1.0}
    with_spread = own.calibration.calibration.with_spread.model_copy(update={"strata": StratumCalibration(**strata)})
    fitted = TestedCalibration(own.calibration.calibration.model_copy(update={"with_spread": with_spread}), "day")
    igbp = np.zeros((len(classes.IGBP), 4, 5), "float32")
    alike = members.copy(data=np.broadcast_to(members.values[:, :, :1], members.shape)).assign_coords(
        lat=[0.375, 0.125, -0.125, -0.375]
    )
    build = registry.load(registry.PRODUCTS, "ensemble").build
    for days in (0, 91, 182, 273):
        at = alike.assign_coords(time=alike["time"] + np.timedelta64(days, "D"))
        std = build(at, dataclasses.replace(own, calibration=fitted, igbp=igbp))["gpp_std"].values
        assert np.abs(np.diff(std, axis=1) / std[:, 1:]).max() < 0.02

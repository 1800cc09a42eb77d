"""Metadata: the compliance checker, GDAL, CDO and xarray must read the files as they are meant."""

import os
import shutil
import subprocess

import netCDF4
import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (registers the accessor)
import xarray as xr
from compliance_checker.runner import CheckSuite, ComplianceChecker

from tamrl import calendar, files
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.maps import cf

EXPECTED = ("§2.4",)
"""Members come between time and place: the checker prefers any other order of dimensions but CDO needs time first."""


def complaints(path, tmp_path, convention="cf:1.11") -> list[str]:
    CheckSuite.load_all_available_checkers()
    report = tmp_path / "report.json"
    ComplianceChecker.run_checker(str(path), [convention], 0, "strict", output_filename=str(report), output_format="json")
    found = files.read_json(report)[convention]
    groups = [g for level in ("high_priorities", "medium_priorities", "low_priorities") for g in found[level]]
    return [f"{g['name']}: {m}" for g in groups if g["value"][0] < g["value"][1] for m in g["msgs"]]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


def said(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("world", ["daily", "climatology"])
@pytest.mark.parametrize("flux", FLUXES)
def test_the_compliance_checker_finds_nothing(world, flux, request, tmp_path):
    world = request.getfixturevalue(world)
    assert complaints(world.write_map(flux), tmp_path) == []


@pytest.mark.parametrize("flux", FLUXES)
def test_catalogues_find_all_they_ask_for_but_names_that_do_not_exist(daily, flux, tmp_path):
    """CF has no standard name for RECO, NEE, deviations and quantiles, so none is invented; a map has no vertical axis."""
    unnamed = {f"{flux}_std", f"{flux}_q05", f"{flux}_q95", "filled_drivers"} | ({flux} if flux != "gpp" else set())
    expected = {f'variable "{name}" missing the following attributes:: standard_name' for name in unnamed}
    found = complaints(daily.write_map(flux), tmp_path, "acdd:1.3")
    assert {c for c in found if not c.startswith("geospatial_vertical_extents_match")} == expected


def test_members_and_si_units_comply_but_for_the_order_of_dimensions(daily, tmp_path):
    found = complaints(daily.write_members("gpp", units="kg m-2 s-1"), tmp_path)
    assert [c for c in found if not c.startswith(EXPECTED)] == []


def test_a_predictive_deviation_claims_no_standard_name_and_variables_are_linked(daily):
    ds = xr.open_dataset(daily.write_map("gpp"), decode_cf=False)
    assert ds["gpp"].standard_name == "gross_primary_productivity_of_biomass_expressed_as_carbon"
    assert "slightly negative" in ds["gpp"].comment
    assert "standard_name" not in ds["gpp_std"].attrs  # `standard_error` is that of an estimate
    assert all(link in ds for link in ds["gpp"].ancillary_variables.split())
    assert ds["gpp"].cell_methods == "time: mean area: mean where land"
    for flux in ("reco", "nee"):
        other = xr.open_dataset(daily.write_map(flux), decode_cf=False)[flux]
        assert "standard_name" not in other.attrs and "positive towards the atmosphere" in other.comment.lower()
    assert other.skill == "no demonstrated spatial skill"


def test_bounds_carry_no_attribute_and_fill_values_stay_where_they_belong(daily):
    with netCDF4.Dataset(daily.write_map("gpp")) as file:
        for name in ("lat_bnds", "lon_bnds", "time_bnds"):
            assert file[name].ncattrs() == []
        for name in ("lat", "lon", "time", "crs", "cell_area"):
            assert "_FillValue" not in file[name].ncattrs()
        assert file["gpp"].getncattr("_FillValue") == cf.FILL
        assert file["applicability"].dtype == np.int8
        assert file["gpp"].filters()["zlib"] and file["gpp"].filters()["shuffle"]
        attributes = {"run", "config_digest", "code_digest", "drivers_sha256", "predictions_sha256", "git_revision", "software"}
        assert attributes | {"Conventions", "title", "summary", "history", "references", "license"} <= set(file.ncattrs())


def test_a_year_and_a_climatology_decode_to_their_times(daily, climatology):
    ds = xr.open_dataset(daily.write_map("gpp"))
    assert str(ds["time"].values[-1])[:10] == "2012-12-31"
    assert str(ds["time_bnds"].values[-1, 1])[:10] == "2013-01-01"
    ds = xr.open_dataset(climatology.write_map("gpp"))
    assert "bounds" not in ds["time"].attrs
    bounds = (np.datetime64("2001-01-01") + ds["climatology_bnds"].values.astype("timedelta64[D]")).astype(str)
    assert bounds[1].tolist() == ["2000-02-01", "2025-03-01"] and bounds[11].tolist() == ["2000-12-01", "2026-01-01"]
    assert ds["gpp"].cell_methods == "time: mean within years time: mean over years (area mean where land)"


def test_times_that_are_no_starts_of_their_steps_are_refused():
    with pytest.raises(ContractError, match="first days of months"):
        calendar.bounds(np.array(["2001-01-15"], "datetime64[ns]"), "month")
    with pytest.raises(ContractError, match="no period of the calendar"):
        calendar.bounds(np.array(["2001-01-01"], "datetime64[ns]"), "hour")


@pytest.mark.parametrize("period", ["months of the mean year", "1990"])
def test_a_climatology_of_unknown_years_keeps_the_bounds_of_its_axis(period):
    months = np.arange("2001-01", "2002-01", dtype="datetime64[M]").astype("datetime64[ns]")
    axis = cf.FileAxis(months, "month", years=period).dataset()
    assert axis["climatology_bnds"].values[[0, -1]].tolist() == [[0, 31], [334, 365]]


def test_gdal_reads_place_and_projection(daily):
    path = daily.write_map("gpp")
    with rasterio.open(f"netcdf:{path}:gpp") as raster:
        assert raster.crs.to_epsg() == 4326
        assert raster.count == 366 and raster.shape == (18, 36)
        assert raster.transform.almost_equals(rasterio.transform.from_origin(-180, 90, 10, 10))
        band = raster.read(200, masked=True)
    expected = xr.open_dataset(path)["gpp"].isel(time=199).values
    np.testing.assert_array_equal(band.mask, np.isnan(expected))
    np.testing.assert_array_equal(band.compressed(), expected[np.isfinite(expected)])
    ds = xr.open_dataset(path, decode_coords="all")
    assert ds.rio.crs.to_epsg() == 4326 and ds.rio.bounds() == (-180, -90, 180, 90)


def test_gdalinfo_says_the_same(daily):
    text = said(tool("gdalinfo"), f"NETCDF:{daily.write_map('gpp')}:gpp")
    assert 'ID["EPSG",4326]' in text and "Origin = (-180.000000000000000,90.000000000000000)" in text
    assert "Pixel Size = (10.000000000000000,-10.000000000000000)" in text


def test_cdo_reads_every_variable_and_averages(daily, tmp_path):
    cdo, path = tool("cdo"), daily.write_map("nee")
    assert "lonlat" in said(cdo, "sinfo", path)
    names = said(cdo, "-s", "showname", path)
    assert "Warning" not in names
    names = set(names.split())
    assert {"nee", "nee_std", "nee_q05", "nee_q95", "applicability", "land_fraction"} <= names
    said(cdo, "-s", "timmean", "-selname,nee", path, tmp_path / "mean.nc")
    ours = xr.open_dataset(path)["nee"]
    expected = ours.mean("time").values
    expected[np.isnan(ours.values).all(0)] = np.nan
    np.testing.assert_allclose(xr.open_dataset(tmp_path / "mean.nc")["nee"].values[0], expected, rtol=1e-4, atol=1e-5)
    assert "366" in said(cdo, "-s", "ntime", daily.write_members("nee"))


def test_writing_the_same_again_gives_the_same_bytes(daily, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, two = daily.write_map("reco", "one").read_bytes(), daily.write_map("reco", "two").read_bytes()
    assert one == two

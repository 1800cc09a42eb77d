"""The export in the form of CMIP: names, units, axes, bounds and calendars, read here and by ILAMB where it is installed."""

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from tamrl.api.export import write_cmip
from tamrl.carbon import FLUXES
from tamrl.errors import InputError
from tamrl.maps import cmip

NAMES = [variable.name + kind for variable in cmip.VARIABLES for kind in cmip.KINDS]
SECONDS = 86_400
ILAMB = os.environ.get("TAMRL_ILAMB_PYTHON") or ("python" if importlib.util.find_spec("ILAMB") else None)
"""Interpreter that has ILAMB, whose libraries differ from ours."""

READER = """
import json, sys, numpy as np
from ILAMB.Variable import Variable
for name, path in json.loads(sys.argv[1]).items():
    v = Variable(filename=path, variable_name=name)
    total = v.integrateInTime(mean=True).integrateInSpace(mean=True).convert("g m-2 d-1").data
    print(json.dumps([name, v.unit, v.data.shape, float(v.lat[0]), float(total), v.cbounds is not None]))
"""


def export(world, monthly, folder) -> dict[str, Path]:
    maps = {flux: xr.open_dataset(monthly[flux], chunks={}) for flux in FLUXES}
    written = write_cmip(maps, folder, cmip.Publisher("tamrl-test", "nobody"))
    return {path.name.split("_")[0]: path for path in written}


@pytest.fixture(scope="module")
def years(daily, tmp_path_factory):
    monthly = daily.write_periods("monthly")
    return monthly, export(daily, monthly, tmp_path_factory.mktemp("cmip"))


@pytest.fixture(scope="module")
def mean_year(climatology, tmp_path_factory):
    monthly = {flux: climatology.write_map(flux) for flux in FLUXES}
    return monthly, export(climatology, monthly, tmp_path_factory.mktemp("cmip"))


@pytest.mark.parametrize("maps", ["years", "mean_year"])
def test_each_variable_has_a_file_whose_name_says_what_it_is(maps, request):
    _, files = request.getfixturevalue(maps)
    assert sorted(files) == sorted([*NAMES, "sftlf", "areacella"])
    span = {"years": "201201-201212", "mean_year": "200001-202512"}[maps]
    assert files["gpp"].name == f"gpp_mon_tamrl-test_BE_gn_{span}.nc" and files["sftlf"].name == "sftlf_fx_tamrl-test_BE_gn.nc"
    for name, path in files.items():
        with netCDF4.Dataset(path) as file:
            fields = set(file.variables) - {"time", "lat", "lon"}
            assert {field for field in fields if not field.endswith("_bnds")} == {name} and file.variable_id == name


@pytest.mark.parametrize("maps", ["years", "mean_year"])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_maps(maps, name, request):
    monthly, files = request.getfixturevalue(maps)
    variable = next(v for v in cmip.VARIABLES if name.startswith(v.name) and name[len(v.name) :] in cmip.KINDS)
    kind = name.removeprefix(variable.name)
    kind = {"q05": "q95", "q95": "q05"}.get(kind, kind) if variable.sign < 0 else kind
    source = xr.open_dataset(monthly[variable.flux])
    expected = source[f"{variable.flux}_{kind}" if kind else variable.flux]
    found = xr.open_dataset(files[name], decode_times=False)[name]
    assert found.attrs["units"] == "kg m-2 s-1" and found.encoding["_FillValue"] == np.float32(1e20)
    for column in (5, 20):  # an eastern and a western one in the order of the maps
        lon = float(expected["lon"][column]) % 360
        theirs = found.sel(lat=-45.0, lon=lon).values * 1000 * SECONDS
        sign = 1 if kind == "std" else variable.sign
        np.testing.assert_allclose(theirs, sign * expected.sel(lat=-45.0).isel(lon=column).values, rtol=1e-6)


def test_nee_is_the_difference_and_the_interval_holds_it(years):
    _, files = years
    fields = {name: xr.open_dataset(files[name])[name].values for name in NAMES}
    np.testing.assert_allclose(fields["nee"], fields["reco"] - fields["gpp"], atol=1e-12)
    np.testing.assert_array_equal(fields["nep"], -fields["nee"])
    known = np.isfinite(fields["nep"])
    assert known.any() and (fields["nepq05"] <= fields["nepq95"])[known].all()


@pytest.mark.parametrize("maps", ["years", "mean_year"])
def test_axes_are_those_of_cmip(maps, request):
    _, files = request.getfixturevalue(maps)
    with netCDF4.Dataset(files["gpp"]) as file:
        lat, lon, time = (file[name] for name in ("lat", "lon", "time"))
        assert (np.diff(lat[:]) > 0).all() and (np.diff(lon[:]) > 0).all() and lon[0] == 5.0 and lon[-1] == 355.0
        assert (
            (lat.bounds, lon.bounds) == ("lat_bnds", "lon_bnds") and file["lat_bnds"][0, 0] == -90 and file["lon_bnds"][0, 0] == 0
        )
        assert (time.units, time.calendar, time.standard_name) == (
            "days since 1850-01-01",
            {"years": "standard", "mean_year": "noleap"}[maps],
            "time",
        )
        bounds = file[time.bounds if maps == "years" else time.climatology][:]
        first = netCDF4.num2date(bounds[0, 0], time.units, time.calendar)
        last = netCDF4.num2date(bounds[-1, 1], time.units, time.calendar)
        assert (first.year, last.year) == ({"years": 2012, "mean_year": 2000}[maps], {"years": 2013, "mean_year": 2026}[maps])
        dates = netCDF4.num2date(time[:], time.units, time.calendar)
        assert [date.month for date in dates] == list(range(1, 13)) and {date.day for date in dates} <= {15, 16}
        if maps == "years":
            assert (bounds[1:, 0] == bounds[:-1, 1]).all() and "climatology" not in time.ncattrs()
        else:
            assert "bounds" not in time.ncattrs(), "CF has one or the other"
            assert file["gpp"].cell_methods.endswith("time: mean within years time: mean over years")


def test_attributes_are_those_of_obs4mips(years):
    with netCDF4.Dataset(years[1]["gpp"]) as file:
        assert file.activity_id == "obs4MIPs" and file.Conventions.startswith("CF-1.11") and file.frequency == "mon"
        assert (file.source_id, file.institution_id, file.variant_label, file.grid_label) == ("tamrl-test", "nobody", "BE", "gn")
        assert file.nominal_resolution == "1000 km" and re.fullmatch(r"[0-9a-f-]{36}", file.tracking_id)
        assert file["gpp"].standard_name == "gross_primary_productivity_of_biomass_expressed_as_carbon"
        assert file["gpp"].cell_measures == "area: areacella" and "area: mean where land" in file["gpp"].cell_methods


def test_land_makes_totals(years):
    _, files = years
    land, area = (xr.open_dataset(files[name])[name] for name in ("sftlf", "areacella"))
    assert land.attrs["units"] == "%" and float(land.max()) == 100 and area.attrs["units"] == "m2"
    assert float(area.sum()) == pytest.approx(5.1e14, rel=0.01)


@pytest.mark.parametrize("spacing, expected", [(0.25, "25 km"), (0.5, "50 km"), (1.0, "100 km"), (0.05, "5 km")])
def test_nominal_resolution(spacing, expected):
    assert cmip.nominal_resolution(spacing) == expected


def test_names_that_break_file_names_are_refused():
    with pytest.raises(InputError, match="cannot be a source_id"):
        cmip.Publisher("my_product")


def test_other_steps_than_months_are_refused(daily):
    ds = xr.open_dataset(daily.write_map("gpp"))
    with pytest.raises(InputError, match="only months are exported"):
        cmip.export_flux(ds, cmip.VARIABLES[0], "", cmip.Publisher())


def test_years_that_do_not_follow_each_other_are_refused(years):
    ds = xr.open_dataset(years[0]["gpp"]).load()
    with pytest.raises(InputError, match="must follow each other") as raised:
        cmip.span(ds.isel(time=[0, 1, 4, 5]))
    assert "2012-03-01" in str(raised.value) and cmip.span(ds.isel(time=[1, 2])) == "201202-201203"


def test_maps_of_a_region_are_not_called_global(years):
    ds = xr.open_dataset(years[0]["gpp"]).load()
    regions = [
        cmip.export_flux(maps, cmip.VARIABLES[0], "", cmip.Publisher()).attrs["region"]
        for maps in (ds, ds.assign_attrs(mapped_region="20 to 40 degrees north"))
    ]
    assert regions == ["global_land", "20 to 40 degrees north"]


@pytest.mark.parametrize("maps", ["years", "mean_year"])
def test_ilamb_takes_the_files_as_they_are(maps, request):
    if ILAMB is None:
        pytest.skip("ILAMB is not installed: name an interpreter that has it in TAMRL_ILAMB_PYTHON")
    monthly, files = request.getfixturevalue(maps)
    asked = json.dumps({name: str(files[name]) for name in ("gpp", "reco", "nee", "nep", "gppstd")})
    done = subprocess.run([ILAMB, "-W", "ignore", "-c", READER, asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = {row[0]: row[1:] for row in map(json.loads, done.stdout.splitlines())}
    for name, (unit, shape, south, mean, climatological) in rows.items():
        assert unit == "kg m-2 s-1" and shape == [12, 18, 36] and south == -85 and climatological == (maps == "mean_year")
        if name == "gpp":
            ds = xr.open_dataset(monthly["gpp"])
            days = np.diff(
                ds["time"].values.astype("datetime64[D]"), append=np.datetime64("2013-01-01" if maps == "years" else "2002-01-01")
            )
            flux = np.ma.masked_invalid(ds["gpp"].values)
            whole = np.ma.average(flux, axis=0, weights=days.astype(float))
            assert mean == pytest.approx(float(np.ma.average(whole, weights=ds["cell_area"].values)), rel=0.02)
    assert set(rows) == {"gpp", "reco", "nee", "nep", "gppstd"} and rows["nep"][3] == pytest.approx(-rows["nee"][3], rel=1e-3)

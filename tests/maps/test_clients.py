"""The clients that colleagues use open the files and agree with our numbers: CDO, NCO, QGIS, xarray with cf-xarray, cftime."""

import json
import subprocess
from pathlib import Path

import cf_xarray  # noqa: F401  (registers the accessor)
import cftime
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl.carbon import FLUXES
from tests.maps.conftest import build
from tests.maps.test_cf import said, tool
from tests.maps.test_stage import budgets

PETAGRAM = 1e15


@pytest.fixture(scope="module")
def written(daily):
    return {flux: daily.write_map(flux) for flux in FLUXES}


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A grid of 2°: CDO takes cells for polygons of great circles, which on wide cells are not those between parallels."""
    days = pd.date_range("2012-01-01", periods=4)
    return build(tmp_path_factory.mktemp("fine"), label="2012", time=days, members=2, resolution=2.0).write_map("gpp")


@pytest.mark.parametrize("flux", FLUXES)
def test_cdo_sums_a_year_to_our_budget(daily, written, flux, tmp_path):
    """CDO keeps `cell_area`, which the fluxes name as their measure, for itself; NCO hands it out."""
    said(tool("ncks"), "-O", "-C", "-v", "cell_area,land_fraction,lat,lon", written[flux], tmp_path / "area.nc")
    land = ("-mul", "-selname,land_fraction", tmp_path / "area.nc", "-selname,cell_area", tmp_path / "area.nc")
    year = ("-yearsum", f"-selname,{flux}", written[flux])
    said(tool("cdo"), "-s", "-L", "-b", "F64", "fldsum", "-mul", *year, *land, tmp_path / "sum.nc")
    with netCDF4.Dataset(tmp_path / "sum.nc") as file:
        total = float(np.squeeze(file[flux][:])) / PETAGRAM
    own = budgets(daily).query(f"flux == '{flux}' and region == 'globe'")["mean"].item()
    assert total == pytest.approx(own, rel=1e-4)


def test_cdo_weighs_cells_as_we_do(fine, tmp_path):
    said(tool("cdo"), "-s", "-L", "fldmean", "-timmean", "-selname,gpp", fine, tmp_path / "mean.nc")
    with netCDF4.Dataset(tmp_path / "mean.nc") as file:
        found = float(np.squeeze(file["gpp"][:]))
    ds = xr.open_dataset(fine)
    mean = ds["gpp"].astype(float).mean("time")
    assert found == pytest.approx(float(mean.weighted(ds["cell_area"]).mean()), rel=1e-4)


def test_cdo_remaps_conservatively(fine, tmp_path):
    chosen = ("-setmisstoc,0", "-timmean", "-selname,gpp", fine)
    said(tool("cdo"), "-s", "-L", "remapcon,r90x45", *chosen, tmp_path / "coarse.nc")
    said("cdo", "-s", "-L", "fldmean", tmp_path / "coarse.nc", tmp_path / "a.nc")
    said("cdo", "-s", "-L", "fldmean", *chosen, tmp_path / "b.nc")
    means = [float(np.squeeze(netCDF4.Dataset(tmp_path / name)["gpp"][:])) for name in ("a.nc", "b.nc")]
    assert means[0] == pytest.approx(means[1], rel=1e-3)


def test_nco_averages_and_cuts_by_degrees(written, tmp_path):
    said(tool("ncra"), "-O", "-v", "gpp", written["gpp"], tmp_path / "mean.nc")
    said(tool("ncks"), "-O", "-v", "gpp", "-d", "lat,0.,60.", "-d", "lon,-10.,40.", written["gpp"], tmp_path / "cut.nc")
    ds, cut = xr.open_dataset(written["gpp"]), xr.open_dataset(tmp_path / "cut.nc")
    chosen = ds["gpp"].sel(lat=slice(60, 0), lon=slice(-10, 40))
    np.testing.assert_array_equal(cut["gpp"].values, chosen.values)
    mean = xr.open_dataset(tmp_path / "mean.nc")["gpp"].values[0]
    whole = np.isfinite(ds["gpp"].values).all(0)
    np.testing.assert_allclose(mean[whole], ds["gpp"].astype(float).mean("time").values[whole], rtol=1e-4)


def test_cf_xarray_finds_axes_and_areas(written):
    ds = xr.open_dataset(written["gpp"], decode_coords="all")
    assert ds.cf["latitude"].name == "lat" and ds.cf["X"].name == "lon" and ds.cf["T"].name == "time"
    assert ds["gpp"].cf["area"].name == "cell_area" and ds.cf.bounds["lat"] == ["lat_bnds"]
    assert list(ds.cf.standard_names["gross_primary_productivity_of_biomass_expressed_as_carbon"]) == ["gpp"]


def test_the_time_axis_is_plain_for_viewers(written):
    with netCDF4.Dataset(written["gpp"]) as file:
        time = file["time"]
        dates = cftime.num2date(time[:], time.units, time.calendar)
        assert time.dtype == "f8" and time[0] == 0 and (np.diff(time[:]) == 1).all()
    assert dates[59].isoformat() == "2012-02-29T00:00:00"


def _system_python() -> str:
    """A Python that can import QGIS, which comes with the system and not by pip."""
    python = Path("/usr/bin/python3")
    found = (
        python.exists() and subprocess.run([python, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0
    )
    return str(python) if found else tool("qgis for Python")


def test_qgis_loads_identifies_and_renders(daily, written, tmp_path):
    raster = daily.write_exports("geotiff") / "geotiff/gpp_2012-07.tif"
    script, picture = Path(__file__).parent / "open_in_qgis.py", tmp_path / "map.png"
    files = [f"NETCDF:{written['gpp']}:gpp", str(raster)]
    lines = said(_system_python(), script, picture, *files).splitlines()
    answer = json.loads(next(line for line in lines if line.startswith("[{")))
    ds = xr.open_dataset(written["gpp"])["gpp"].sel(lat=45, lon=25)
    month = xr.open_dataset(daily.folder / "monthly_gpp.nc")["gpp"].sel(lat=45, lon=25)
    assert answer[0]["bands"] == 366 and answer[1]["bands"] == 2
    assert all(a["crs"] == "EPSG:4326" and a["extent"] == [-180, -90, 180, 90] for a in answer)
    assert answer[0]["value"] == pytest.approx(float(ds[0]), rel=1e-6)
    assert answer[1]["value"] == pytest.approx(float(month[6]), rel=1e-6)
    assert answer[1]["renderer"] == "singlebandpseudocolor", "the style beside the file is taken up"
    assert answer[1]["colours"] > 20, "a map is drawn, no empty picture"

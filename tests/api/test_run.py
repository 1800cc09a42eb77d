"""What a run has, through the interface for Python."""

import dask.base
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tamrl
from tamrl.errors import ConfigError, ContractError, InputError
from tamrl.layout import File


@pytest.fixture(scope="module")
def run(tiny_run):
    return tamrl.open_run(tiny_run.folder)


def test_a_run_says_what_it_has(run):
    text = repr(run)
    assert text.startswith("<Run tiny: towers, ") and "models tamrl" in text and "maps monthly 2011, 2012" in text
    assert "records" not in text and run.virtual is False


def test_maps_are_lazy_and_follow_each_other_in_time(run):
    ds = run.maps("gpp", "monthly")
    assert dask.base.is_dask_collection(ds["gpp"].data) and ds.sizes["time"] == 24
    assert ds["gpp"].sel(time="2012-03-01").isel(lat=1, lon=0).compute().item() == pytest.approx(2012.031)
    assert ds["applicability"].dims == ("lat", "lon") and ds["gpp_q95"].attrs["interval_of"]
    assert run.maps("nee", "monthly", year=2012).sizes["time"] == 12
    assert run.maps("nee", "monthly", year=[2011, 2012]).sizes["time"] == 24


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: run.maps("gpp"), ["no daily maps of gpp", "maps monthly 2011, 2012"]),
        (lambda run: run.maps("gpp", "monthly", year=1999), ["monthly maps of gpp for 1999", "2011, 2012"]),
        (lambda run: run.maps("gdp", "monthly"), ["no flux named 'gdp'", "gpp"]),
        (lambda run: run.maps("gpp", "month"), ["no period named 'month'", "monthly"]),
        (lambda run: run.budgets, ["the run has no budgets.csv", "scores", "make maps"]),
        (lambda run: run.records, ["no towers.parquet"]),
        (lambda run: run.choice("day-time"), ["no such run"]),
        (lambda run: tamrl.open_run(run.folder / "nothing"), ["no such run", "models"]),
        (lambda run: tamrl.open_run(run.folder / "models"), ["not that of a run", "tamrl"]),
    ],
)
def test_what_is_not_there_is_named_with_what_is(run, call, words):
    with pytest.raises(InputError) as raised:
        call(run)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_tables_of_a_run_keep_their_contracts(run, tiny_run):
    assert len(run.towers) == 20 and set(run.scores["model"]) == {"tamrl"}
    assert run.calibration.model == "tamrl" and set(run.predictions["flux"]) == {"gpp", "reco", "nee"}
    assert run.models["fold"].tolist() == ["0", "0", "1", "1", "all", "all"] and run.models["member"].tolist() == [0, 1] * 3
    assert repr(run.model(fold="1")).endswith("evi (1), igbp_fraction (1)>")


def test_a_damaged_file_is_refused(tiny_run, tmp_path):
    import shutil

    shutil.copytree(tiny_run.folder, tmp_path / "copy")
    scores = tmp_path / "copy" / File.SCORES
    scores.write_text(scores.read_text().replace("gpp", "nee", 1))
    with pytest.raises(ContractError, match="differs from its seal"):
        _ = tamrl.open_run(tmp_path / "copy").scores
    with xr.open_dataset(tiny_run(File.MAP, flux="gpp", label=2011)) as ds:
        changed = ds.load() * 2
    changed.to_netcdf(tmp_path / "copy/maps/gpp_2011.nc")
    with pytest.raises(ContractError, match="differs from its seal"):
        tamrl.open_run(tmp_path / "copy").maps("gpp", "monthly")
    assert tamrl.open_run(tmp_path / "copy", verify=False).maps("gpp", "monthly").sizes["time"] == 24


def test_a_run_of_a_mean_year_has_its_months(tiny_run, tmp_path):
    maps = tmp_path / "mean/maps"
    maps.mkdir(parents=True)
    xr.open_dataset(tiny_run(File.MAP, flux="gpp", label=2011)).to_netcdf(maps / "gpp_climatology.nc")
    run = tamrl.open_run(tmp_path / "mean")
    assert run.maps("gpp", "climatology").sizes["time"] == run.maps("gpp", "monthly").sizes["time"] == 12


def test_towers_are_read_from_tables_and_runs(run, tmp_path):
    path = tmp_path / "mine.csv"
    days = pd.date_range("2010-01-01", periods=40).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"site": "DE-Hai", "date": days, "lat": 51.1, "lon": 10.5, "igbp": "DBF", "climate5": "Temperate"})
    frame = frame.assign(GPP_NT_VUT_REF=3.0, RECO_NT_VUT_REF=2.0, NEE_VUT_REF=-1.0, NEE_VUT_REF_QC=0.9, TA_F=5.0, VPD_F=2.0)
    frame.assign(SW_IN_F=100.0, mm_P_ERA=1.0, mm_EVI=0.3, mm_LAI=2.0).to_csv(path, index=False)
    records, sites = tamrl.read_towers(path)
    assert (
        len(records) == 40 and sites["igbp"].tolist() == ["DBF"] and records["air_temperature"].iloc[0] == pytest.approx(278.15)
    )
    converted, _ = tamrl.read_towers(path, units={"nee": "umol m-2 s-1"})
    assert converted["nee"].iloc[0] == pytest.approx(-1.0377, abs=1e-4)
    with pytest.raises(InputError, match="no such file"):
        tamrl.read_towers(tmp_path / "other.csv")
    with pytest.raises(ConfigError, match="does not take these options"):
        tamrl.read_towers(path, network="fluxnet2015", units={"nee": "g m-2 d-1"})
    with pytest.raises(InputError, match=r"no towers\.parquet"):
        tamrl.read_towers(run)


def test_drivers_are_read_from_tables_and_files(tiny_run, table, tmp_path):
    table.to_csv(tmp_path / "d.csv", index=False)
    ds = tamrl.read_drivers(tmp_path / "d.csv", step="month")
    assert ds.sizes == {"site": 20, "time": 48, "igbp": 17, "koppen": 5} and ds["air_temperature"].attrs["units"] == "K"
    assert ds["igbp_fraction"].sel(igbp="ENF").values.tolist() == [float(k % 3 == 0) for k in range(20)]
    assert np.isnan(ds["koppen_fraction"]).all()
    of_run = tamrl.read_drivers(tiny_run(File.SAMPLES, drivers="grid"))
    np.testing.assert_allclose(ds["air_temperature"], of_run["air_temperature"], rtol=1e-6)
    with pytest.raises(InputError, match="no driver named 'tair'"):
        tamrl.read_drivers(tmp_path / "d.csv", step="month", columns={"tair": "TA_F"})
    with pytest.raises(InputError, match="no column 'T' for air_temperature"):
        tamrl.read_drivers(tmp_path / "d.csv", step="month", columns={"air_temperature": "T"})
    with pytest.raises(InputError, match="lat is given twice"):
        tamrl.read_drivers(tmp_path / "d.csv", step="month", place=tamrl.Place(lat=1.0))
    (tmp_path / "d.nc").write_bytes(b"no NetCDF")
    with pytest.raises(InputError, match="the drivers cannot be read"):
        tamrl.read_drivers(tmp_path / "d.nc")
    with pytest.raises(InputError, match="are of tables"):
        tamrl.read_drivers(tmp_path / "d.nc", units={"evi": "1"})


def test_a_cube_that_was_never_finished_is_refused(tmp_path):
    (tmp_path / "cube.zarr").mkdir()
    with pytest.raises(ContractError, match="no manifest"):
        tamrl.read_drivers(tmp_path / "cube.zarr")


def test_what_follows_from_other_drivers_is_computed():
    from tamrl.api.complete import complete_drivers

    time = pd.date_range("2010-01-01", periods=400, name="time")
    ds = xr.Dataset(coords={"time": time, "lat": 50.0, "lon": 10.0})
    for name, value, unit in (("air_temperature", 20.0, "degC"), ("dew_point_temperature", 283.15, "K")):
        ds[name] = "time", np.full(400, value), {"units": unit}
    names = ("vapour_pressure_deficit", "day_length", "growing_degree_days")
    done = complete_drivers(ds, dynamic=names, static=(), step="day")
    assert done["vapour_pressure_deficit"].values[0, 0] == pytest.approx(11.1, abs=0.2)
    assert done["day_length"].sel(time="2010-06-21").item() > 15
    assert done["growing_degree_days"].sel(time="2010-01-10").item() == pytest.approx(150, abs=0.1)
    with pytest.raises(InputError, match="the drivers lack co2"):
        complete_drivers(ds, dynamic=("co2",), static=(), step="day")
    with pytest.raises(InputError, match="computed from air_temperature and dew_point_temperature"):
        complete_drivers(ds.drop_vars("dew_point_temperature"), dynamic=names, static=(), step="day")

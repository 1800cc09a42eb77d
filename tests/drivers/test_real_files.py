"""Every real ERA5 file is read, with a value checked by hand against the raw numbers (netCDF4; GDAL for GRIB)."""

import shutil

import netCDF4
import numpy as np
import pytest

from tamrl import humidity, solar
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining
from tamrl.drivers.sources import cds_era5
from tamrl.errors import InputError

AREA = "area-subset.-1.75.-48.7.-2.25.-49.2.nc"
MIDDLE = (2, 1, 3)
"""Time, row and column in the file's own order at which most values were looked up."""

FILES = {
    "Phtzone_data_stream-moda_stepType-avgad.nc": ("tp", MIDDLE, 4.63295e-3, (240, 63, 35)),
    "Phtzone_data_stream-moda_stepType-avgua.nc": ("t2m", MIDDLE, 289.49585, (240, 63, 35)),
    "amun0905_23-07-10-data_0.nc": ("ssrd", MIDDLE, 17221612.0, (4, 171, 471)),
    "amun0905_data_0.nc": ("ssrd", (0, 60, 200), 17541864.0, (24, 171, 471)),
    "balancecalor_data_stream-oper_stepType-accum.nc": ("ssr", MIDDLE, 147072.0, (600, 5, 5)),
    "balancecalor_data_stream-oper_stepType-instant.nc": ("sst", MIDDLE, np.nan, (600, 5, 5)),
    "eric157_data_stream-oper_stepType-accum.nc": ("tp", MIDDLE, 0.0, (132, 5, 5)),
    "eric157_data_stream-oper_stepType-instant.nc": ("t2m", (131, 2, 2), 296.75452, (132, 5, 5)),
    "eric157_data_stream-oper_stepType-max.nc": ("mx2t", MIDDLE, 296.84003, (132, 5, 5)),
    "feedinlib_ERA5_example_data.nc": ("t2m", (100, 0, 0), 271.8085866, (8760, 2, 3)),
    f"geomodelagem_cvl.{AREA}": ("cvl", (0, 1, 3), 0.0, (1, 5, 6)),
    f"geomodelagem_slt.{AREA}": ("slt", (0, 1, 3), 3.0000458, (1, 5, 6)),
    f"geomodelagem_tvh.{AREA}": ("tvh", (0, 1, 3), 6.0001068, (1, 5, 6)),
    f"geomodelagem_tvl.{AREA}": ("tvl", (0, 1, 3), 0.0, (1, 5, 6)),
    "geomodelagem_data_stream-moda.nc": ("t2m", (0, 1, 3), 298.81305, (1, 5, 6)),
    "marygan_data_1.nc": ("t2m", (474, 1, 2), 298.2245, (490, 2, 3)),
    "era5-2mt-2019-03-uk.grib": ("t2m", (336, 10, 20), 280.02880859, (744, 33, 49)),
    "era5-single-level-scalar-time.grib": ("t2m", (0, 60, 100), 278.51196, (1, 121, 201)),
    "thermofeel_2t.grib": ("t2m", (0, 60, 280), 297.64679, (1, 181, 360)),
    "thermofeel_m2t.grib": ("t2m", (1, 60, 280), 297.64679, (3, 181, 360)),
    "thermofeel_cossza11.grib": ("1.214", (0, 60, 280), 0.00942993, (1, 150, 360)),
}
POINTS = "xclim_ERA5_daily_surface_cancities_1990-1993.nc"


def alone(shared_data, tmp_path, name):
    shutil.copy(shared_data / "era5" / name, tmp_path / name)
    return tmp_path


def test_no_real_file_is_left_out(shared_data):
    assert {p.name for p in (shared_data / "era5").iterdir()} == {*FILES, POINTS}


@pytest.mark.parametrize("file", FILES)
def test_a_value_of_each_real_file(shared_data, tmp_path, file):
    name, place, expected, shape = FILES[file]
    parts = [ds[name] for _, ds in netcdf.open_all(alone(shared_data, tmp_path, file)) if name in ds]
    found = joining.join_series(parts, where=file)
    assert found.shape == shape and found.dims == ("time", "lat", "lon")
    assert found[place].values.item() == pytest.approx(expected, rel=2e-6, nan_ok=True)


def read(folder, *, year, step="day", name="air_temperature"):
    return cds_era5.open_dynamic(cds_era5.Options(path=str(folder)), names=(name,), axis=TimeAxis.of_years(step, (year,)))[name]


def test_hours_in_grib_become_days(shared_data, tmp_path):
    found = read(alone(shared_data, tmp_path, "era5-2mt-2019-03-uk.grib"), year=2019)
    day = found.sel(time="2019-03-15", lat=55.5, lon=-5.0).load().item()
    assert day == pytest.approx(279.6075134, abs=1e-4), "mean of 24 messages as GDAL reads them"
    assert found.notnull().all(["lat", "lon"]).values.sum() == 31
    assert found.attrs["expver"] == "0001: 744 times"


@pytest.mark.parametrize(
    ("file", "step", "year", "message"),
    [
        ("era5-single-level-scalar-time.grib", "day", 2017, "one time alone"),
        ("thermofeel_2t.grib", "day", 2021, "one time alone"),
        ("thermofeel_m2t.grib", "day", 2021, "3 hours"),
        ("thermofeel_cossza11.grib", "day", 2021, "no file holds the variable"),
        ("eric157_data_stream-oper_stepType-max.nc", "month", 2020, "no file holds the variable"),
        (f"geomodelagem_tvh.{AREA}", "day", 2013, "no file holds the variable"),
        (POINTS, "day", 1990, "no file holds the variable"),
    ],
)
def test_what_cannot_be_a_driver_is_refused_by_name(shared_data, tmp_path, file, step, year, message):
    with pytest.raises(InputError, match=message):
        read(alone(shared_data, tmp_path, file), year=year, step=step)


def test_a_truncated_grib_file_is_refused(shared_data, tmp_path):
    content = (shared_data / "era5" / "thermofeel_2t.grib").read_bytes()
    for share in (0.3, 0.9):
        (tmp_path / "2t.grib").write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"2t\.grib"):
            list(netcdf.open_all(tmp_path))


def test_derived_variables_agree_with_five_towns(shared_data):
    """Humidity that ERA5 users published for the same days and places (xclim's test data)."""
    with netCDF4.Dataset(shared_data / "era5" / POINTS) as file:
        tas, dew, hurs, sun = (file[n][:].filled(np.nan) for n in ("tas", "tdps", "hurs", "rsds"))
        lat, time = (
            file["lat"][:].filled(np.nan),
            np.array(netCDF4.num2date(file["time"][:], file["time"].units), "datetime64[D]"),
        )
    assert (tas[1, 195], dew[1, 195]) == pytest.approx((296.39798, 292.15128))
    full, vapour = (humidity.saturation_vapour_pressure(t) for t in (tas, dew))
    deficit = humidity.vapour_pressure_deficit(saturation_vapour_pressure=full, vapour_pressure=vapour)
    assert deficit[1, 195] == pytest.approx(28.5 - 21.97, abs=0.15), (
        "hPa, by a table of saturation pressures at 23.25 and 19.0 °C"
    )
    share = 1 - deficit / humidity.saturation_vapour_pressure(tas)
    warm = tas > 273.15
    assert np.abs(share - hurs)[warm].mean() < 0.01 and np.corrcoef(share[warm], hurs[warm])[0, 1] > 0.99
    potential = solar.potential_radiation(lat, time)
    assert (potential > sun.T).mean() > 0.999, "what reaches the ground is less than what reaches the air"

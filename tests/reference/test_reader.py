"""Products of others, in files of exactly their layouts."""

import netCDF4
import numpy as np
import pytest

from tamrl import registry
from tamrl.errors import InputError, UnitError
from tamrl.reference.layouts import QUANTITIES, GriddedLayout, holds_maps
from tamrl.reference.names import match_files
from tamrl.reference.reader import open_product
from tests.reference.writers import WRITERS, YEARS, axes, fluxes, written

CASES = [
    (name, quantity)
    for name in registry.names(registry.COMPARED)
    if holds_maps(name)
    for quantity in registry.load_compared(name).LAYOUT.quantities
]


def opened(files, plugin, quantity):
    product = registry.load_compared(plugin)
    return open_product(files, product.LAYOUT, quantity, title=product.TITLE)


def test_every_gridded_product_is_written_by_the_tests():
    assert set(WRITERS) == {name for name in registry.names(registry.COMPARED) if holds_maps(name)}


@pytest.mark.parametrize("name", registry.names(registry.COMPARED))
def test_a_product_declares_all_of_its_contract(name):
    product = registry.load_compared(name)
    assert product.TITLE and (product.SOURCE.startswith(("doi 10.", "https://")))
    if isinstance(product.LAYOUT, GriddedLayout):
        assert set(product.LAYOUT.quantities) <= set(QUANTITIES)
        import re

        assert re.fullmatch(product.LAYOUT.files, product.LAYOUT.example)
        assert (product.LAYOUT.per == "total") == (product.LAYOUT.area is not None)


@pytest.mark.parametrize(("plugin", "quantity"), CASES, ids=[" ".join(case) for case in CASES])
def test_values_are_those_that_were_written(tmp_path, plugin, quantity):
    ds = opened(written(tmp_path, plugin), plugin, quantity)
    field = ds[quantity]
    lat, lon = axes()
    np.testing.assert_allclose(field["lat"], lat)
    np.testing.assert_allclose(field["lon"], lon)
    assert field.attrs["units"] == "gC m-2 d-1"
    starts = np.arange(f"{YEARS[0]}-01", f"{YEARS[-1] + 1}-01", dtype="datetime64[M]")
    np.testing.assert_array_equal(field["time"].values.astype("datetime64[M]"), starts)
    known = np.stack([fluxes(quantity, lat, lon, *divmod_month(month)) for month in starts])
    if plugin == "vodca2gpp":  # the composites are of one year, and months are means of the composites in them
        known = np.stack([fluxes(quantity, lat, lon, 2010, divmod_month(month)[1]) for month in starts])
        assert np.abs(field.values - known).max() < 0.6
        return
    values = field.values
    missing = ~np.isfinite(values)
    assert missing.mean() < 0.05
    np.testing.assert_allclose(values[~missing], known[~missing], atol=0.006, rtol=3e-4)


def divmod_month(month: np.datetime64) -> tuple[int, int]:
    number = month.astype(int)
    return 1970 + number // 12, number % 12 + 1


def test_values_are_read_when_they_are_asked_for(tmp_path):
    ds = opened(written(tmp_path, "fluxcom_x_base"), "fluxcom_x_base", "gpp")
    assert ds["gpp"].chunks is not None and ds["gpp"].chunks[0] == (12, 12)


def test_months_are_those_of_the_bounds_where_stamps_lie_at_the_end(tmp_path):
    """A land model may stamp a month with the first day of the next; without bounds the first stamp would be February."""
    (tmp_path / "ends").mkdir()
    before = opened(written(tmp_path, "trendy"), "trendy", "gpp")["gpp"]
    files = written(tmp_path / "ends", "trendy")
    for path in files:
        with netCDF4.Dataset(path, "a") as file:
            time = file["time"]
            starts = np.append(time[:], 2 * time[-1] - time[-2])
            file.createDimension("bnds", 2)
            file.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = np.stack([starts[:-1], starts[1:]], axis=1)
            time.bounds = "time_bnds"
            time[:] = starts[1:]
    after = opened(files, "trendy", "gpp")["gpp"]
    np.testing.assert_array_equal(after["time"], before["time"])
    np.testing.assert_array_equal(after, before)


def test_sea_and_fill_values_are_missing(tmp_path):
    sea = opened(written(tmp_path, "fluxcom_rs_meteo"), "fluxcom_rs_meteo", "nee")["nee"].values
    assert np.isnan(sea[:, :, 0]).all() and np.isfinite(sea[:, :, 1:]).all()
    for plugin in ("gosif_gpp", "cedar_gpp"):
        assert np.isnan(opened(written(tmp_path, plugin), plugin, "gpp")["gpp"].values[:, 0, 0]).all()


def test_spread_and_land_of_a_product_are_read(tmp_path):
    spread = opened(written(tmp_path, "metaflux"), "metaflux", "gpp")
    np.testing.assert_allclose(spread["gpp_std"].values, 0.2 * spread["gpp"].values, rtol=1e-5)
    assert float(opened(written(tmp_path, "fluxcom_x_base"), "fluxcom_x_base", "nee")["land_fraction"].mean()) == 0.5


def _edit(path, change):
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        change(file)


def test_another_unit_is_refused(tmp_path):
    files = written(tmp_path, "fluxcom_x_base")
    _edit(files[0], lambda file: file["GPP"].setncattr("units", "µmol CO2 m-2 s-1"))
    with pytest.raises(UnitError, match="another unit than the product"):
        opened(files, "fluxcom_x_base", "gpp")


def test_a_unit_per_month_is_not_one_per_day(tmp_path):
    files = written(tmp_path, "cams_inversion")
    for path in files:
        _edit(path, lambda file: file["flux_apos_bio"].setncattr("units", "kgC m-2 d-1"))
    with pytest.raises(UnitError, match="declared in kgC m-2 month-1"):
        opened(files, "cams_inversion", "nbe")


def test_a_missing_unit_is_refused_where_the_product_states_it(tmp_path):
    files = written(tmp_path, "carbontracker")
    _edit(files[0], lambda file: file["bio_flux_opt"].delncattr("units"))
    with pytest.raises(UnitError, match="states no unit"):
        opened(files, "carbontracker", "nbe")


def test_an_inverted_nee_is_refused(tmp_path):
    files = written(tmp_path, "fluxcom_rs_meteo")

    def invert(file):
        file["NEE"][:] = -file["NEE"][:]

    for path in (path for path in files if path.name.startswith("NEE")):
        _edit(path, invert)
    with pytest.raises(InputError, match="July mean of nee at 50-60° N is implausible"):
        opened(files, "fluxcom_rs_meteo", "nee")


def test_numbers_of_another_size_are_refused(tmp_path):
    files = written(tmp_path, "metaflux")  # whose files need not state a unit

    def scale(file):
        file["GPP"][:] = file["GPP"][:] * 365.25

    for path in files:
        _edit(path, scale)
    with pytest.raises(InputError, match="July mean of gpp"):
        opened(files, "metaflux", "gpp")


def test_a_missing_month_is_named(tmp_path):
    files = [path for path in written(tmp_path, "gosif_gpp") if "2010.M12" not in path.name]
    with pytest.raises(InputError, match="2010-12"):
        opened(files, "gosif_gpp", "gpp")


def test_a_year_without_december_is_refused(tmp_path):
    from tests.reference import writers

    lat, lon = axes()
    path = tmp_path / "METAFLUX_GPP_RECO_monthly_2010.nc"
    out = writers.Netcdf(path, lat, lon)
    out.times([writers._since(2010, m) for m in range(1, 12)], "days since 1970-01-01")
    out.field("GPP", np.stack([fluxes("gpp", lat, lon, 2010, m) for m in range(1, 12)]), None)
    out.close()
    with pytest.raises(InputError, match="a file lacks months"):
        opened([path], "metaflux", "gpp")


def test_a_missing_day_within_the_record_is_refused(tmp_path):
    files = [path for path in written(tmp_path, "fluxsat") if "201006" not in path.name]
    with pytest.raises(InputError, match="2010-06"):
        opened(files, "fluxsat", "gpp")


def test_a_file_given_twice_and_two_editions_are_refused(tmp_path):
    files = written(tmp_path, "cams_inversion")
    with pytest.raises(InputError, match="a step occurs twice"):
        opened([*files, files[0]], "cams_inversion", "nbe")
    other = files[0].with_name(files[0].name.replace("v23r1", "v22r2"))
    other.write_bytes(files[0].read_bytes())
    with pytest.raises(InputError, match="several editions"):
        opened([*files, other], "cams_inversion", "nbe")


def test_another_name_and_a_packed_file_are_refused(tmp_path):
    for name, words in (("GPP_2010_monthly.nc", "GPP_2010_050_monthly"), ("GPP_2010_050_monthly.nc.gz", "unpack the file")):
        path = tmp_path / name
        path.write_bytes(b"")
        with pytest.raises(InputError, match=words):
            opened([path], "fluxcom_x_base", "gpp")


def test_only_valid_years_of_carboscope_are_read(tmp_path):
    field = opened(written(tmp_path, "carboscope"), "carboscope", "nbe")["nbe"]
    assert field["time"].dt.year.values[[0, -1]].tolist() == [2010, 2011]


def test_patterns_name_files(tmp_path):
    files = written(tmp_path, "fluxcom_x_base")
    assert match_files([f"{tmp_path}/fluxcom_x_base/*_050_monthly.nc"]) == files
    with pytest.raises(InputError, match="no file of the product"):
        match_files([f"{tmp_path}/nothing*.nc"])

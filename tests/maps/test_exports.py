"""GeoTIFF with styles, Zarr with consolidated metadata, and a catalogue whose links hold."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from rio_cogeo.cogeo import cog_validate

from tamrl.carbon import FLUXES
from tamrl.maps import geotiff


@pytest.fixture(scope="module")
def exports(daily):
    return daily.write_exports("geotiff", "zarr")


def test_every_month_is_a_valid_cloud_optimised_geotiff(daily, exports):
    files = sorted((exports / "geotiff").glob("*.tif"))
    assert len(files) == 36 and files[0].name == "gpp_2012-01.tif"
    valid, errors, _ = cog_validate(files[6], quiet=True)
    assert valid and not errors
    ds = xr.open_dataset(daily.folder / "monthly_gpp.nc")
    with rasterio.open(files[6]) as raster:
        assert raster.crs.to_epsg() == 4326 and raster.bounds == (-180, -90, 180, 90)
        np.testing.assert_array_equal(raster.read(1), ds["gpp"].values[6])
        np.testing.assert_array_equal(raster.read(2), ds["gpp_std"].values[6])
        assert raster.units == ("g m-2 d-1",) * 2 and raster.tags()["time"] == "2012-07" and np.isnan(raster.nodata)


@pytest.mark.parametrize("flux", FLUXES)
def test_styles_span_their_range_in_the_unit_of_the_file(exports, flux):
    root = ElementTree.parse(exports / "geotiff" / f"{flux}_2012-07.qml").getroot()
    values = [float(item.get("value")) for item in root.iter("item")]
    assert values == sorted(values) and (values[0], values[-1]) == geotiff.RANGES[flux]
    si = ElementTree.fromstring(geotiff.qgis_style(flux, "kg m-2 s-1").split("\n", 1)[1])
    assert float(next(si.iter("item")).get("value")) == pytest.approx(values[0] / 86400 / 1000)


def test_the_store_opens_at_once_and_holds_the_maps(daily, exports):
    ds = xr.open_zarr(exports / "2012.zarr", consolidated=True)
    for flux in FLUXES:
        expected = xr.open_dataset(daily.folder / f"map_{flux}.nc")
        for name in (flux, f"{flux}_std", f"{flux}_q05"):
            np.testing.assert_array_equal(ds[name].values, expected[name].values)
    assert (ds["time"].values == expected["time"].values).all() and ds["gpp"].attrs["grid_mapping"] == "crs"


def test_the_catalogue_moves_with_its_files(exports, tmp_path):
    moved = exports.rename(tmp_path / "elsewhere")
    catalogue = pystac.Catalog.from_file(str(moved / "stac/catalog.json"))
    (collection,) = catalogue.get_children()
    items = list(collection.get_items())
    assert len(items) == 12 and items[0].to_dict()["properties"]["start_datetime"] == "2012-01-01T00:00:00Z"
    assert len(items[0].assets) == 6
    for owner in (collection, *items):
        for asset in owner.assets.values():
            assert (moved / "stac" / asset.get_absolute_href()).exists(), asset.href
    moved.rename(exports)

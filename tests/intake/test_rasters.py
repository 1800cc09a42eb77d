"""GeoTIFFs are opened as that alone, and their size is compared with the file's."""

import numpy as np
import pytest
import rasterio

from tamrl.drivers.formats import geotiff
from tamrl.errors import InputError
from tamrl.intake import completeness, rasters
from tamrl.towers import koppen_map


def _write(path, size, **how):
    profile = {"driver": "GTiff", "height": size, "width": 2 * size, "count": 1, "dtype": "uint8", "sparse_ok": True}
    transform = rasterio.Affine(180 / size, 0, -180, 0, -180 / size, 90)
    with rasterio.open(path, "w", transform=transform, tiled=True, blockxsize=8192, blockysize=8192, **profile, **how):
        pass
    return path


READERS = {"drivers": geotiff.open_map, "climates": lambda path: koppen_map.koppen_groups(path, lat=[50.0], lon=[10.0])}


@pytest.mark.parametrize("reader", READERS)
def test_a_map_of_more_pixels_than_its_size_can_hold_is_refused(tmp_path, reader):
    path = _write(tmp_path / "koppen.tif", 100_000, compress="deflate")
    assert path.stat().st_size < 1 << 20 < completeness.FREE
    with pytest.raises(InputError, match=r"too many pixels[\s\S]*koppen\.tif[\s\S]*100000 x 200000"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_another_format_under_the_name_of_a_geotiff_is_refused(tmp_path, reader):
    """A VRT names files, of this machine or on the network, that GDAL would read."""
    path, other = tmp_path / "koppen.tif", _write(tmp_path / "other.tif", 18)
    band = f"<SimpleSource><SourceFilename>{other}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    band = f'<VRTRasterBand band="1" dataType="Byte">{band}</VRTRasterBand>'
    path.write_text(f'<VRTDataset rasterXSize="36" rasterYSize="18">{band}</VRTDataset>')
    with rasterio.open(path) as file:
        assert file.driver == "VRT"
    with pytest.raises(InputError, match=r"koppen\.tif"):
        READERS[reader](path)


def test_a_good_map_is_opened(tmp_path):
    with rasters.open_geotiff(_write(tmp_path / "a.tif", 18)) as file:
        assert np.array_equal(file.read(1), np.zeros((18, 36)))

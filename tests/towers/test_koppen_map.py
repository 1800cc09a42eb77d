"""The climate of towers from a map."""

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.transform import from_origin

from tamrl import registry
from tamrl.errors import InputError
from tamrl.towers import koppen_map


@pytest.fixture
def world(tmp_path):
    """One degree: temperate (3) in the northern half, arid (2) in the southern, sea (0) east of 10° E."""
    codes = np.zeros((180, 360), "uint8")
    codes[:90, :190], codes[90:, :190] = 3, 2
    path = tmp_path / "koppen.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=360, height=180, count=1, dtype="uint8", transform=from_origin(-180, 90, 1, 1)
    ) as file:
        file.write(codes, 1)
    return path


@pytest.mark.parametrize(
    ("lat", "lon", "group"),
    [
        (51.0, 9.5, "Temperate"),
        (-20.0, -179.99, "Arid"),
        (0.01, 0.0, "Temperate"),
        (-0.01, 0.0, "Arid"),
        (40.0, 10.2, "Temperate"),  # a coast: the pixel beside
        (40.0, 100.0, None),
        (90.0, -180.0, "Temperate"),
        (-90.0, -180.0, "Arid"),
        (10.0, 180.0, None),
    ],
)
def test_groups_by_hand(world, lat, lon, group):
    assert koppen_map.koppen_groups(world, lat=[lat], lon=[lon]) == [group]


def test_a_map_of_30_classes_is_read_by_its_own_legend(world):
    with rasterio.open(world, "r+") as file:
        codes = file.read(1)
        file.write(np.select([codes == 3, codes == 2], [15, 4], 0).astype("uint8"), 1)
    assert koppen_map.koppen_groups(world, lat=[51.0, -20.0], lon=[9.5, -179.99]) == ["Temperate", "Arid"]


def test_a_map_of_another_legend_is_refused(world):
    with rasterio.open(world, "r+") as file:
        file.write(np.where(file.read(1) > 0, 61, 0).astype("uint8"), 1)
    with pytest.raises(InputError, match=r"do not fit(.|\n)*koppen\.tif(.|\n)*61 on"):
        koppen_map.koppen_groups(world, lat=[51.0], lon=[9.5])


def test_only_what_metadata_do_not_say_is_filled(world, caplog):
    caplog.set_level("INFO")
    places = pd.DataFrame({"site": ["A", "B", "C"], "lat": 50.0, "lon": [5.0, 5.0, 90.0], "koppen": ["Polar", None, None]})
    assert koppen_map.fill_koppen(places, world)["koppen"].tolist() == ["Polar", "Temperate", None]
    assert "at 1 towers: B" in caplog.text
    assert koppen_map.fill_koppen(places, None) is places


def test_a_file_that_is_no_map_is_named(tmp_path):
    (tmp_path / "koppen.tif").write_text("no map")
    with pytest.raises(InputError, match=r"koppen\.tif"):
        koppen_map.koppen_groups(tmp_path / "koppen.tif", lat=[0.0], lon=[0.0])


def test_the_real_map_agrees_with_the_metadata_of_real_towers(shared_data):
    packaged = registry.load(registry.SOURCES, "packaged")
    try:
        path = packaged.koppen_map(packaged.Options())
    except InputError:
        pytest.skip("the data packages are not installed")
    sites = pd.read_csv(shared_data / "towers" / "fluxnet2015_sites.csv", keep_default_na=False)
    column = next(c for c in sites if c.startswith("climate"))
    known = sites[sites[column] != ""]
    found = pd.Series(koppen_map.koppen_groups(path, lat=known["lat"].tolist(), lon=known["lon"].tolist()), index=known.index)
    assert found.notna().mean() > 0.97
    assert (found == known[column]).mean() > 0.8, "classes of 1991-2020 and of the towers' own metadata differ at few"

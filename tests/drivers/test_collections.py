"""Collections of a product are named, recorded and not mixed unless asked, in every source that reads products by file name."""

import inspect

import pytest
from pyhdf.SD import SD, SDC

from tamrl import registry, stores
from tamrl.calendar import TimeAxis
from tamrl.drivers import stage
from tamrl.drivers.formats import cmg, static_maps
from tamrl.drivers.sources import mcd43c4, modis, static
from tamrl.errors import InputError

SOURCES = [n for n in registry.names(registry.SOURCES) if "collection" in registry.options(registry.SOURCES, n).model_fields]
PRODUCTS = [
    (name, product)
    for name in SOURCES
    for product in registry.options(registry.SOURCES, name).model_fields["product"].annotation.__args__
]


def test_every_source_with_products_takes_a_collection():
    assert {"modis", "mcd43c4"} <= set(SOURCES)
    for name in registry.names(registry.SOURCES):
        assert (name in SOURCES) == ("product" in registry.options(registry.SOURCES, name).model_fields)


@pytest.fixture(params=PRODUCTS, ids=lambda pair: pair[1])
def product(request, world, tmp_path):
    """A year of a product of which the days before the 100th are of an older collection, beside a file of another product."""
    name, product = request.param
    for file in sorted((world / name).iterdir()):
        day = file.name.split(".")[1]
        old = int(day[5:]) < 100
        (tmp_path / f"{product}.{day}.{'006' if old else '061'}.2021001000000.nc").symlink_to(file)
    (tmp_path / "MOD11C1.A2011001.061.hdf").write_bytes(b"another product")
    return registry.load(registry.SOURCES, name), product, tmp_path


def read(plugin, product, folder, **options):
    chosen = plugin.Options(path=str(folder), product=product, **options)
    found = plugin.open_dynamic(chosen, names=("ndvi",), axis=TimeAxis.of_years("day", (2011,)))["ndvi"]
    return found, plugin.version(chosen)


def test_mixed_collections_are_refused_with_both_and_their_counts(product):
    plugin, name, folder = product
    older, newer = (len(list(folder.glob(f"{name}.*.{c}.*"))) for c in ("006", "061"))
    counts = f"{older} files of collection 006, {newer} files of collection 061"
    with pytest.raises(InputError, match=rf"several collections of {name}(.|\n)*{counts}(.|\n)*`collection`"):
        read(plugin, name, folder)
    assert plugin.version(plugin.Options(path=str(folder), product=name))["collections"] == {"006": older, "061": newer}


def test_the_one_asked_for_is_read_and_the_log_says_what_is_not(product, caplog):
    plugin, name, folder = product
    found, about = read(plugin, name, folder, collection="061")
    assert found.attrs["collection"] == "061" and found.attrs["product"] == name and set(about["collections"]) == {"061"}
    assert str(found["time"].values[0])[:10] > "2011-04-10", "those before the 100th day are not read"
    assert "files of collection 006" in caplog.text and "1 files of MOD11C1" in caplog.text
    with pytest.raises(InputError, match=r"no composites of 2011(.|\n)*of collection 005"):
        read(plugin, name, folder, collection="005")


def test_another_product_of_a_source_is_named_only_where_the_one_asked_for_lacks(product, caplog):
    plugin, name, folder = product
    for file in folder.iterdir():
        if ".006." in file.name or file.name.startswith("MOD11C1"):
            file.unlink()
    other = next(product for product in cmg.PRODUCTS if product != name)
    (folder / f"{other}.A2011001.061.2021001000000.hdf").write_bytes(b"read by another source, or as a later sensor")
    read(plugin, name, folder)
    assert "not read as" not in caplog.text
    (folder / f"{other}.zip").write_bytes(b"no file of it")
    read(plugin, name, folder)
    assert f"not read as {name}: 1 files of {other} (.zip)" in caplog.text
    for file in folder.glob(f"{name}.A*"):
        file.unlink()
    with pytest.raises(InputError, match=rf"no composites of 2011(.|\n)*1 files of {other} \(.hdf\)"):
        read(plugin, name, folder)


def test_every_product_of_a_source_is_a_known_one():
    assert set(cmg.PRODUCTS) == {product for _, product in PRODUCTS} | {static_maps.PRODUCT}


def test_older_years_of_another_collection_do_not_matter(product):
    plugin, name, folder = product
    for file in folder.glob(f"{name}.A*.006.*"):
        file.rename(folder / file.name.replace("A2011", "A2009"))
    assert read(plugin, name, folder)[0].attrs["collection"] == "061"


def test_the_cube_names_product_and_collection(drivers, tmp_path):
    given = drivers | {"variables": {"dynamic": ["evi"], "static": []}, "sources": ["modis", "static"]}
    time = {"step": "day", "years": [2011]}
    stage.build_cube(paths=[], cube=str(tmp_path / "cube.zarr"), drivers=given, time=time, resolution=10.0, threads=1)
    attrs = stores.open_cube(tmp_path / "cube.zarr")["evi"].attrs
    assert (attrs["product"], attrs["collection"]) == ("MOD13C1", "061")
    about = stores.read_manifest(tmp_path / "cube.zarr").origin["sources"]
    assert about["modis"]["collections"] == {"061": 23} and about["static"]["collections"] == {}


def test_land_cover_of_two_collections_is_refused_and_one_is_recorded(tmp_path):
    for collection in ("061", "006"):
        file = SD(str(tmp_path / f"MCD12C1.A2019001.{collection}.2022170020638.hdf"), SDC.WRITE | SDC.CREATE)
        file.end()
    assert static.version(static.Options(path=str(tmp_path)))["collections"] == {"006": 1, "061": 1}
    with pytest.raises(InputError, match=r"collections of MCD12C1(.|\n)*\.006\.(.|\n)*\.061\."):
        static.open_static(static.Options(path=str(tmp_path)), names=("igbp_fraction",))


def test_every_reader_of_products_uses_the_one_rule():
    readers = {modis: "cmg.find_composites(", mcd43c4: "cmg.find_composites(", static_maps: "cmg.name_pattern("}
    for module, rule in readers.items():
        assert rule in inspect.getsource(module), module.__name__
    assert "name_pattern(product)" in inspect.getsource(cmg)

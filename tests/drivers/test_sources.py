"""The contract of a source, held for every file in `drivers/sources`."""

import inspect

import numpy as np
import pytest
import xarray as xr

from tamrl import plugins, registry, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.extent import Extent
from tamrl.errors import InputError
from tamrl.grid import Grid
from tamrl.options import Strict

NAMES = registry.names(registry.SOURCES)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def options(name, world, tmp_path):
    folders = {n: n for n in ("modis", "mcd43c4", "static")}
    folders |= {"cds_era5": "era5", "cds_era5_land": "era5", "arco_era5": "arco.zarr", "earth_data_hub": "hub.zarr"}
    if name == "netcdf_grids":
        return registry.options(registry.SOURCES, name)(path=str(write_grids(tmp_path)))
    path = {"path": str(world / folders[name])} if name in folders else {}
    return registry.options(registry.SOURCES, name)(**path)


@pytest.fixture
def axis(name):
    return TimeAxis.of_years("month") if name in ("packaged", "netcdf_grids") else TimeAxis.of_years("day", (2011,))


def offered(source, role):
    return tuple(n for n, e in variables.vocabulary().items() if source in e.sources and e.role == role)


def write_grids(folder):
    """All variables that may come as grids of the user, each in a file with the middle of its range."""
    grid = Grid(10.0)
    for name, entry in variables.vocabulary().items():
        if alias := entry.sources.get("netcdf_grids"):
            months = {"month": np.arange(1, 13)} if entry.role == "dynamic" else {}
            shape = (*(v.size for v in months.values()), *grid.shape)
            values = np.full(shape, sum(entry.range) / 2, "float32")
            field = ((*months, "lat", "lon"), values, {"units": alias.units})
            xr.Dataset({alias.name: field}, months | {"lat": grid.lat, "lon": grid.lon}).to_netcdf(folder / f"{name}.nc")
    return folder


def opened(call):
    try:
        return call()
    except InputError as error:
        if "pip install" in str(error):
            pytest.skip(str(error))
        raise


def test_there_are_sources():
    assert {"cds_era5", "cds_era5_land", "arco_era5", "earth_data_hub", "modis", "mcd43c4", "static", "packaged"} <= set(NAMES)


def test_it_has_the_parts_of_the_contract(name):
    plugin = registry.load(registry.SOURCES, name)
    assert issubclass(plugin.Options, Strict) and plugin.__doc__
    assert registry.options(registry.SOURCES, name)().model_dump() == plugin.Options().model_dump()
    assert list(inspect.signature(plugin.inputs).parameters) == ["options"]
    assert list(inspect.signature(plugin.version).parameters) == ["options"]
    dynamic = inspect.signature(plugin.open_dynamic).parameters
    static = inspect.signature(plugin.open_static).parameters
    tells = plugin.CAPABILITIES.lists_files
    assert list(dynamic) == ["options", "names", "axis", *(["only"] if tells else [])]
    assert list(static) == ["options", "names"]
    assert all(p.kind is p.KEYWORD_ONLY for k, p in {**dynamic, **static}.items() if k != "options")


def test_inputs_are_paths_in_plain_text(name, options):
    found = registry.load(registry.SOURCES, name).inputs(options)
    assert isinstance(found, list) and all(isinstance(p, str) for p in found)


def test_it_offers_something(name):
    assert offered(name, "dynamic") or offered(name, "static")


def test_dynamic_variables_keep_the_contract(name, options, axis):
    plugin, names = registry.load(registry.SOURCES, name), offered(name, "dynamic")
    found = opened(lambda: plugin.open_dynamic(options, names=names, axis=axis))
    assert set(found) == set(names)
    for variable, da in found.items():
        check_map(variable, da, da.isel(time=0))
        assert da.dims == ("time", "lat", "lon") and np.issubdtype(da["time"].dtype, np.datetime64)
        assert (np.diff(da["time"].values) > np.timedelta64(0)).all()
        assert da.attrs.get("cadence", "step") in ("step", "composite")
        if "weight" in da.coords:
            assert da["weight"].dims == da.dims
        if da.attrs.get("cadence") != "composite":
            assert da.sizes["time"] == {"day": 365, "month": 12}[axis.step]


def test_the_last_year_may_be_unfinished(name, options, axis):
    plugin, names = registry.load(registry.SOURCES, name), offered(name, "dynamic")
    if not axis.years:
        return
    early = TimeAxis.of_years(axis.step, axis.years, "2011-03")
    for variable, da in opened(lambda: plugin.open_dynamic(options, names=names, axis=early)).items():
        if da.attrs.get("cadence") != "composite":
            assert da.sizes["time"] == {"day": 90, "month": 3}[axis.step], variable
        assert da["time"].values.max() < np.datetime64("2011-06-04"), "composites of 64 days after it, at most"


def test_files_are_told_apart_by_those_that_can(name, options, axis):
    plugin, names = registry.load(registry.SOURCES, name), offered(name, "dynamic")
    if not plugins.lists_files(plugin):
        return
    files = plugin.listed(options)
    assert files and all(path.is_file() for path in files.values())
    found = plugin.open_dynamic(options, names=names, only=frozenset(files), axis=axis)
    for variable, da in plugin.open_dynamic(options, names=names, axis=axis).items():
        assert isinstance(da.attrs["extent"], Extent) and da.attrs["expver"]
        assert found[variable].attrs == da.attrs and found[variable].identical(da)


def test_static_variables_keep_the_contract(name, options):
    plugin, names = registry.load(registry.SOURCES, name), offered(name, "static")
    found = opened(lambda: plugin.open_static(options, names=names))
    assert set(found) == set(names)
    for variable, da in found.items():
        top = da.isel(lat=slice(0, 20))
        members = variables.get(variable).members
        if members:
            values = top.values
            assert np.issubdtype(da.dtype, np.signedinteger) and values.min() >= -1 and values.max() < len(members)
        else:
            check_map(variable, da, top)
        assert da.dims == ("lat", "lon") and da.attrs["grid"] in ("nodes", "pixels")


def check_map(variable, da, part):
    entry = variables.get(variable)
    assert da.name == variable and da.attrs["units"] == entry.units and da.dtype == np.float32
    assert da.attrs["grid"] in ("nodes", "boxes", "pixels") and da.attrs.get("nodes", "all") in ("all", "land")
    assert (np.diff(da["lat"]) < 0).all() and (np.diff(da["lon"]) > 0).all()
    assert da["lon"].values.min() >= -180 and da["lon"].values.max() < 180
    assert da.chunks is not None, "lazy"
    variables.check_range(part.values, name=variable, where=da.attrs["source"])


def test_it_says_what_was_read(name, options):
    import json

    found = opened(lambda: registry.load(registry.SOURCES, name).version(options))
    assert "sha256" in json.dumps(found)


def test_it_refuses_what_it_does_not_have(name, options, axis):
    plugin = registry.load(registry.SOURCES, name)
    if not offered(name, "static"):
        with pytest.raises(Exception, match="no static variables"):
            plugin.open_static(options, names=("elevation",))
    if not offered(name, "dynamic"):
        with pytest.raises(Exception, match="no dynamic variables"):
            plugin.open_dynamic(options, names=("air_temperature",), axis=axis)

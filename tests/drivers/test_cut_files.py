"""Every source refuses by name a file of its own that is cut, at whatever length, and says why a damaged one cannot be read."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import registry, variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.sources import packaged
from tamrl.errors import InputError

SOURCES = registry.names(registry.SOURCES)
SHARES = [0.01, 0.5, 0.999]
SUMMER = slice("2011-06-20", "2011-07-10")
"""When the files that are cut have values."""


def copied(world, folder, name, pattern):
    shutil.copytree(world / name, folder / name)
    return {"path": str(folder / name)}, sorted((folder / name).glob(pattern))[:1]


def era5(world, folder):
    options, _ = copied(world, folder, "era5", "*.nc")
    return options, [next((folder / "era5").glob(f"era5_{v}_2011_07.nc")) for v in ("t2m", "tp")]


def packages(folder, write, monkeypatch):
    """Small files in place of those of the data packages."""
    months, lat, lon = np.arange(1, 13), np.arange(90, -91, -10.0), np.arange(0, 360, 10.0)
    fields = {"t2m": 10.0, "tp": 60.0}
    values = {n: (("month", "latitude", "longitude"), np.full((12, lat.size, lon.size), v, "f4")) for n, v in fields.items()}
    ds = xr.Dataset(values, {"month": months, "latitude": lat, "longitude": lon})
    ds.to_netcdf(folder / "climatology.nc", format="NETCDF3_64BIT")
    for name in ("land_cover", "koppen"):
        write.write_tif(folder / f"{name}.tif", np.arange(18 * 36, dtype="uint8").reshape(18, 36) % 5 + 1)
    for name in ("ndvi_max", "ndvi_min"):
        write.write_tif(folder / f"{name}.tif", np.linspace(0, 1, 648, dtype="f4").reshape(18, 36))
    write.write_tif(folder / "c4_fraction.tif", np.linspace(0, 100, 648, dtype="f4").reshape(18, 36))
    monkeypatch.setattr(packaged, "locate", lambda key: folder / f"{key}{'.nc' if key == 'climatology' else '.tif'}")
    return {}, sorted(folder.iterdir())


def grids(folder):
    """All that a folder of grids may hold: mean months in NetCDF 4, and maps in the classic format."""
    (folder / "grids").mkdir()
    for role, form in {"dynamic": "NETCDF4", "static": "NETCDF3_64BIT"}.items():
        aliases = [
            e.sources["netcdf_grids"] for e in variables.vocabulary().values() if e.role == role and "netcdf_grids" in e.sources
        ]
        coords = {"month": np.arange(1, 13)} if role == "dynamic" else {}
        coords |= {"lat": np.arange(85, -86, -10.0), "lon": np.arange(-175, 176, 10.0)}
        shape = tuple(map(len, coords.values()))
        values = np.linspace(0, 1, np.prod(shape), dtype="f4").reshape(shape)
        ds = xr.Dataset({a.name: (tuple(coords), values, {"units": a.units}) for a in aliases}, coords)
        ds.to_netcdf(folder / f"grids/{role}.nc", format=form)
    return {"path": str(folder / "grids")}, sorted((folder / "grids").iterdir())


def hub(folder, write):
    """A small store of days: the first chunk of July of a variable is cut."""
    write.write_hub(folder / "hub.zarr", resolution=30, years=[2011])
    return {"path": str(folder / "hub.zarr")}, [folder / "hub.zarr/t2m/c/2/0/0"]


MEAN_YEARS = {"packaged", "netcdf_grids"}
"""Sources of climatologies, which have no years."""

STORES = {"arco_era5": "arco.zarr", "earth_data_hub": "hub.zarr"}
"""Sources that are one store: an error names it, and not the file of a chunk."""

SAMPLES = {
    "cds_era5": lambda world, folder, *_: era5(world, folder),
    "cds_era5_land": lambda world, folder, *_: era5(world, folder),
    "arco_era5": lambda world, folder, *_: copied(world, folder, "arco.zarr", "total_precipitation/180.0.0"),
    "modis": lambda world, folder, *_: copied(world, folder, "modis", "*A2011177*"),
    "mcd43c4": lambda world, folder, *_: copied(world, folder, "mcd43c4", "*A2011177*"),
    "static": lambda world, folder, *_: (copied(world, folder, "static", "*")[0], sorted((folder / "static").iterdir())),
    "packaged": lambda world, folder, write, monkeypatch: packages(folder, write, monkeypatch),
    "netcdf_grids": lambda world, folder, *_: grids(folder),
    "earth_data_hub": lambda world, folder, write, *_: hub(folder, write),
}
"""Options of a source for a copy of its files, and those of them that are cut."""


@pytest.fixture(params=SOURCES)
def sample(request, world, tmp_path, write, monkeypatch):
    assert request.param in SAMPLES, f"a sample of the files of {request.param} belongs into SAMPLES"
    return request.param, *SAMPLES[request.param](world, tmp_path, write, monkeypatch)


def read(name, options):
    """All that a source offers, the values of one summer or climatology."""
    plugin, offered = registry.load(registry.SOURCES, name), {"dynamic": [], "static": []}
    for variable, entry in variables.vocabulary().items():
        if name in entry.sources:
            offered[entry.role].append(variable)
    chosen = registry.options(registry.SOURCES, name)(**options)
    axis = TimeAxis.of_years("month") if name in MEAN_YEARS else TimeAxis.of_years("day", (2011,))
    found = plugin.open_dynamic(chosen, names=tuple(offered["dynamic"]), axis=axis) if offered["dynamic"] else {}
    found |= plugin.open_static(chosen, names=tuple(offered["static"])) if offered["static"] else {}
    return {variable: (da.sel(time=SUMMER) if da.sizes.get("time", 0) > 12 else da).compute() for variable, da in found.items()}


def test_cut_files_are_refused_by_name(sample):
    name, options, files = sample
    assert files and all(da.notnull().any() for da in read(name, options).values())
    for path in files:
        content = path.read_bytes()
        for length in [int(share * len(content)) for share in SHARES] + [len(content) - 1]:
            path.write_bytes(content[:length])
            with pytest.raises(InputError) as caught:
                read(name, options)
            assert Path(options.get("path", path)).name in str(caught.value), "the file, or the store that it belongs to"
            assert name in STORES or path.name in str(caught.value)
        path.write_bytes(content)


def test_an_empty_file_is_refused_by_name(sample):
    name, options, files = sample
    files[0].write_bytes(b"")
    with pytest.raises(InputError, match=STORES.get(name, files[0].name)):
        read(name, options)


def test_a_page_of_the_server_in_place_of_a_file(sample):
    name, options, files = sample
    files[0].write_bytes(b"<html><body>503 Service Unavailable</body></html>\n")
    with pytest.raises(InputError, match=STORES.get(name, files[0].name)):
        read(name, options)


@pytest.mark.parametrize("name", [".zmetadata", "time/0"])
def test_metadata_of_a_store_that_are_cut(world, tmp_path, name):
    options, _ = copied(world, tmp_path, "arco.zarr", name)
    path = tmp_path / "arco.zarr" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"arco\.zarr"):
        read("arco_era5", options)


def zipped(folder, content):
    with zipfile.ZipFile(folder / "era5.zip", "w") as archive:
        archive.writestr("data_0.nc", content)


def test_a_zip_and_what_is_in_it(write, tmp_path):
    times = pd.date_range("2011-01-01", periods=3)
    ds = write.era5("t2m", write.weather("t2m", times, resolution=30), times, resolution=30)
    ds = ds.drop_vars(["expver", "number"])
    ds.to_netcdf(tmp_path / "a.nc", format="NETCDF3_64BIT", unlimited_dims=["valid_time"])
    content = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").unlink()
    zipped(tmp_path, content)
    assert len(list(netcdf.open_all(tmp_path))) == 1
    netcdf._unpacked.cache_clear()
    zipped(tmp_path, content[:-100])
    with pytest.raises(InputError, match=r"era5\.zip \(data_0\.nc\)") as caught:
        list(netcdf.open_all(tmp_path))
    assert "bytes" in caught.value.found
    netcdf._unpacked.cache_clear()
    (tmp_path / "era5.zip").write_bytes((tmp_path / "era5.zip").read_bytes()[:-1])
    with pytest.raises(InputError, match=r"era5\.zip") as caught:
        list(netcdf.open_all(tmp_path))
    assert caught.value.todo == "fetch the file again"

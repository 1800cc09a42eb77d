"""Fuzz targets: files that providers, networks and users write, as the project reads them."""

import hashlib
import warnings
import zipfile
from datetime import date
from pathlib import Path
from types import ModuleType

import dask
import netCDF4
import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import config, files, registry
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.drivers.formats import netcdf
from tamrl.drivers.sources import arco_era5, cds_era5, modis, static
from tamrl.errors import ConfigError, InputError
from tamrl.intake import document
from tamrl.samples.dataset import InputSpec
from tamrl.samples.standardise import Moments, Standardisation
from tamrl.towers import survey
from tamrl.towers.reader import bif, snapshot
from tamrl.training import checkpoint
from tamrl.training.model_spec import model_dims
from tamrl.twin import hours
from tamrl.twin import modis as twin
from tamrl.twin.lattice import WeatherLattice
from tests.drivers import conftest as grids
from tests.fuzz.base import Target
from tests.modelling import trained
from tests.towers import conftest as towers
from tests.towers import test_zarr_fluxnet2015 as stores

NODES, DAYS = WeatherLattice(30.0), 31
YEAR = TimeAxis.of_years("day", (2011,))
warnings.simplefilter("ignore")


def _digest(*values: object) -> str:
    """Digest of all values of arrays and tables, with their names, types and shapes."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, pd.DataFrame):
            value = value.to_json(orient="split", date_format="iso", double_precision=15)
        if isinstance(value, xr.DataArray):
            for name, coord in sorted(value.coords.items()):
                digest.update(f"{name} {coord.dims} {coord.values.tolist()}".encode())
            value = value.values
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        else:
            digest.update(str(value).encode())
    return digest.hexdigest()


def _network(name: str, folder: Path, **options: object) -> str:
    plugin = registry.load(registry.NETWORKS, name)
    chosen = plugin.Options(path=str(folder), **options)
    paths = [Path(path) for path in plugin.inputs(chosen)]
    return _digest(*survey.read_tables(plugin, paths, chosen, survey.SurveyPlan("day", strict=True)))


def _archive(folder: Path) -> Path:
    towers.Sample(folder).fluxnet("day")
    next(folder.glob("*NA-Bbb*")).unlink()
    return next(folder.glob("*.zip"))


def _table(folder: Path) -> Path:
    towers.Sample(folder).fluxnet2015("day")
    for path in folder.glob("*.zip"):
        with zipfile.ZipFile(path) as packed:
            packed.extractall(folder) if "DE-Aaa" in path.name else None
        path.unlink()
    return next(folder.glob("*_DD_*.csv"))


def _bif(folder: Path) -> Path:
    file = folder / "FLX_AA-Flx_BIF_X.csv"
    file.write_bytes(towers.bif_bytes("DE-Aaa", "NA-Bbb") + b"\n")
    return file


def _workbook(folder: Path) -> Path:
    rows = [line.split(";") for line in towers.bif_bytes("DE-Aaa", "NA-Bbb").decode().split("\n")]
    texts = sorted({cell for row in rows for cell in row})
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = [
        "".join(f'<c r="{"ABCDE"[k]}{n}" t="s"><v>{texts.index(cell)}</v></c>' for k, cell in enumerate(row))
        for n, row in enumerate(rows, 1)
    ]
    sheet = "</row><row>".join(cells)
    members = {
        "[Content_Types].xml": "<Types/>",
        "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData><row>{sheet}</row></sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {space}>{''.join(f'<si><t>{text}</t></si>' for text in texts)}</sst>",
    }
    return towers.zipped(folder / "FLX_AA-Flx_BIF_X.xlsx", members)


def _sheet(folder: Path) -> Path:
    """The sheet of a workbook by itself: no checksum guards it."""
    with zipfile.ZipFile(_workbook(folder)) as packed:
        (folder / "sheet1.xml").write_bytes(packed.read("xl/worksheets/sheet1.xml"))
    return folder / "sheet1.xml"


def _read_sheet(path: Path) -> str:
    book = next(path.parent.glob("*.xlsx"))
    with zipfile.ZipFile(book) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    content = towers.zipped(path.parent / "changed.xlsx", members | {"xl/worksheets/sheet1.xml": path.read_bytes()}).read_bytes()
    return _digest(bif.bif_sites(bif.read_bif(content, where=path), where=path))


def _parquet(folder: Path) -> Path:
    return Path(towers.Sample(folder).table("day")["path"])


def _snapshot(folder: Path) -> Path:
    rows = [
        ("DE-Aaa", 51.0, 10.5, "DBF", 2010, 2011, "https://x.org/a.zip", "ICOS_DE-Aaa_FLUXNET_2010-2011_v1.3_r1.zip", "A", "hx"),
        (
            "NA-Bbb",
            -22.5,
            17.0,
            "CRO",
            2010,
            2011,
            "https://x.org/b.zip",
            "AMF_NA-Bbb_FLUXNET_2010-2011_v1.3_r1.zip",
            "B, C",
            "h",
        ),
    ]
    pd.DataFrame(rows, columns=list(snapshot.COLUMNS)).to_csv(folder / "snapshot.csv", index=False)
    return folder / "snapshot.csv"


def _store(folder: Path) -> Path:
    return stores.store(folder / "fluxnet.zarr", {"DE-Aaa": (towers.fine_rows(days=20), 1.0, 51.0, 10.5)})


def _weather(name: str) -> tuple[np.ndarray, np.ndarray]:
    times = hours.ends(name, 2011, 1, 24 * DAYS)
    days = pd.date_range("2011-01-01", periods=DAYS)
    return times, np.repeat(grids.weather(name, days, resolution=30.0), 24, axis=0).astype("float32")


def _netcdf4(folder: Path) -> Path:
    days = pd.date_range("2011-01-01", periods=DAYS)
    grids.save(grids.era5("t2m", grids.weather("t2m", days, resolution=30), days, resolution=30), folder / "era5.nc")
    return folder / "era5.nc"


def _netcdf3(folder: Path) -> Path:
    days = pd.date_range("2011-01-01", periods=DAYS)
    ds = grids.era5("t2m", grids.weather("t2m", days, resolution=30), days, resolution=30).drop_vars(["expver", "number"])
    ds.to_netcdf(folder / "era5.nc", format="NETCDF3_64BIT", unlimited_dims=["valid_time"])
    return folder / "era5.nc"


def _zipped(folder: Path) -> Path:
    content = _netcdf4(folder).read_bytes()
    (folder / "era5.nc").unlink()
    return towers.zipped(folder / "era5.zip", {"data_0.nc": content})


def _grib(folder: Path) -> Path:
    times, values = _weather("t2m")
    path = folder / "era5.grib"
    path.write_bytes(hours.grib("t2m", values, times=times, nodes=NODES))
    return path


def _grib2(folder: Path) -> Path:
    """A message whose sections have the right lengths: it is refused by its edition, unless it is damaged."""
    sections = b"".join((len(body) + 5).to_bytes(4, "big") + bytes([k]) + body for k, body in enumerate([bytes(16)] * 6, 1))
    message = b"GRIB" + bytes(2) + b"\0\2" + (16 + len(sections) + 4).to_bytes(8, "big") + sections + b"7777"
    (folder / "era5.grib2").write_bytes(message * 3)
    return folder / "era5.grib2"


def _read_grib2(path: Path) -> str:
    try:
        return str(list(netcdf.open_all(path.parent)))
    except InputError as error:
        if str(error.found) == "GRIB edition 2, only edition 1 is read":
            return error.found
        raise


def _arco(folder: Path) -> Path:
    path = folder / "arco.zarr"
    hours.create_store(path, years=[2011], nodes=NODES)
    times, values = _weather("t2m")
    hours.fill_store(path, "t2m", values, times=times)
    return path


def _driver(plugin: ModuleType, path: Path, name: str = "air_temperature", **options: object) -> str:
    chosen = plugin.Options(path=str(path), **options)
    found = plugin.open_dynamic(chosen, names=(name,), axis=YEAR)[name]
    with dask.config.set(scheduler="synchronous"):
        return _digest(found.isel(time=slice(0, DAYS)).load(), *(c.values for _, c in sorted(found.coords.items())))


EVI = np.linspace(-2000, 9000, 18 * 36).reshape(18, 36).astype("int16")
RANK = (np.arange(18 * 36).reshape(18, 36) % 4).astype("int8")


def _hdf4(folder: Path) -> Path:
    path = folder / "MOD13C1.A2011001.061.2020123123456.hdf"
    values = {twin.EVI: EVI, twin.NDVI: EVI, twin.RELIABILITY: RANK}
    twin.write_hdf4(path, values, start=date(2011, 1, 1), end=date(2011, 1, 16))
    return path


def _hdf5(folder: Path) -> Path:
    path = folder / "VNP13C1.A2011001.002.2020123123456.h5"
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("HDFEOS/GRIDS/VIIRS_Grid_16Day_VI_CMG/Data Fields")
        group.createDimension("y", 18), group.createDimension("x", 36)
        for name, values in ((twin.EVI, EVI), (twin.RELIABILITY, RANK)):
            layer = group.createVariable(name, values.dtype, ("y", "x"), zlib=True)
            layer.set_auto_maskandscale(False)
            layer[:] = values
            if values is EVI:
                layer.setncatts({"scale_factor": 10000.0, "valid_range": np.array([-10000, 10000], "i2")})
    return path


def _maps(folder: Path) -> Path:
    grids.write_static(folder, pixel=10, resolution=10)
    return folder / "land_cover.tif"


def _read_maps(path: Path) -> str:
    names = ("igbp_fraction", "land_fraction") if path.stem == "land_cover" else (f"{path.stem}",)
    found = static.open_static(static.Options(path=str(path.parent)), names=names)
    with dask.config.set(scheduler="synchronous"):
        return _digest(*(da.load() for _, da in sorted(found.items())))


def _elevation(folder: Path) -> Path:
    grids.write_static(folder, pixel=10, resolution=10)
    grids.write_tif(folder / "elevation.tif", np.linspace(-50, 3000, 648, dtype="f4").reshape(18, 36), nodata=-9999)
    return folder / "elevation.tif"


def _yaml(folder: Path) -> Path:
    text = config.defaults_yaml() + "choices:\n  other: {splits: &splits {folds: 4}}\n  third: {splits: *splits}\n"
    (folder / "mine.yaml").write_text(text.replace("choices: {}\n", ""), encoding="utf-8")
    return folder / "mine.yaml"


def _read_yaml(path: Path) -> str:
    raw = document.read_document(path)
    try:
        return _digest(config.load(raw).model_dump_json())
    except ConfigError as error:  # names the key, as several files may be laid over one another
        raise ConfigError(error.asked, where=f"{path}, {error.where}", found=error.found) from error


def _model(folder: Path) -> Path:
    units = {"air_temperature": "K", "evi": "1"}
    inputs = {name: Moments((1.0,), (2.0,), unit) for name, unit in units.items()}
    spec = InputSpec(tuple(inputs), (), "month", (90,))
    scaling = Standardisation(inputs, dict.fromkeys(FLUXES, 2.0))
    plugin = registry.load(registry.MODELS, "tamrl")
    torch.manual_seed(1)
    options = {"hidden": 4, "streams": 1, "code": 2}
    model = plugin.build(model_dims(spec, scaling), plugin.Options(**options))
    checkpoint.save_model(folder / "member-0", trained(model, spec, scaling, options))
    for path in [p for p in (folder / "member-0").iterdir() if files.is_seal(p.name)]:
        path.unlink()  # as a stranger gives it
    return folder / "member-0"


def _read_model(path: Path) -> str:
    found = checkpoint.load_member(path)
    return _digest(*(f"{name} {tensor.tolist()}" for name, tensor in sorted(found.model.state_dict().items())), found.spec.digest)


TARGETS: list[Target] = [
    Target("tower archive (zip)", _archive, lambda path: _network("fluxnet", path.parent), guarded=True),
    Target("tower table (CSV)", _table, lambda path: _network("fluxnet2015", path.parent)),
    Target("tower table (Parquet)", _parquet, lambda path: _network("table", path)),
    Target("tower store (Zarr)", _store, lambda path: _network("zarr_fluxnet2015", path, bif=None)),
    Target("metadata (BIF, CSV)", _bif, lambda path: _digest(bif.read_bif_sites(path))),
    Target("metadata (BIF, workbook)", _workbook, lambda path: _digest(bif.read_bif_sites(path)), guarded=True),
    Target("sheet of a workbook (XML)", _sheet, _read_sheet),
    Target("snapshot (CSV)", _snapshot, lambda path: _digest(snapshot.read_usable_rows(path))),
    Target("GRIB 1", _grib, lambda path: _driver(cds_era5, path.parent)),
    Target("GRIB 2", _grib2, _read_grib2),
    Target("NetCDF-3", _netcdf3, lambda path: _driver(cds_era5, path.parent)),
    Target("NetCDF-4", _netcdf4, lambda path: _driver(cds_era5, path.parent)),
    Target("NetCDF-4 in a zip", _zipped, lambda path: _driver(cds_era5, path.parent), guarded=True),
    Target("HDF5", _hdf5, lambda path: _driver(modis, path.parent, "evi", product="VNP13C1")),
    Target("HDF4", _hdf4, lambda path: _driver(modis, path.parent, "evi")),
    Target("weather (Zarr)", _arco, lambda path: _driver(arco_era5, path)),
    Target("GeoTIFF of classes", _maps, _read_maps),
    Target("GeoTIFF of numbers", _elevation, _read_maps),
    Target("configuration (YAML)", _yaml, _read_yaml),
    Target("model (JSON, safetensors)", _model, _read_model),
]
"""Kinds of files that come from elsewhere."""

"""Opening NetCDF and GRIB files as providers deliver them: by content, with one set of names and one orientation."""

import hashlib
import logging
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
import xarray as xr

from tamrl import files, variables
from tamrl.drivers.formats import grib
from tamrl.errors import InputError
from tamrl.intake import arrays, border, completeness, isolated, times, zips

_log = logging.getLogger(__name__)

NAMES = {"latitude": "lat", "y": "lat", "longitude": "lon", "x": "lon"}
STANDARD = {"latitude": "lat", "grid_latitude": None, "longitude": "lon", "grid_longitude": None}
SUFFIXES = (".nc", ".nc4", ".zip", ".grib", ".grb", ".grib1", ".grib2", ".grb2")
STREAMS = 8
"""Files that are read through at once for their checksums."""

LARGEST_RATIO = 200
"""A zip that unpacks to more than so many times its size is refused (NetCDF inside is already compressed)."""

_KINDS = {
    b"\x89HDF": "netcdf",
    b"CDF\x01": "netcdf",
    b"CDF\x02": "netcdf",
    b"CDF\x05": "netcdf",
    b"PK\x03\x04": "zip",
    b"GRIB": "grib",
    b"\x0e\x03\x13\x01": "hdf4",
}


def file_kind(path: Path, *, where: object = None) -> str:
    """What a file is by its first bytes: netcdf, zip, grib or hdf4; raises `InputError` for anything else."""
    where = where or path
    with border.reading("the file cannot be read", where=where), open(path, "rb") as handle:
        start = handle.read(4)
        size = path.stat().st_size
    if start not in _KINDS:
        asked, state = "the file is neither NetCDF, HDF, GRIB nor zip", f"{size} bytes, starting with {start!r}"
        todo = "open it in a text editor: it may be an error message of the server"
        raise InputError(asked, where=where, found=state, todo=todo)
    return _KINDS[start]


def folder_contents(folder: str | Path) -> list[Path]:
    """All files of a folder and its subfolders, sorted; hidden ones and those in hidden folders (half downloads) left out."""
    root = Path(folder)
    visible = (p for p in root.rglob("*") if not any(part.startswith(".") for part in p.relative_to(root).parts))
    return sorted(p for p in visible if p.is_file())


def weather_files(folder: str | Path) -> list[Path]:
    """The NetCDF, GRIB and zip files of a folder and its subfolders, sorted; raises `InputError` if there is none."""
    paths = [p for p in folder_contents(folder) if p.suffix.lower() in SUFFIXES]
    if not paths:
        raise InputError("no NetCDF or GRIB files", where=folder, todo="put the files there, or correct the source's `path`")
    return paths


def files_by_name(folder: str | Path) -> dict[str, Path]:
    """All files of a folder by their names relative to it."""
    return {str(PurePosixPath(path.relative_to(folder))): path for path in folder_contents(folder)}


def open_all(folder: str | Path, only: Collection[str] | None = None) -> Iterator[tuple[Path, xr.Dataset]]:
    """Every dataset of a folder with its file, or of those files that `only` names; the members of a zip come one by one."""
    for path in weather_files(folder):
        if only is not None and str(PurePosixPath(path.relative_to(folder))) not in only:
            continue
        parts = sorted(Path(_unpacked(path).name).iterdir()) if file_kind(path) == "zip" else [path]
        for part in parts:
            where = path if part == path else f"{path} ({part.name})"
            content = file_kind(part, where=where)
            completeness.check_complete(part, where=where)
            if content == "grib":
                yield from ((path, with_known_names(ds, path)) for ds in grib.open_grib(part, where=where))
            elif content == "netcdf":
                yield path, with_known_names(open_decoded(part, where=path), path)
            else:
                raise InputError(f"{content} files are not read here", where=path, todo="order the files as NetCDF or GRIB")


def open_decoded(path: Path, *, where: object) -> xr.Dataset:
    """The dataset of a NetCDF file with the names of the file, fields lazy and in physical values; raises `InputError`."""
    with border.reading("the file cannot be read", where=where, todo=completeness.INSIDE):
        return xr.decode_cf(arrays.decode_dataset(isolated.open_netcdf(path, where=where), where=where), decode_times=False)


def with_known_names(ds: xr.Dataset, path: object) -> xr.Dataset:
    """A dataset with `lat` and `lon` as dimensions where it has such coordinates, ready for `times.decode_time_axis`.

    Coordinates are known by name, standard name or unit. Each variable remembers its file (encoding `source`).
    """
    with border.reading("the coordinates of the file cannot be read", where=path, todo="compare the file with one that is read"):
        ds = times.attach_times(_placed(ds))
    for variable in ds.variables.values():
        variable.encoding["source"] = str(path)
    return ds


def _placed(ds: xr.Dataset) -> xr.Dataset:
    for target in ("lat", "lon"):
        names = sorted(map(str, ds.variables), key=lambda n: n != target)
        name = next((n for n in names if _coordinate(n, ds.variables[n]) == target), None)
        if name is not None:
            (dim,) = ds[name].dims
            others = [n for n in ds.variables if n not in (name, dim) and ds[n].dims == (dim,)]
            if dim != name and not any(_coordinate(str(n), ds.variables[n]) for n in others):
                ds = ds.swap_dims({dim: name})
            ds = ds.rename({name: target}) if name != target else ds
    return ds


def _coordinate(name: str, variable: xr.Variable) -> str | None:
    """`lat` or `lon` for a coordinate in degrees along one dimension, else None."""
    unit, standard = str(variable.attrs.get("units", "degree")).lower(), variable.attrs.get("standard_name")
    if variable.ndim != 1 or not unit.startswith("degree"):
        return None
    by_unit = {"degrees_north": "lat", "degree_north": "lat", "degrees_east": "lon", "degree_east": "lon"}.get(unit)
    if standard in STANDARD:
        return STANDARD[standard]
    return NAMES.get(name.lower(), name.lower() if name.lower() in ("lat", "lon") else by_unit)


def stored_layer(path: Path, name: str) -> xr.DataArray:
    """A variable of a file, or of a group within it, with the numbers as stored; raises `InputError`."""
    where = f"{path} ({name})"
    layer = isolated.ask_helper("read_layer", path, asked="the file cannot be read", where=where, name=name)
    if "values" not in layer:
        raise InputError(f"no layer {name!r}", where=path, found=layer["names"])
    with border.reading("the file cannot be read", where=where, todo=completeness.INSIDE):
        return xr.DataArray(layer["values"], dims=layer["dims"], coords=layer["coords"], attrs=layer["attrs"], name=name)


@cache
def _unpacked(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder with the NetCDF and GRIB members of a zip; it lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="tamrl-")
    with zips.open_zip(path, where=path) as archive:
        count = zips.UnpackedBytes(path.stat().st_size, ratio=LARGEST_RATIO, where=path)
        for member in archive.infolist():
            if member.filename.lower().endswith(SUFFIXES):
                with open(_target(member, Path(folder.name), path), "wb") as file:
                    file.writelines(count.blocks(archive, member))
    return folder


def _target(member: zipfile.ZipInfo, folder: Path, path: Path) -> Path:
    name = PurePosixPath(member.filename)
    is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename or is_link:
        raise InputError("the zip file holds an unsafe name", where=path, found=member.filename, todo="do not use this file")
    return folder / "-".join(name.parts)


def orient(da: xr.DataArray, where: object) -> xr.DataArray:
    """`lat` falling and `lon` rising within [-180, 180); values are only moved, never changed.

    Raise `InputError` if latitudes exceed 90° (swapped with longitudes, usually), or a coordinate has duplicates or no value.
    """
    lat, lon = (_degrees(da[name].values) for name in ("lat", "lon"))
    if not (lat.size and lon.size and np.isfinite(lat).all() and np.isfinite(lon).all()):
        state, todo = f"{lat.size} latitudes, {lon.size} longitudes", "give every row and column its place"
        raise InputError("a latitude or longitude is missing", where=where, found=state, todo=todo)
    if np.abs(lat).max() > 90 or lon.min() < -180 or lon.max() > 360:
        asked = "latitudes must lie within ±90 and longitudes within -180 and 360"
        state = f"lat {lat.min():g} to {lat.max():g}, lon {lon.min():g} to {lon.max():g}"
        raise InputError(asked, where=where, found=state, todo="check whether they are swapped")
    lon = np.round((lon + 180.0) % 360.0 - 180.0, 6)
    rows, columns = np.argsort(-lat, kind="stable"), np.argsort(lon, kind="stable")
    if (np.diff(lat[rows]) == 0).any() or (np.diff(lon[columns]) == 0).any():
        raise InputError("a latitude or longitude occurs twice", where=where, todo="drop the repeated column (often ±180°)")
    da = da.assign_coords(lat=lat, lon=lon)
    for name, order in (("lat", rows), ("lon", columns)):
        if (order != np.arange(order.size)).any():
            da = da.isel({name: order})
    return da


def _degrees(values: np.ndarray) -> np.ndarray:
    """Coordinates in float64 to six decimals; numbers of float32 (0.10000000149) are the decimals that they stand for (0.1)."""
    short, values = values.astype("float32"), values.astype("float64")
    if (short == values).all():
        values = np.array([float(str(v)) for v in short])
    return np.round(values, 6)


def mask_fill_values(da: xr.DataArray, *, name: str, where: object) -> xr.DataArray:
    """Fill values (-9999, 1e20, 9.97e36 ...) become missing when the values are read; the log says how many."""

    def mask(block: np.ndarray) -> np.ndarray:
        """A block with fill values as NaN."""
        masked, count = variables.mask_fill(block)
        if count:
            _log.warning("%s: %d fill values masked as missing (%s)", name, count, where)
        return masked.astype("float32")

    if hasattr(da.data, "map_blocks"):
        return da.copy(data=da.data.map_blocks(mask, dtype="float32", meta=np.empty((0,) * da.ndim, "float32")))
    return da.copy(data=mask(da.values))


def fingerprint_folder(folder: str | Path) -> dict[str, object]:
    """Number and bytes of a folder's files, and the SHA-256 of the list of their names and checksums, for the provenance."""
    paths = files_by_name(folder)
    sums = file_checksums(paths)
    size = sum(path.stat().st_size for path in paths.values())
    digest = hashlib.sha256(files.as_json(sums).encode()).hexdigest()
    return {"path": str(folder), "files": len(paths), "bytes": size, "sha256": digest}


def file_checksums(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of files by name, several read at once: decades of files are much for one stream of a file system."""
    with ThreadPoolExecutor(STREAMS) as pool:
        return dict(zip(paths, pool.map(file_checksum, paths.values()), strict=True))


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, read once by a process as long as nothing happens to it."""
    status = path.stat()
    return _checksum(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _checksum(path: Path, size: int, *changed: int) -> str:
    return files.checksum(path)

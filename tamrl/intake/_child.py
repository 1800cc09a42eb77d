"""The helper process that parses foreign NetCDF, HDF5 and HDF4 files; `tamrl.intake.isolated` starts it and asks it.

It runs as a script and imports nothing of the project. A question is JSON, preceded by its length. An answer is JSON, followed
by the bytes of the arrays. Neither side unpickles anything. The process ends when its standard input is closed.
"""

import json
import os
import resource
import signal
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import netCDF4
import numpy as np
from pyhdf.SD import SD, SDC

LENGTH = struct.Struct("<Q")
OPEN_FILES = 32
CHUNK_CACHE = 1 << 20
"""Decoded bytes that a variable may cache; by default the library would hold whole files, many at a time."""

MEMORY = 1 << 29
"""Bytes of address space beyond four times the size of the answer."""

SECONDS, SPEED = 4, 20e6
"""Processor time of an answer (s), to which each `SPEED` bytes of the file and of the answer add a second."""


_Variable: TypeAlias = "netCDF4.Variable[Any]"
_State = tuple[str, int, int, int]
"""Path, size (bytes) and times of change (ns) of an open file."""


class RefusedError(Exception):
    """A file declares more than it can hold."""


_files: OrderedDict[tuple[int, int], tuple[_State, netCDF4.Dataset]] = OrderedDict()
_mapped = 0


def _bounded(path: str, size: int, most: int) -> None:
    """Limit memory and processor time for an answer of `size` bytes; raise `RefusedError` if these exceed `most`."""
    if size > most:
        raise RefusedError(f"it declares {size:,} bytes of values in one variable, at most {most:,} fit a file of its size")
    wanted, (_, hard) = _mapped + MEMORY + 4 * size, resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    used, (_, hard) = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(used.ru_utime + used.ru_stime + SECONDS + (Path(path).stat().st_size + size) / SPEED) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))


def _netcdf(path: str) -> netCDF4.Dataset:
    """Open a file with the limits of a header, and leave it open until it changes.

    HDF5 shares its knowledge of a file among all its handles, so that a file overwritten in place would return old values.
    """
    _bounded(path, 0, 0)
    status = Path(path).stat()
    key, state = (status.st_dev, status.st_ino), (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key in _files and _files[key][0] != state:
        _files.pop(key)[1].close()
    if key not in _files:
        while len(_files) >= OPEN_FILES:
            _files.popitem(last=False)[1][1].close()
        file = netCDF4.Dataset(path)
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        _files[key] = state, file
    _files.move_to_end(key)
    return _files[key][1]


def _size(variable: _Variable, shape: tuple[int, ...] | None = None) -> int:
    chunk = variable.chunking()
    pieces = [variable.shape if shape is None else shape, chunk if isinstance(chunk, list) else ()]
    return max(prod(map(int, p)) for p in pieces) * int(np.dtype(_type(variable)).itemsize)


def _type(variable: _Variable) -> Any:
    """Return the type of the values; texts of any length are objects."""
    kind: Any = variable.dtype  # `str` for texts, which the annotation leaves out
    return "O" if kind is str else kind


def _attributes(owner: "netCDF4.Dataset | _Variable") -> dict[str, Any]:
    return {name: owner.getncattr(name) for name in owner.ncattrs()}


def describe_file(path: str, most: int) -> dict[str, Any]:
    """Return the attributes and the variables of numbers and text, with the values of those of at most one dimension."""
    file, variables = _netcdf(path), {}
    for name, variable in file.variables.items():
        kind = _type(variable)
        if kind != "O" and not (isinstance(kind, np.dtype) and kind.kind in "iufSU"):
            continue
        _bounded(path, _size(variable), most)
        chunk = variable.chunking()
        variables[name] = {
            "dims": variable.dimensions,
            "shape": variable.shape,
            "dtype": np.dtype(kind).str,
            "attrs": _attributes(variable),
            "chunks": chunk if isinstance(chunk, list) else None,
            "values": np.asarray(variable[...]) if variable.ndim <= 1 else None,
        }
    return {"attrs": _attributes(file), "variables": variables}


def read_part(path: str, most: int, name: str, key: list[int | list[int | None]]) -> np.ndarray:
    """Read a part of a variable, as stored.

    Parameters
    ----------
    most : bytes that a variable may have
    key : per dimension, a position, or start, stop and step of a slice
    """
    variable = _netcdf(path).variables[name]
    places = tuple(slice(*k) if isinstance(k, list) else k for k in key)
    shape = [len(range(*p.indices(n))) if isinstance(p, slice) else 1 for p, n in zip(places, variable.shape, strict=True)]
    _bounded(path, _size(variable, tuple(shape)), most)
    return np.asarray(variable[places])


def read_layer(path: str, most: int, name: str) -> dict[str, Any]:
    """Read a variable and its coordinates from a file or a group in it (HDF-EOS 5 nests its grids)."""
    file = _netcdf(path)
    variable = _find(file, name)
    if variable is None:
        return {"names": list(file.variables) or list(file.groups)}
    _bounded(path, _size(variable), most)
    variable.set_auto_maskandscale(False)
    coords = {d: np.asarray(file[d][:]) for d in variable.dimensions if d in file.variables}
    return {"dims": variable.dimensions, "attrs": _attributes(variable), "values": variable[...], "coords": coords}


def _find(group: netCDF4.Dataset | netCDF4.Group, name: str) -> "_Variable | None":
    matches = (_find(inner, name) for inner in group.groups.values())
    return group.variables[name] if name in group.variables else next((v for v in matches if v is not None), None)


def read_hdf4_layer(path: str, most: int, name: str) -> dict[str, Any]:
    """Read a layer of an HDF4 file."""
    _bounded(path, 0, 0)
    file = SD(path, SDC.READ)
    try:
        known = file.datasets()
        if name not in known:
            return {"names": list(known)}
        layer = file.select(name)
        shape = np.ravel(layer.info()[2])
        _bounded(path, 8 * prod(map(int, shape)), most)
        dims = [str(d).split(":")[0] for d in layer.dimensions(full=1)]
        return {"dims": dims, "attrs": layer.attributes(), "values": np.asarray(layer[:])}
    finally:
        file.end()


def read_hdf4_attributes(path: str, most: int) -> dict[str, Any]:
    """Read the attributes of an HDF4 file."""
    _bounded(path, 0, 0)
    file = SD(path, SDC.READ)
    try:
        return dict(file.attributes())
    finally:
        file.end()


ANSWERS = (describe_file, read_part, read_layer, read_hdf4_layer, read_hdf4_attributes)
QUESTIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in ANSWERS}


def _plain(value: Any, arrays: list[bytes]) -> Any:
    """Return an answer as JSON-like values; append the bytes of its arrays to `arrays`, in order."""
    if isinstance(value, dict):
        return {"of": {str(k): _plain(v, arrays) for k, v in value.items()}}
    if isinstance(value, np.generic | np.ndarray):
        array = np.asarray(value)
        if array.dtype.kind in "OU":
            return {"texts": [str(v) for v in array.ravel()], "shape": array.shape}
        if array.dtype.kind not in "iufSb":
            raise RefusedError(f"values of the type {array.dtype}")
        arrays.append(array.tobytes())
        return {"dtype": array.dtype.str, "shape": array.shape, "scalar": isinstance(value, np.generic)}
    return [_plain(v, arrays) for v in value] if isinstance(value, list | tuple) else value


def _answer(question: str, **arguments: Any) -> tuple[dict[str, Any], list[bytes]]:
    arrays: list[bytes] = []
    try:
        return {"answer": _plain(QUESTIONS[question](**arguments), arrays)}, arrays
    except MemoryError:
        return {"refused": "it wants more memory than a file of its size needs"}, []
    except RefusedError as reason:
        return {"refused": str(reason)}, []
    except OSError as error:
        return {"system": [error.errno, error.strerror or str(error)]}, []
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}, []


def answer_questions(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until the input ends."""
    while len(head := questions.read(LENGTH.size)) == LENGTH.size:
        header, arrays = _answer(**json.loads(questions.read(*LENGTH.unpack(head))))
        content = json.dumps(header).encode()
        for part in (LENGTH.pack(len(content)), content, *arrays):
            answers.write(part)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; its end closes the input
    netCDF4.set_chunk_cache(CHUNK_CACHE)
    with suppress(OSError), open("/proc/self/statm", encoding="ascii") as statm:
        _mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints of libraries must not mix with the answers
    answer_questions(sys.stdin.buffer, answers)

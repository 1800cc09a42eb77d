"""Parse foreign NetCDF, HDF5 and HDF4 files in a helper process.

Damaged or hostile bytes make their C libraries overwrite the stack or run forever. Here such a file costs only a helper process,
and the error names the file. A helper starts with the first file, serves all files of its parent and ends with it. Threads that
read at the same time have one helper each, up to `MOST`. Memory and processor time of an answer are limited by the size of the
file and of the answer (`_child.MEMORY`, `_child.SECONDS`), its duration by `PATIENCE`.
"""

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from tamrl.errors import InputError, MachineError
from tamrl.intake import border, completeness

MOST = 4
"""Largest number of helpers of a process."""

PATIENCE = 600.0
"""Seconds until a helper counts as waiting for a disk that does not answer, although it has processor time left."""

_HEADER = 1 << 28
"""Largest size of the description of a file (B)."""

_LENGTH = 8
_FAULTS = {"SIGXCPU": "it came to no end", "SIGSEGV": "it overwrote its memory", "SIGABRT": "it overwrote its memory"}


class _Ended(Exception):
    """The helper process has ended."""


class _Helper:
    """A process that answers questions about files."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", str(Path(__file__).with_name("_child.py"))]
        env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet, env=env, bufsize=0)
        assert self.process.stdin and self.process.stdout  # pipes were asked for
        self._questions, self._answers = self.process.stdin, self.process.stdout

    def ask(self, most: int, **question: Any) -> Any:
        """Return the answer as plain values and arrays of up to `most` bytes each; raise `_Ended` if there is none."""
        content, until = json.dumps(question | {"most": most}).encode(), time.monotonic() + PATIENCE
        try:
            self._questions.write(len(content).to_bytes(_LENGTH, "little") + content)
        except BrokenPipeError:
            raise _Ended from None
        length = int.from_bytes(self._take(_LENGTH, until), "little")
        if length > _HEADER:
            raise InputError(f"its description has {length:,} bytes")
        header = json.loads(self._take(length, until))
        return header | {"answer": self._filled(header.get("answer"), most, until)}

    def _filled(self, value: Any, most: int, until: float) -> Any:
        """Insert the arrays, which follow the header in the order in which it mentions them."""
        if isinstance(value, list):
            return [self._filled(v, most, until) for v in value]
        if not isinstance(value, dict):
            return value
        if "of" in value:
            return {k: self._filled(v, most, until) for k, v in value["of"].items()}
        if "texts" in value:
            return np.array(value["texts"], dtype=object).reshape(value["shape"])
        dtype = np.dtype(value["dtype"])
        size = prod(value["shape"]) * dtype.itemsize
        if size > most:
            raise _Ended
        array = np.frombuffer(self._take(size, until), dtype).reshape(value["shape"])
        return array[()] if value["scalar"] else array

    def _take(self, size: int, until: float) -> bytearray:
        """Read `size` bytes of the answer."""
        content, at, pipe = bytearray(size), 0, self._answers.fileno()
        with selectors.DefaultSelector() as waiting, memoryview(content) as view:
            waiting.register(pipe, selectors.EVENT_READ)
            while at < size:
                if not waiting.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                got = os.readv(pipe, [view[at:]])
                if not got:
                    raise _Ended
                at += got
        return content

    def end(self) -> int:
        """Close the pipes, wait for the process and return its exit code."""
        self._questions.close()
        self._answers.close()
        try:
            return self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


_idle: list[_Helper] = []
_room = threading.Semaphore(MOST)


def _forget() -> None:
    """Start without helpers in a forked process: those of the parent answer the parent."""
    global _room
    _idle.clear()
    _room = threading.Semaphore(MOST)


def _close() -> None:
    while _idle:
        _idle.pop().end()


os.register_at_fork(after_in_child=_forget)
atexit.register(_close)


@contextmanager
def _helper(asked: str, where: object) -> Iterator[_Helper]:
    """Yield a free helper; if it ends within the block, raise an error that says how."""
    with _room:
        helper = _idle.pop() if _idle else _Helper()
        try:
            yield helper
            _idle.append(helper)
        except _Ended:
            code = helper.end()
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            if name == "SIGKILL":
                todo = "give the job more memory, or try again"
                raise MachineError(asked, where=where, found="the reading process was killed", todo=todo) from None
            reason = f"its library was ended by {name} ({_FAULTS.get(name, 'it failed')})"
            raise InputError(asked, where=where, found=reason, todo=completeness.INSIDE) from None
        except TimeoutError:
            helper.process.kill()
            helper.end()
            reason, todo = f"no answer within {PATIENCE:g} s", "check the disk or the network drive, then try again"
            raise MachineError(asked, where=where, found=reason, todo=todo) from None
        except BaseException:
            helper.process.kill()  # or the rest of its answer would be read as the next one
            helper.end()
            raise


def ask_helper(question: str, path: Path, *, asked: str, where: object, **arguments: Any) -> Any:
    """Return the answer to a question about a file of its full length, as plain values and arrays.

    Raise `InputError` if the file is cut short, cannot be read, declares more than a file of its size holds, or ends its reader;
    `MachineError` if the machine refuses.

    Parameters
    ----------
    question : name of an entry of `_child.QUESTIONS`
    asked, where : parts of the error (`TamrlError`)
    arguments : further arguments of the function in `_child`
    """
    completeness.check_complete(path, where=where)
    with border.reading(asked, where=where, todo=completeness.INSIDE):
        most = completeness.most_bytes(path)
        with _helper(asked, where) as helper:
            reply = helper.ask(most, question=question, path=str(path.absolute()), **arguments)
        if "system" in reply:
            raise OSError(*reply["system"])
        if "refused" in reply:
            raise InputError(asked, where=where, found=reply["refused"], todo=completeness.INSIDE)
        return reply["answer"]


class _Part(BackendArray):
    """A variable of a NetCDF file that is read in parts."""

    def __init__(self, path: Path, name: str, *, shape: tuple[int, ...], dtype: np.dtype, where: object):
        self.shape, self.dtype = shape, dtype
        self._path, self._name, self._where = path.absolute(), name, where  # the working folder may change before it is read

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        values: np.ndarray = indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)
        return values

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        plain = [[k.start, k.stop, k.step] if isinstance(k, slice) else int(k) for k in key]
        where = f"{self._where} ({self._name})"
        asked = "the values cannot be read"
        part: np.ndarray = ask_helper("read_part", self._path, asked=asked, where=where, name=self._name, key=plain)
        return part


def open_netcdf(path: Path, *, where: object) -> xr.Dataset:
    """Open a NetCDF file as `xarray.open_dataset(decode_cf=False)` does; variables of one dimension are read, others are lazy."""
    description, variables = ask_helper("describe_file", path, asked="the file cannot be read", where=where), {}
    for name, entry in description["variables"].items():
        shape, dtype, values = tuple(entry["shape"]), np.dtype(entry["dtype"]), entry["values"]
        if values is None:
            values = indexing.LazilyIndexedArray(_Part(path, name, shape=shape, dtype=dtype, where=where))
        encoding = {"source": str(path), "original_shape": shape, "dtype": dtype}
        if entry["chunks"]:
            encoding["preferred_chunks"] = dict(zip(entry["dims"], entry["chunks"], strict=True))
        variables[name] = xr.Variable(entry["dims"], values, entry["attrs"], encoding)
    coords = {n: v for n, v in variables.items() if v.dims == (n,)}
    with border.reading("the file cannot be read", where=where, todo=completeness.INSIDE):
        return xr.Dataset({n: v for n, v in variables.items() if n not in coords}, coords, description["attrs"])

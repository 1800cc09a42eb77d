"""GRIB files of edition 1 (the Climate Data Store's ERA5) as datasets named as its NetCDF files, values read lazily.

The format is WMO FM 92 GRIB edition 1 (WMO-No. 306, part II): regular latitudes and longitudes, simple packing, bitmaps. It is
decoded here: with the binary wheels of ecCodes in the environment, opening files beside rasterio crashed the process.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import dask.array as da
import numpy as np
import xarray as xr
from dask import delayed

from tamrl.errors import InputError

AT_ONCE = 24
"""Messages that one task reads."""

NAMES = {(128, 167): "t2m", (128, 168): "d2m", (128, 169): "ssrd", (128, 228): "tp"}
"""Names of ECMWF's parameters (table, number); others are called `<number>.<table>`."""

ECMWF = 98
_SECONDS = {0: 60, 1: 3600, 2: 86400, 10: 3 * 3600, 11: 6 * 3600, 12: 12 * 3600, 254: 1}
"""Length of a forecast's time units."""


class Damaged(ValueError):
    """A message that is not what its edition says; the file's name is added where it is known."""


@dataclass(frozen=True)
class Message:
    """One message, decoded as far as it is asked."""

    offset: int
    content: bytes

    @cached_property
    def product(self) -> bytes:
        """Section 1: what and when."""
        return _section(self.content, 8)

    @cached_property
    def _grid_start(self) -> int:
        if not self.product[7] & 0x80:
            raise Damaged("a message without grid description")
        return 8 + len(self.product)

    @property
    def name(self) -> str:
        """Name of the variable, as in NetCDF files where it is a driver."""
        table, centre, number = self.product[3], self.product[4], self.product[8]
        return NAMES.get((table, number), f"{number}.{table}") if centre == ECMWF else f"{number}.{table}.{centre}"

    @property
    def time(self) -> np.datetime64:
        """When it is valid; of an amount or a mean the end."""
        p = self.product
        year = (p[24] - 1) * 100 + p[12]
        start = np.datetime64(f"{year:04d}-{p[13]:02d}-{p[14]:02d}T{p[15]:02d}:{p[16]:02d}", "ns")
        steps = {0: p[18], 1: 0, 10: p[18] * 256 + p[19]}.get(p[20], p[19] if p[20] <= 5 else 0)
        if p[17] not in _SECONDS:
            raise Damaged(f"a forecast's time unit {p[17]}")
        return start + np.timedelta64(steps * _SECONDS[p[17]], "s")

    @property
    def step_type(self) -> str:
        """`instant`, `accum` or `avg`, as ecCodes calls them."""
        kind = self.product[20]
        return {4: "accum", 3: "avg"}.get(kind, "avg" if kind >= 113 else "instant")

    @property
    def expver(self) -> str:
        """Version of the experiment from ECMWF's local section."""
        return self.product[45:49].decode("ascii", "replace") if self.product[4] == ECMWF and len(self.product) >= 49 else "0001"

    @cached_property
    def grid(self) -> tuple[int, int, float, float, float, float]:
        """Rows, columns, first and last latitude, first longitude, distance of the columns (negative westwards)."""
        g = _section(self.content, self._grid_start)
        if g[5] != 0 or g[27] & 0x20:
            raise Damaged(f"fields must lie on regular latitudes and longitudes, found representation {g[5]}")
        columns, rows = _integer(g[6:8]), _integer(g[8:10])
        first, west, last, east = (_signed(g[k : k + 3]) / 1000 for k in (10, 13, 17, 20))
        turn = -1 if g[27] & 0x80 else 1
        return rows, columns, first, last, west, turn * ((turn * (east - west)) % 360) / max(columns - 1, 1)

    @property
    def values(self) -> np.ndarray:
        """The field (rows, columns) in the order of the file, float32, missing as NaN."""
        start = self._grid_start + len(_section(self.content, self._grid_start))
        present = None
        if self.product[7] & 0x40:
            bitmap = _section(self.content, start)
            start += len(bitmap)
            bits = np.unpackbits(np.frombuffer(bitmap[6:], "uint8"))
            present = bits[: bits.size - bitmap[3]].astype(bool)
        rows, columns = self.grid[:2]
        count = rows * columns if present is None else int(present.sum())
        packed = _unpack(_section(self.content, start), count, _signed(self.product[26:28]))
        if present is None:
            return packed.reshape(rows, columns)
        if present.size != rows * columns:
            raise Damaged("the bitmap has another size than the grid")
        found = np.full(present.size, np.nan, "float32")
        found[present] = packed
        return found.reshape(rows, columns)


def _unpack(data: bytes, count: int, decimal: int) -> np.ndarray:
    """Section 4: (R + X 2^E) / 10^D of simple packing, float32 (count)."""
    if data[3] & 0xC0:
        raise Damaged("only simple packing is read: order NetCDF")
    scale, reference, bits = _signed(data[4:6]), _ibm(data[6:10]), data[10]
    raw = np.frombuffer(data[11:], "uint8")
    if raw.size * 8 < count * bits:
        raise Damaged("fewer values than the grid has")
    if bits == 0:
        whole = np.zeros(count)
    elif bits % 8 == 0 and bits <= 32:
        size = bits // 8
        columns = raw[: count * size].reshape(count, size).astype("uint64")
        whole = sum(columns[:, k] << np.uint64(8 * (size - 1 - k)) for k in range(size)).astype("float64")
    else:
        digits = np.unpackbits(raw)[: count * bits].reshape(count, bits)
        whole = digits @ (2.0 ** np.arange(bits - 1, -1, -1))
    return ((reference + whole * 2.0**scale) / 10.0**decimal).astype("float32")


def _section(content: bytes, start: int) -> bytes:
    size = _integer(content[start : start + 3])
    if size < 11 or start + size > len(content) - 4:
        raise Damaged("a section reaches beyond its message")
    return content[start : start + size]


def _integer(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


def _signed(octets: bytes) -> int:
    """A number whose first bit is its sign."""
    top = 1 << (8 * len(octets) - 1)
    value = _integer(octets)
    return top - value if value & top else value


def _ibm(octets: bytes) -> float:
    """A hexadecimal floating point number of 4 octets."""
    sign = -1.0 if octets[0] & 0x80 else 1.0
    return sign * _integer(octets[1:]) * 16.0 ** ((octets[0] & 0x7F) - 64) / 2**24


def open_file(path: Path) -> list[xr.Dataset]:
    """The fields of a file, one dataset for each variable and grid: (time, lat, lon) with `expver` per time, values lazy.

    The time of a field is the one it is valid at: the end of the hours of an accumulation, as in the NetCDF files.

    Raises
    ------
    InputError
        If the file is damaged, of another edition, or on another kind of grid.
    """
    groups: dict[tuple, list[tuple]] = defaultdict(list)
    try:
        for m in _messages(path):
            groups[m.grid, m.name, m.step_type].append((m.offset, m.time, m.expver))
    except (Damaged, IndexError, ValueError) as error:
        raise _unreadable(path, error) from error
    return [
        xr.Dataset({name: _array(path, grid, found).assign_attrs(GRIB_stepType=kind)})
        for (grid, name, kind), found in groups.items()
    ]


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError("the GRIB file cannot be read", where=path, found=error, todo="fetch it again, or order NetCDF")


def _messages(path: Path) -> Iterator[Message]:
    with open(path, "rb") as file:
        while (message := _next(file)) is not None:
            yield message


def _next(file: BinaryIO) -> Message | None:
    """The next message after padding with zeros, None at the end of the file."""
    while (head := file.read(8)) and not head.strip(b"\0"):
        continue
    if not head:
        return None
    padding = len(head) - len(head.lstrip(b"\0"))
    head = head[padding:] + file.read(padding)
    if len(head) < 8 or head[:4] != b"GRIB":
        raise Damaged("something else between messages")
    if head[7] != 1:
        raise Damaged(f"GRIB edition {head[7]}, only edition 1 is read")
    content = head + file.read(_integer(head[4:7]) - 8)
    if len(content) != _integer(head[4:7]) or content[-4:] != b"7777":
        raise Damaged("a message ends early")
    return Message(file.tell() - len(content), content)


def _array(path: Path, grid: tuple, found: list[tuple]) -> xr.DataArray:
    rows, columns, first, last, west, spacing = grid
    parts = [found[k : k + AT_ONCE] for k in range(0, len(found), AT_ONCE)]
    values = [
        da.from_delayed(delayed(_read)(path, tuple(m[0] for m in part)), (len(part), rows, columns), dtype="float32")
        for part in parts
    ]
    lon = np.round(west + np.arange(columns) * spacing, 6)
    coords = {
        "time": np.array([m[1] for m in found]),
        "lat": np.round(np.linspace(first, last, rows), 6),
        "lon": np.where(lon >= 360, lon - 360, lon),
        "expver": ("time", [m[2] for m in found]),
    }
    return xr.DataArray(da.concatenate(values), dims=("time", "lat", "lon"), coords=coords)


def _read(path: Path, offsets: tuple[int, ...]) -> np.ndarray:
    """Values of messages (time, rows, columns)."""
    found = []
    try:
        with open(path, "rb") as file:
            for offset in offsets:
                file.seek(offset)
                message = _next(file)
                if message is None:
                    raise Damaged("the file has become shorter")
                found.append(message.values)
    except (Damaged, IndexError, ValueError) as error:
        raise _unreadable(path, error) from error
    return np.stack(found)

"""GRIB files of edition 1 (the Climate Data Store's ERA5) as datasets named as its NetCDF files, values read lazily.

The format is WMO FM 92 GRIB edition 1 (WMO-No. 306, part II), with ECMWF's lengths of messages above 8 MB: regular latitudes and
longitudes in any order of the points, simple packing, bitmaps. What else a file may hold is refused by its name. Why it is
decoded here, and not by ecCodes: `docs/architecture.md`.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from tamrl import variables
from tamrl.drivers.formats import lazy
from tamrl.errors import InputError
from tamrl.intake import border, completeness

AT_ONCE = 24
"""Messages that one task reads, of fields up to `POINTS_AT_ONCE` in all."""

POINTS_AT_ONCE = 2**25
MOST_POINTS = 5 * 10**7
"""A field of more points is refused: a message of 80 octets can claim 4 thousand million."""

GRIDS = {
    1: "a Mercator grid", 3: "a Lambert grid", 4: "a Gaussian grid", 5: "a polar stereographic grid", 10: "a rotated grid",
    14: "a rotated Gaussian grid", 20: "a stretched grid", 24: "a stretched Gaussian grid", 50: "spherical harmonics",
    60: "rotated spherical harmonics", 90: "a satellite's view",
}  # fmt: skip
"""Representations (code table 6) that are refused by name."""

STEP_TYPES = {0: "instant", 1: "instant", 2: "max", 3: "avg", 4: "accum", 5: "diff", 10: "instant"}
STEP_TYPES |= dict.fromkeys((113, 115, 117, 123, 124, 128, 130, 133), "avg")
"""Time range indicators (code table 5 with ECMWF's own) as ecCodes calls them; its kinds of monthly means are all `avg`."""

ECMWF = 98
_SECONDS = {0: 60, 1: 3600, 2: 86400, 10: 3 * 3600, 11: 6 * 3600, 12: 12 * 3600, 13: 900, 14: 1800, 254: 1}
"""Length of a forecast's time units."""

_ASKED = "the GRIB file cannot be read"
_BLOCK = 4096


class Damaged(ValueError):
    """A message that is not what its edition says; the file's name is added where it is known."""


class Unread(ValueError):
    """A message of a form that is not read here; its file may be intact."""


class Lattice(NamedTuple):
    """Regular latitudes and longitudes in degrees; `spacing` of the columns is negative westwards."""

    rows: int
    columns: int
    first: float
    last: float
    west: float
    spacing: float
    by_columns: bool


class Stored(NamedTuple):
    """Where a field lies in its file, when it is valid, and its version and member."""

    offset: int
    time: np.datetime64
    expver: str
    member: int


@dataclass(frozen=True)
class Message:
    """One message: its place in the file, what and when (section 1), its grid, where bitmap and values are (start, octets)."""

    offset: int
    end: int
    product: bytes
    grid: Lattice
    bitmap: tuple[int, int] | None
    data: tuple[int, int]

    def name(self, known: Mapping[tuple[int, int], str]) -> str:
        """Name of the variable: that of ECMWF's parameter (table, number) where it is known, else `<number>.<table>`."""
        table, centre, number = self.product[3], self.product[4], self.product[8]
        return known.get((table, number), f"{number}.{table}") if centre == ECMWF else f"{number}.{table}.{centre}"

    @property
    def time(self) -> np.datetime64:
        """When it is valid; of an amount or a mean over hours the end."""
        p = self.product
        year = (p[24] - 1) * 100 + p[12]
        if not (1678 <= year <= 2261 and p[12] <= 100):
            raise Damaged(f"the year {p[12]} of century {p[24]}")
        start = np.datetime64(datetime(year, *p[13:17]), "s")
        steps = {0: p[18], 1: 0, 10: p[18] * 256 + p[19]}.get(p[20], p[19] if p[20] <= 5 else 0)
        if steps and p[17] not in _SECONDS:
            raise Unread(f"a forecast's time unit {p[17]}")
        valid: np.datetime64 = (start + np.timedelta64(steps * _SECONDS.get(p[17], 0), "s")).astype("datetime64[ns]")
        return valid

    @property
    def step_type(self) -> str:
        """`instant`, `accum`, `avg` and the like, as ecCodes calls them."""
        return STEP_TYPES.get(self.product[20], f"time range {self.product[20]}")

    @property
    def expver(self) -> str:
        """Version of the experiment from ECMWF's local section."""
        version = self.product[45:49] if self.product[4] == ECMWF and len(self.product) >= 49 else b"0001"
        if not version.isdigit():
            raise Unread(f"version (expver) {version!r}, ERA5 has numbers")
        return version.decode()

    @property
    def member(self) -> int:
        """Number within an ensemble from ECMWF's local section."""
        return self.product[49] if self.product[4] == ECMWF and len(self.product) >= 52 and self.product[40] == 1 else 0

    def field(self, file: BinaryIO) -> np.ndarray:
        """The field (rows, columns) in the order of the file, float32, missing as NaN."""
        rows, columns = self.grid[:2]
        present = None if self.bitmap is None else _bits(_take(file, *self.bitmap), rows * columns)
        count = rows * columns if present is None else int(present.sum())
        field = _unpack(_take(file, *self.data), count, _signed(self.product[26:28]))
        if present is not None:
            packed, field = field, np.full(present.size, np.nan, "float32")
            field[present] = packed
        return field.reshape(columns, rows).T if self.grid.by_columns else field.reshape(rows, columns)


def _bits(bitmap: bytes, points: int) -> np.ndarray:
    """Section 3: which points have a value (points), bool."""
    if _integer(bitmap[4:6]):
        raise Unread("a bitmap by catalogue number")
    if (len(bitmap) - 6) * 8 - bitmap[3] != points:
        raise Damaged("the bitmap has another size than the grid")
    return np.unpackbits(np.frombuffer(bitmap, "uint8", offset=6), count=points).view(bool)


def _unpack(data: bytes, count: int, decimal: int) -> np.ndarray:
    """Section 4: (R + X 2^E) / 10^D of simple packing, float32 (count)."""
    for flag, form in ((0x80, "spherical harmonics"), (0x40, "second-order packing"), (0x10, "a matrix at each point")):
        if data[3] & flag:
            raise Unread(f"{form}, only simple packing is read")
    scale, reference, bits = _signed(data[4:6]), _ibm(data[6:10]), data[10]
    if bits > 32:
        raise Unread(f"{bits} bits per value, at most 32 are read")
    if bits == 0 and not decimal:
        return np.full(count, reference, "float32")
    if bits == 0 and reference:  # by the format R / 10^D, but ecCodes writes and reads R
        raise Unread(f"a constant field with a decimal scale ({decimal}), which programs read differently")
    spare = len(data) - 11 - -(-count * bits // 8)
    if spare < 0:
        raise Damaged("fewer values than the grid has")
    if spare >= 16 and count:
        raise Damaged(f"more values than the grid has, by {spare} octets")
    try:
        factor, tens = 2.0**scale, 10.0**decimal
    except OverflowError:
        raise Damaged(f"a binary scale of {scale}, a decimal one of {decimal}") from None
    with np.errstate(all="ignore"):
        values = ((reference + _whole_numbers(data[11:], count, bits) * factor) / tens).astype("float32")
    if not np.isfinite(values).all():
        raise Damaged(f"values beyond all numbers: a binary scale of {scale}, a decimal one of {decimal}")
    return values


def _whole_numbers(packed: bytes, count: int, bits: int) -> np.ndarray:
    """Unsigned numbers of `bits` bits each, float64 (count)."""
    if bits in (8, 16, 32):
        return np.frombuffer(packed, f">u{bits // 8}", count).astype("float64")
    numbers = np.zeros((-(-count // 8), 8))
    octets = np.zeros((len(numbers), bits), "uint8")  # eight numbers fill as many octets as each has bits
    used = min(octets.size, len(packed))
    octets.reshape(-1)[:used] = np.frombuffer(packed, "uint8", used)
    for k in range(8 if bits else 0):
        first, last = k * bits // 8, -(-(k + 1) * bits // 8)
        number = octets[:, first].astype("uint64")
        for octet in range(first + 1, last):
            number = number << np.uint64(8) | octets[:, octet]
        numbers[:, k] = number >> np.uint64(8 * last - (k + 1) * bits) & np.uint64(2**bits - 1)
    return numbers.reshape(-1)[:count]


@lru_cache(64)
def _grid(area: bytes) -> Lattice:
    """Section 2."""
    if area[5] != 0:
        form = GRIDS.get(area[5], f"representation {area[5]}")
        raise Unread(f"{form}: fields must lie on regular latitudes and longitudes")
    columns, rows, mode = _integer(area[6:8]), _integer(area[8:10]), area[27]
    if 0xFFFF in (rows, columns):
        raise Unread("a reduced grid, whose rows differ in length")
    if mode & 0x1F:
        raise Unread(f"scanning mode {mode:08b}, of which only the first three bits are read")
    if not 0 < rows * columns <= MOST_POINTS:
        raise Unread(f"{rows} x {columns} points, 1 to {MOST_POINTS} are read")
    first, west, last, east = (_signed(area[k : k + 3]) for k in (10, 13, 17, 20))
    turn = -1 if mode & 0x80 else 1
    width = (turn * (east - west)) % 360_000 or (360_000 if columns > 1 else 0)
    height = (last - first) * (1 if mode & 0x40 else -1)
    if max(abs(first), abs(last)) > 90_000 or (rows > 1 and height <= 0):
        raise Damaged(f"latitudes from {first / 1000:g} to {last / 1000:g} with scanning mode {mode:08b}")
    for size, points, step in ((width, columns, _integer(area[23:25])), (height, rows, _integer(area[25:27]))):
        if area[16] & 0x80 and step not in (0, 0xFFFF) and points > 1 and abs(size - step * (points - 1)) > points:
            raise Damaged(f"{points} rows or columns every {step / 1000:g} degrees do not fill {size / 1000:g} degrees")
    spacing = turn * (width / 1000) / max(columns - 1, 1)
    return Lattice(rows, columns, first / 1000, last / 1000, west / 1000, spacing, bool(mode & 0x20))


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


def _take(file: BinaryIO, start: int, octets: int) -> bytes:
    """Octets of a file that it must have; nothing is set aside for what it has not."""
    left = os.fstat(file.fileno()).st_size - start
    if octets > left:
        raise Damaged(f"a message ends early, {octets - left} octets are missing")
    file.seek(start)
    return file.read(octets)


def _section(file: BinaryIO, start: int, least: int) -> bytes:
    octets = _integer(_take(file, start, 3))
    if octets < least:
        raise Damaged(f"a section of {octets} octets, it must have {least}")
    return _take(file, start, octets)


def open_grib(path: Path, *, where: object = None) -> list[xr.Dataset]:
    """The fields of a file, one dataset for each variable and grid: (time, lat, lon) with `expver` per time, values lazy.

    The time of a field is the one it is valid at: the end of the hours of an accumulation, as in the NetCDF files. Errors name
    `where`, by default the path. Raise `InputError` if the file is damaged, of another edition, on another kind of grid, or holds
    several members of an ensemble.
    """
    groups: dict[tuple[Lattice, str, str], list[Stored]] = defaultdict(list)
    where = where or path
    with _reading(where):
        most, points, names = completeness.most_bytes(path), 0, variables.grib_names()
        for m in _messages(path):
            groups[m.grid, m.name(names), m.step_type].append(Stored(m.offset, m.time, m.expver, m.member))
            points += m.grid.rows * m.grid.columns
            if 4 * points > most:
                raise Damaged(f"more than {points:,} points of constant fields, too many for {path.stat().st_size:,} octets")
        members = sorted({m.member for group in groups.values() for m in group})
        if len(members) > 1:
            raise Unread(f"members {members[0]} to {members[-1]} of an ensemble: one is read")
    return [
        xr.Dataset({name: _array(path, grid, group, where).assign_attrs(GRIB_stepType=kind)})
        for (grid, name, kind), group in groups.items()
    ]


@contextmanager
def _reading(where: object) -> Iterator[None]:
    """What goes wrong with a file comes out by its name; only a damaged one is to be fetched again."""
    again = "fetch it again, or order NetCDF"
    with border.reading(_ASKED, where=where, todo=again):
        try:
            yield
        except Unread as reason:
            todo = "order NetCDF, on regular latitudes and longitudes"
            raise InputError(_ASKED, where=where, found=f"{reason}", todo=todo) from reason
        except ValueError as reason:
            raise InputError(_ASKED, where=where, found=f"{reason}", todo=again) from reason


def _messages(path: Path) -> Iterator[Message]:
    with open(path, "rb") as file:
        end = 0
        while (message := _next(file, end)) is not None:
            yield message
            end = message.end


def _next(file: BinaryIO, start: int) -> Message | None:
    """The first message from octet `start` after padding with zeros, None at the end of the file."""
    file.seek(start)
    while (block := file.read(_BLOCK)) and not block.strip(b"\0"):
        start += len(block)
    if not block:
        return None
    start += len(block) - len(block.lstrip(b"\0"))
    file.seek(start)
    if (mark := file.read(4)) != b"GRIB"[: len(mark)]:
        raise Damaged(f"{mark!r} at octet {start} instead of a message")
    head = _take(file, start, 8)
    if head[7] != 1:
        raise (Unread if head[7] in (0, 2, 3) else Damaged)(f"GRIB edition {head[7]}, only edition 1 is read")
    product = _section(file, start + 8, 28)
    if not product[7] & 0x80:
        raise Unread("a grid by catalogue number")
    area = _section(file, start + 8 + len(product), 32)
    data = start + 8 + len(product) + len(area)
    bitmap = None
    if product[7] & 0x40:
        bitmap = (data, max(_integer(_take(file, data, 3)), 6))
        data += bitmap[1]
    size, octets = _integer(head[4:7]), _integer(_take(file, data, 3))
    if size & 0x800000 and octets < 120:  # ECMWF: above 8 MB the length counts 120 octets, section 4 says how many are too many
        size = (size & 0x7FFFFF) * 120 - octets + 4
        octets = start + size - 4 - data
    end = start + size
    if octets < 11 or not 0 <= end - 4 - data - octets < 120:
        raise Damaged(f"the sections of the message at octet {start} do not fit its {size} octets")
    if _take(file, end - 4, 4) != b"7777":
        raise Damaged(f"the message at octet {start} does not end with 7777")
    return Message(start, end, product, _grid(area), bitmap, (data, octets))


def _array(path: Path, grid: Lattice, fields: list[Stored], where: object) -> xr.DataArray:
    step = max(1, min(AT_ONCE, POINTS_AT_ONCE // (grid.rows * grid.columns)))
    parts = [tuple(f.offset for f in fields[k : k + step]) for k in range(0, len(fields), step)]
    shape = (grid.rows, grid.columns)
    values = [lazy.read_later(_read, path, part, grid, where, shape=(len(part), *shape), dtype="float32") for part in parts]
    lon = np.round(grid.west + np.arange(grid.columns) * grid.spacing, 6)
    coords = {
        "time": np.array([f.time for f in fields]),
        "lat": np.round(np.linspace(grid.first, grid.last, grid.rows), 6),
        "lon": np.where(lon >= 360, lon - 360, lon),
        "expver": ("time", [f.expver for f in fields]),
    }
    return xr.DataArray(da.concatenate(values), dims=("time", "lat", "lon"), coords=coords)


def _read(path: Path, offsets: tuple[int, ...], grid: Lattice, where: object) -> np.ndarray:
    """Values of messages (time, rows, columns)."""
    with _reading(where), open(path, "rb") as file:
        values = np.empty((len(offsets), grid.rows, grid.columns), "float32")
        for k, offset in enumerate(offsets):
            message = _next(file, offset)
            if message is None or message.grid != grid:
                raise Damaged("the file has changed since it was opened")
            values[k] = message.field(file)
        return values

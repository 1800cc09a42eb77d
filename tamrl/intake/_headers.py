"""Check the sizes that files of gridded data declare: classic NetCDF, HDF5, HDF4, GRIB 1 and 2. Rules raise `DamageError`."""

from dataclasses import dataclass
from math import prod

from tamrl.intake._bytes import BoundedFile, DamageError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes of a value by its type in classic NetCDF: byte, char, short, int, float, double, and those of CDF-5."""

_DIMENSION, _VARIABLE, _ATTRIBUTE = 10, 11, 12


@dataclass
class _Cursor:
    """Reads the header of a classic NetCDF file from front to back; counts are 4 bytes, 8 in CDF-5."""

    file: BoundedFile
    at: int
    wide: bool

    def count(self) -> int:
        """Read a number of elements, of 4 or 8 bytes."""
        return self._number(8 if self.wide else 4)

    def tag(self) -> int:
        """Read the tag of a list or type of data."""
        return self._number(4)

    def offset(self, version: int) -> int:
        """Read a position in the file, whose length depends on the version of the format."""
        return self._number(4 if version == 1 else 8)

    def _number(self, length: int) -> int:
        self.at += length
        return int.from_bytes(self.file.at(self.at - length, length), "big")

    def skip(self, length: int) -> None:
        """Pass over a name or values, padded to 4 bytes."""
        self.at += length + -length % 4
        self.file.need(self.at, "its header")

    def entries(self, tag: int) -> range:
        """Read the tag of a list; return the range of its entries."""
        kind, count = self.tag(), self.count()
        if kind not in (tag, 0) or (kind == 0 and count):
            raise DamageError(f"byte {self.at} of its header: list {kind} instead of {tag}")
        self.file.need(self.at + count * 4, "its header")
        return range(count)

    def attributes(self) -> None:
        """Pass over a list of attributes."""
        for _ in self.entries(_ATTRIBUTE):
            self.skip(self.count())
            size = _type_size(self.tag())
            self.skip(size * self.count())


def _type_size(number: int) -> int:
    if number not in _SIZES:
        raise DamageError(f"its header names a data type {number}")
    return _SIZES[number]


def check_classic(file: BoundedFile) -> None:
    """Check CDF-1, CDF-2 and CDF-5: each variable has the values of its shape from its offset on; records follow each other.

    NetCDF User Guide, appendix "File Format Specifications". Padding after the last values may be missing, and a single
    record variable is not padded.
    """
    version = file.at(0, 4)[3]
    header = _Cursor(file, 4, version == 5)
    records = header.count()
    streaming = records == (1 << (64 if header.wide else 32)) - 1
    lengths = []
    for _ in header.entries(_DIMENSION):
        header.skip(header.count())
        lengths.append(header.count())
    header.attributes()
    fixed: list[tuple[int, int]] = []
    recorded: list[tuple[int, int]] = []
    for _ in header.entries(_VARIABLE):
        begin, size, is_record = _variable(header, lengths, version)
        (recorded if is_record else fixed).append((begin, size))
    if any(begin < header.at for begin, _ in fixed + recorded):
        raise DamageError("its header says that values lie within the header")
    for begin, size in fixed:
        file.need(begin + size)
    if recorded:
        _records(file, recorded, None if streaming else records)


def _variable(header: _Cursor, lengths: list[int], version: int) -> tuple[int, int, bool]:
    """Return offset and size (B) of a variable, or of one of its records, and whether it has records."""
    header.skip(header.count())
    count = header.count()
    header.file.need(header.at + 4 * count, "its header")
    dims = [header.count() for _ in range(count)]
    if any(d >= len(lengths) for d in dims):
        raise DamageError("its header names a dimension that it does not define")
    header.attributes()
    size = _type_size(header.tag())
    header.count()  # vsize: redundant, and not valid for large variables
    is_record = bool(dims) and lengths[dims[0]] == 0
    return header.offset(version), size * prod(lengths[d] for d in dims[is_record:]), is_record


def _records(file: BoundedFile, variables: list[tuple[int, int]], records: int | None) -> None:
    stride = variables[0][1] if len(variables) == 1 else sum(size + -size % 4 for _, size in variables)
    if records is None:  # written as a stream: the records extend to the end of the file
        start = min(begin for begin, _ in variables)
        file.need(start, "its header")
        rest = (file.size - start) % stride if stride else 0
        end = max(begin - start + size for begin, size in variables)  # the padding of the last record may be missing
        if rest and rest < end:
            raise DamageError(f"its last record has {rest} of {stride} bytes")
    elif records:
        file.need(max(begin + (records - 1) * stride + size for begin, size in variables))


_HDF5 = b"\x89HDF\r\n\x1a\n"


def find_superblock(file: BoundedFile) -> int | None:
    """Return the position of the superblock of an HDF5 file (0, 512, 1024, 2048 ...); None if there is none."""
    start = 0
    while start + len(_HDF5) <= file.size:
        if file.at(start, len(_HDF5)) == _HDF5:
            return start
        start = max(2 * start, 512)
    return None


def check_hdf5(file: BoundedFile) -> None:
    """Check the end of the file by the superblock (versions 0 to 3; HDF5 File Format Specification 3.0, II.A)."""
    start = find_superblock(file)
    if start is None:
        raise DamageError(f"its first bytes are not those of HDF5: {file.at(0, min(8, file.size))!r}")
    version = file.at(start + 8, 1, "its superblock")[0]
    if version > 3:
        raise DamageError(f"its superblock has version {version}")
    place = 13 if version < 2 else 9
    width = file.at(start + place, 1, "its superblock")[0]
    if width not in (2, 4, 8, 16, 32):
        raise DamageError(f"addresses of {width} bytes in its superblock")
    first = start + {0: 24, 1: 28}.get(version, 12)
    base, _, end = (int.from_bytes(file.at(first + k * width, width, "its superblock"), "little") for k in range(3))
    file.need(end - (base - start))


def check_hdf4(file: BoundedFile) -> None:
    """Check offset and length of each data descriptor (HDF Specification and Developer's Guide 4.2, chapter 2)."""
    block, seen = 4, set()
    while block:
        if block in seen:
            raise DamageError("its lists of data descriptors form a circle")
        seen.add(block)
        count, following = file.numbers(">HI", block, "a list of data descriptors")
        file.step(count)
        entries = file.at(block + 6, 12 * count, "a list of data descriptors")
        for k in range(0, len(entries), 12):
            tag = int.from_bytes(entries[k : k + 2], "big")
            offset, length = (int.from_bytes(entries[k + j : k + j + 4], "big") for j in (4, 8))
            if tag > 1 and 0xFFFFFFFF not in (offset, length):
                file.need(offset + length, f"element {tag & 0xBFFF}")
        block = following


_PAD = 1 << 16


def check_grib(file: BoundedFile) -> None:
    """Check length, sections and the final 7777 of each message; only zeros may lie between messages.

    WMO-No. 306, FM 92 GRIB editions 1 and 2. In messages of edition 1 above 8 MB (ECMWF), the highest bit of the length means
    units of 120 bytes, and the length of section 4 (below 120) is their excess over the message.
    """
    number, start = 1, _next_message(file, 0)
    while start is not None:
        what = f"message {number} at byte {start}"
        edition = file.at(start, 8, what)[7]
        if edition not in (1, 2):
            raise DamageError(f"{what} has edition {edition}")
        end = _end_of_first(file, start, what) if edition == 1 else _end_of_second(file, start, what)
        if file.at(end - 4, 4, what) != b"7777":
            raise DamageError(f"{what} does not end with 7777")
        number, start = number + 1, _next_message(file, end)


def _next_message(file: BoundedFile, start: int) -> int | None:
    """Where the next message begins; None at the end of the file."""
    while start < file.size:
        block = file.at(start, min(_PAD, file.size - start))
        rest = block.lstrip(b"\x00")
        start += len(block) - len(rest)
        if rest:
            if file.at(start, min(4, file.size - start)) != b"GRIB":
                raise DamageError(f"byte {start} begins no message")
            return start
    return None


def _end_of_first(file: BoundedFile, start: int, what: str) -> int:
    length = int.from_bytes(file.at(start + 4, 3, what), "big")
    at, sections = start + 8, [1]
    flags = file.at(at + 7, 1, what)[0]
    sections += [2] if flags & 0x80 else []
    sections += [3] if flags & 0x40 else []
    for _ in sections:
        at += int.from_bytes(file.at(at, 3, what), "big")
    values = int.from_bytes(file.at(at, 3, what), "big")
    if length & 0x800000 and values < 120:
        length = (length & 0x7FFFFF) * 120 - values + 4
    elif at + values + 4 > start + length:
        raise DamageError(f"{what}: its sections exceed its {length} bytes")
    if start + length - 4 < at:
        raise DamageError(f"{what}: its sections exceed its {length} bytes")
    file.need(start + length, what)
    return start + length


def _end_of_second(file: BoundedFile, start: int, what: str) -> int:
    end = start + int.from_bytes(file.at(start + 8, 8, what), "big")
    file.need(end, what)
    at = start + 16
    while at < end - 4:
        length = int.from_bytes(file.at(at, 4, what), "big")
        if length < 5:
            raise DamageError(f"{what} has a section of {length} bytes")
        at += length
    if at != end - 4:
        raise DamageError(f"{what}: its sections do not fill its {end - start} bytes")
    return end

"""Check the sizes that gridded files declare: classic NetCDF, HDF5, HDF4, TIFF and BigTIFF. Rules raise `DamageError`."""

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
        return self.number(8 if self.wide else 4)

    def number(self, length: int = 4) -> int:
        """Read a number of so many bytes."""
        self.at += length
        return int.from_bytes(self.file.at(self.at - length, length), "big")

    def skip(self, length: int) -> None:
        """Pass over a name or values, padded to 4 bytes."""
        self.at += length + -length % 4
        self.file.need(self.at, "its header")

    def entries(self, tag: int) -> range:
        """Read the tag of a list; return the range of its entries."""
        kind, count = self.number(), self.count()
        if kind not in (tag, 0) or (kind == 0 and count):
            raise DamageError(f"byte {self.at} of its header: list {kind} instead of {tag}")
        self.file.need(self.at + count * 4, "its header")
        return range(count)

    def attributes(self) -> None:
        """Pass over a list of attributes."""
        for _ in self.entries(_ATTRIBUTE):
            self.skip(self.count())
            size = _type_size(self.number())
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
    size = _type_size(header.number())
    header.count()  # vsize: redundant, and not valid for large variables
    is_record = bool(dims) and lengths[dims[0]] == 0
    return header.number(4 if version == 1 else 8), size * prod(lengths[d] for d in dims[is_record:]), is_record


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


_TAG_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FORMS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_OFFSETS, _COUNTS, _INNER = (273, 324), (279, 325), 330


def check_tiff(file: BoundedFile) -> None:
    """Check all image directories, and offset and length of each strip or tile (TIFF 6.0; BigTIFF of libtiff)."""
    order = "<" if file.at(0, 1) == b"I" else ">"
    big = file.at(0, 4).strip(b"IM\x00") == b"+"
    following = [file.numbers(order + ("Q" if big else "I"), 8 if big else 4)[0]]
    seen = set()
    if not following[0]:
        raise DamageError("it has no image")
    while following:
        at = following.pop()
        if at and at not in seen:
            seen.add(at)
            following += _image(file, at, order, big)


def _image(file: BoundedFile, at: int, order: str, big: bool) -> list[int]:
    """Check an image directory; return the positions of the next and the inner ones."""
    what = f"the image directory at byte {at}"
    count = file.numbers(order + ("Q" if big else "H"), at, what)[0]
    at, width = at + (8 if big else 2), (20 if big else 12)
    file.need(at + count * width, what)
    tags = {}
    for k in range(count):
        tag, kind = file.numbers(order + "HH", at + k * width, what)
        number = file.numbers(order + ("Q" if big else "I"), at + k * width + 4, what)[0]
        place, room = at + k * width + (12 if big else 8), (8 if big else 4)
        size = _TAG_SIZES.get(kind, 1) * number
        if size > room:
            place = file.numbers(order + ("Q" if big else "I"), place, what)[0]
        file.need(place + size, f"tag {tag}")
        if tag in (*_OFFSETS, *_COUNTS, _INNER) and kind in _FORMS:
            file.step(number)
            tags[tag] = file.numbers(f"{order}{number}{_FORMS[kind]}", place, f"tag {tag}")
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        parts = tags.get(offsets, ())
        file.need(max(map(sum, zip(parts, tags.get(counts, (0,) * len(parts)), strict=False)), default=0), "its pixels")
    return [*tags.get(_INNER, ()), file.numbers(order + ("Q" if big else "I"), at + count * width, what)[0]]

"""Check the sizes that containers declare: zip, TIFF and BigTIFF, Parquet, gzip. Each rule raises `DamageError`."""

import struct
import zlib

from tamrl.intake._bytes import BoundedFile, DamageError

_END, _END64, _LOCATOR, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02", b"PK\x03\x04"
_COMMENT = 1 << 16
_WIDE = 0xFFFFFFFF


def check_zip(file: BoundedFile) -> None:
    """Check the directory at the end of a zip and each member that it lists (PKWARE APPNOTE 6.3.10, with Zip64)."""
    end, size, offset = _directory(file)
    if offset + size != end:
        raise DamageError(f"its directory should lie at byte {offset} with {size} bytes, but ends at byte {end}")
    at = offset
    while at < end:
        at = _member(file, at, start=offset)
    if at != end:
        raise DamageError("its directory breaks off")


def _directory(file: BoundedFile) -> tuple[int, int, int]:
    """Return end, size and offset of the directory."""
    first = max(file.size - _COMMENT - 22, 0)
    tail = file.at(first, file.size - first)
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        raise DamageError("it has no directory at its end")
    size, offset, comment = struct.unpack("<IIH", tail[at + 12 : at + 22])
    file.need(first + at + 22 + comment, "its comment")
    end = first + at
    if end >= 20 and file.at(end - 20, 4) == _LOCATOR:
        end = file.numbers("<Q", end - 12, "its directory")[0]
        if file.at(end, 4, "its directory") != _END64:
            raise DamageError("the end of its directory (Zip64) is not where it should be")
        size, offset = file.numbers("<QQ", end + 40, "its directory")
    return end, size, offset


def _member(file: BoundedFile, at: int, *, start: int) -> int:
    """Check a member, which must end before `start` of the directory; return the position of the next entry."""
    entry = file.at(at, 46, "its directory")
    if entry[:4] != _ENTRY:
        raise DamageError(f"byte {at} of its directory begins no entry")
    packed, full, name, extra, comment = struct.unpack("<IIHHH", entry[20:34])
    offset = int.from_bytes(entry[42:46], "little")
    if _WIDE in (packed, offset):
        packed, offset = _wide(file.at(at + 46 + name, extra, "its directory"), packed, full, offset)
    local = file.at(offset, 30, "a member")
    if local[:4] != _LOCAL:
        raise DamageError(f"byte {offset} begins no member")
    end = offset + 30 + sum(struct.unpack("<HH", local[26:30])) + packed
    if end > start:
        raise DamageError(f"a member needs at least {end} bytes, its directory begins at byte {start}")
    return at + 46 + int(name + extra + comment)


def _wide(extra: bytes, packed: int, full: int, offset: int) -> tuple[int, int]:
    """Read size and offset from the Zip64 field, which holds those that are 0xFFFFFFFF in the entry, in this order."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1:
            values = [int.from_bytes(extra[k : k + 8], "little") for k in range(4, 4 + length - 7, 8)]
            values = values[1:] if full == _WIDE else values
            packed = values.pop(0) if packed == _WIDE and values else packed
            return packed, values[0] if offset == _WIDE and values else offset
        extra = extra[4 + length :]
    return packed, offset


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


def check_parquet(file: BoundedFile) -> None:
    """Check the footer at the end, its length and the mark of the format (Apache Parquet format 2.10)."""
    if file.size < 12 or (end := file.at(file.size - 8, 8))[4:] not in (b"PAR1", b"PARE"):
        raise DamageError("it has no footer at its end")
    footer = int.from_bytes(end[:4], "little")
    if footer + 12 > file.size:
        raise DamageError(f"its footer needs {footer} bytes, the file has {file.size}")


_BLOCK = 1 << 20
_GROWTH = 200
"""Largest ratio of the unpacked to the packed size."""


def check_gzip(file: BoundedFile) -> None:
    """Unpack each stream to its end and compare its checksum (RFC 1952); this format declares no size."""
    at, out, packed, stream = 0, 0, b"", zlib.decompressobj(wbits=31)
    while True:
        if not packed:
            packed = file.at(at, min(_BLOCK, file.size - at))
            at += len(packed)
        if not packed:
            raise DamageError("its stream breaks off")
        try:
            out += len(stream.decompress(packed, _BLOCK))
        except zlib.error as reason:
            raise DamageError(str(reason)) from None
        if out > _GROWTH * max(file.size, _BLOCK):
            raise DamageError(f"it unpacks to more than {_GROWTH} times its size")
        packed = stream.unconsumed_tail
        if stream.eof:
            packed = (stream.unused_data or b"").lstrip(b"\x00")
            if not packed and at >= file.size:
                return
            stream = zlib.decompressobj(wbits=31)

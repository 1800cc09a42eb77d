"""Seeded mutations of a file: bits, cuts, blocks, extreme numbers; more often near its start, where formats keep their sizes."""

import random
import re
from collections.abc import Callable

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**62, 2**63 - 1, 2**64 - 1)
NUMBERS = (
    b"-1",
    b"1e308",
    b"99999999999999999999",
    b"nan",
    b"inf",
    b"0",
    b"1e-320",
    b"",
    b"{x}",
    b"null",
    b"true",
    b'"x"',
    b"[]",
)
MOST = 1 << 22
"""Files are not grown beyond this size by repeating blocks (B)."""


def _place(rng: random.Random, size: int) -> int:
    """A position in the file; every second one in its first or last 512 bytes."""
    where = rng.random()
    if where < 0.35:
        return rng.randrange(min(size, 512))
    return size - 1 - rng.randrange(min(size, 512)) if where < 0.5 else rng.randrange(size)


def _bit(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[_place(rng, len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray) -> None:
    data[_place(rng, len(data))] = rng.randrange(256)


def _extreme(rng: random.Random, data: bytearray) -> None:
    width = rng.choice((1, 2, 4, 8))
    at = _place(rng, len(data))
    number = rng.choice(EXTREMES) & ((1 << 8 * width) - 1)
    data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.choice((0, rng.randrange(len(data)), len(data) - 1 - rng.randrange(min(len(data), 64)))) :]


def _block(rng: random.Random, data: bytearray) -> None:
    at, length = _place(rng, len(data)), rng.choice((1, 4, 16, 256, 4096))
    part = bytes(data[at : at + length])
    match rng.choice(("delete", "zero", "repeat", "move", "noise")):
        case "delete":
            del data[at : at + length]
        case "zero":
            data[at : at + length] = bytes(len(part))
        case "repeat":
            times = rng.choice((1, 10, 1000))
            data[at:at] = part * max(1, min(times, (MOST - len(data)) // max(1, len(part))))
        case "move":
            to = rng.randrange(len(data))
            data[to : to + len(part)] = part
        case "noise":
            data[at:at] = rng.randbytes(length)


def _number(rng: random.Random, data: bytearray) -> None:
    """Another number or word in place of one that is written in text."""
    start = _place(rng, len(data))
    found = re.search(rb"-?\d+(\.\d+)?", bytes(data[start : start + 4096]))
    if found:
        data[start + found.start() : start + found.end()] = rng.choice(NUMBERS)
    else:
        _bit(rng, data)


def _append(rng: random.Random, data: bytearray) -> None:
    data += rng.choice((b"\0" * 512, b"\n", b"<html>", b'"', bytes(data[:4096]), rng.randbytes(64)))


WAYS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _bit,
    _bit,
    _byte,
    _extreme,
    _extreme,
    _cut,
    _block,
    _block,
    _number,
    _append,
)


def mutated(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The content with one to three mutations, and their names; never the content itself."""
    names = []
    data = bytearray(content) or bytearray(b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        way = rng.choice(WAYS)
        way(rng, data)
        names.append(way.__name__[1:])
        data = data or bytearray()
        if not data:
            break
    if bytes(data) == content:
        data.append(rng.randrange(256))
        names.append("append")
    return bytes(data), " + ".join(names)

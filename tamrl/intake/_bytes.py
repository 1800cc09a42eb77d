"""Read parts of a binary file by offset, never beyond its end, and at most a bounded number of bytes and entries."""

import struct
from typing import BinaryIO

MOST = 1 << 26
"""Largest part that is read at once (B); headers and directories are far smaller."""

STEPS = 4_000_000
"""Largest number of entries of headers and directories that are followed; large files may have one per 16 bytes."""


class DamageError(ValueError):
    """The file contradicts its format; the message says how."""


class BoundedFile:
    """An open file of known size, read by offset.

    Each part is first compared with the size, so that no number in a damaged header makes the process allocate too much memory or
    loop forever.
    """

    def __init__(self, handle: BinaryIO, size: int):
        self.size, self._handle, self._steps = size, handle, 0

    def need(self, end: int, what: str = "it") -> None:
        """Refuse a file that ends before byte `end`, which `what` declares."""
        if end > self.size:
            raise DamageError(f"{what} needs at least {end} bytes, the file has {self.size}")

    def at(self, start: int, length: int, what: str = "its header") -> bytes:
        """Read `length` bytes from `start`."""
        if start < 0 or length < 0:
            raise DamageError(f"{what} lies at byte {start} with {length} bytes")
        self.need(start + length, what)
        if length > MOST:
            raise DamageError(f"{what} declares {length} bytes")
        self.step()
        self._handle.seek(start)
        content = self._handle.read(length)
        if len(content) < length:
            raise DamageError(f"the file ends at byte {start + len(content)}, its size is given as {self.size}")
        return content

    def numbers(self, form: str, start: int, what: str = "its header") -> tuple[int, ...]:
        """Read numbers from `start` in the `struct` format `form`."""
        return struct.unpack(form, self.at(start, struct.calcsize(form), what))

    def step(self, count: int = 1) -> None:
        """Count the entries that were followed; refuse a file with too many."""
        self._steps += count
        if self._steps > max(STEPS, self.size // 16):
            raise DamageError(f"its header or directory has more than {self._steps - 1} entries")

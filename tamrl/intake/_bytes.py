"""Parts of a binary file by offset: never beyond its end, never more than a bounded number of bytes or steps."""

import struct
from typing import BinaryIO

MOST = 1 << 26
"""Bytes of one part that are read at once, at most; headers and directories are far smaller."""

STEPS = 4_000_000
"""Entries of headers and directories that are followed, at most; in large files one for 16 bytes."""


class DamageError(ValueError):
    """The file is not what its format says; the text says why."""


class BoundedFile:
    """An open file of known size, read by offset.

    Every part asked for is compared with the size first, so that no number in a damaged header makes the process allocate memory
    or go round without end.
    """

    def __init__(self, handle: BinaryIO, size: int):
        self.size, self._handle, self._steps = size, handle, 0

    def need(self, end: int, what: str = "it") -> None:
        """Refuse a file that ends before byte `end`, which `what` declares."""
        if end > self.size:
            raise DamageError(f"{what} needs at least {end} bytes, the file has {self.size}")

    def at(self, start: int, length: int, what: str = "its header") -> bytes:
        """`length` bytes from `start`."""
        if start < 0 or length < 0:
            raise DamageError(f"{what} lies at byte {start} with {length} bytes")
        self.need(start + length, what)
        if length > MOST:
            raise DamageError(f"{what} is said to have {length} bytes")
        self.step()
        self._handle.seek(start)
        content = self._handle.read(length)
        if len(content) < length:
            raise DamageError(f"the file ends at byte {start + len(content)}, its size is given as {self.size}")
        return content

    def numbers(self, form: str, start: int, what: str = "its header") -> tuple[int, ...]:
        """Numbers from `start`, packed as `form` of `struct`."""
        return struct.unpack(form, self.at(start, struct.calcsize(form), what))

    def step(self, count: int = 1) -> None:
        """Count entries followed; refuse a file with too many."""
        self._steps += count
        if self._steps > max(STEPS, self.size // 16):
            raise DamageError(f"its header or directory has more than {self._steps - 1} entries")

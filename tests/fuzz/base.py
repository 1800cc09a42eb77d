"""What a fuzz target is, and how what it did with a mutated file is told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Outcome = Literal["same", "refused", "other", "silent", "unnamed", "hang", "dead"]
BAD: tuple[Outcome, ...] = ("silent", "unnamed", "hang", "dead")
"""Outcomes that are faults of the project."""


@dataclass(frozen=True)
class Target:
    """One kind of file that the project reads.

    Parameters
    ----------
    name : str
        Kind of file, as the table shows it.
    make : callable
        Writes a valid sample into an empty folder and returns the file, or the folder of files, that is to be mutated.
    read : callable
        Reads the sample as the project does and returns all values read as something that compares, such as a digest.
    guarded : bool
        Whether a checksum covers every byte (a seal, the CRC of a zip): other values that are read without a word are a fault.
        What nothing guards, such as a digit in a table of text, cannot be told from another number: it counts as `other`.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    guarded: bool = False

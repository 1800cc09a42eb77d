"""Readers with a fault each, by which the runner is tested."""

import os
import time
from pathlib import Path

from tests.fuzz.base import BAD, Target

CONTENT = b"0123456789"


def _make(folder: Path) -> Path:
    file = folder / "sample.bin"
    file.write_bytes(CONTENT)
    return file


def _reader(fault: str):
    def read(path: Path) -> str:
        if path.read_bytes() == CONTENT:
            return "valid"
        match fault:
            case "silent":
                return "other values"
            case "unnamed":
                raise ValueError("something is wrong")
            case "hang":
                time.sleep(600)
        os.abort()

    return read


TARGETS = tuple(Target(fault, _make, _reader(fault), guarded=True) for fault in BAD)

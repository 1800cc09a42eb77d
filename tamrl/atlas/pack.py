"""Numbers as text: rounded to a quantum, differenced, deflated, base64; `site/pack.ts` reads it back.

Differences in time and then along the cells leave small numbers wherever a field is smooth; high and low bytes stand apart,
as in the shuffle filter of HDF5, because the high ones are then almost all zero.
"""

import base64
import zlib

import numpy as np

from tamrl.errors import ContractError

FILL = -32768
"""Stands for missing."""

LIMIT = 32767


def quantise(values: np.ndarray, quantum: float, *, name: str) -> np.ndarray:
    """Return the multiples of `quantum` nearest to `values`, int16; missing values become `FILL`.

    Raises `ContractError` if a value is too large for 16 bits.
    """
    steps = np.rint(np.asarray(values, dtype="f8") / quantum)
    if (np.abs(steps[np.isfinite(steps)]) > LIMIT).any() or np.isinf(steps).any():
        largest = float(np.nanmax(np.abs(values)))
        raise ContractError(f"{name} is too large for a quantum of {quantum:g}", found=largest, todo="raise atlas.quantum")
    return np.where(np.isnan(steps), FILL, steps).astype("i2")


def pack(numbers: np.ndarray) -> str:
    """Return int16 numbers (step, cell) as text."""
    different = numbers.astype("u2")  # differences wrap around, so that any two numbers have one
    different[1:] -= numbers[:-1].astype("u2")
    along = different.copy()
    along[:, 1:] -= different[:, :-1]
    zigzag = (along << 1) ^ np.where(along & 0x8000, 0xFFFF, 0).astype("u2")  # small negative numbers become small ones
    planes = np.stack([zigzag >> 8, zigzag & 0xFF]).astype("u1")
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def pack_bits(flags: np.ndarray) -> str:
    """Return booleans as text, eight per byte, the first in the highest bit."""
    return base64.b64encode(zlib.compress(np.packbits(flags).tobytes(), 9)).decode()


def unpack(text: str, steps: int) -> np.ndarray:
    """Return the numbers of a text that `pack` made, int16 (step, cell)."""
    high, low = np.frombuffer(zlib.decompress(base64.b64decode(text)), "u1").reshape(2, steps, -1).astype("u2")
    zigzag = (high << 8) | low
    along = (zigzag >> 1) ^ np.where(zigzag & 1, 0xFFFF, 0).astype("u2")
    return np.cumsum(np.cumsum(along, axis=1, dtype="u2"), axis=0, dtype="u2").astype("i2")

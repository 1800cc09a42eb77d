"""Rounding to significant bits before compression: noise in the last bits fills most of a file and holds no information.

Round to nearest, ties to even, of the fraction of a float32 (Klöwer et al. 2021, doi 10.1038/s43588-021-00156-2; Zender 2016,
doi 10.5194/gmd-9-3199-2016, for why the mean is not shifted). The relative error is at most 2^-(bits + 1).
"""

import numpy as np

FRACTION = 23
"""Bits of the fraction of a float32."""

BLOCK = 2**15
"""Values that are rounded at once, few enough for a processor's cache."""


def significant(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Round to float32 (any shape) with `bits` bits of the fraction, or all bits if `bits` is None; NaN stays NaN."""
    exact = np.ascontiguousarray(values, dtype=np.float32)
    if bits is None or bits >= FRACTION:
        return exact
    rounded = exact.copy()
    flat, integers = rounded.reshape(-1), rounded.reshape(-1).view(np.uint32)
    for start in range(0, flat.size, BLOCK):
        part = slice(start, start + BLOCK)
        np.copyto(flat[part], _nearest(integers[part], FRACTION - bits).view(np.float32), where=np.isfinite(flat[part]))
    return rounded


def _nearest(integers: np.ndarray, dropped: int) -> np.ndarray:
    """Round bits of float32 (N) to nearest, without the last `dropped`."""
    nearest = integers >> np.uint32(dropped)
    nearest &= np.uint32(1)
    nearest += np.uint32(2 ** (dropped - 1) - 1)
    nearest += integers
    nearest &= np.uint32(2**32 - 2**dropped)
    return nearest


def stated(bits: int | None) -> str:
    """Return the rounding of values for a comment; empty without rounding."""
    if bits is None or bits >= FRACTION:
        return ""
    return f" Rounded to {bits} significant bits of the fraction: relative error at most {2.0 ** -(bits + 1):.1e}."

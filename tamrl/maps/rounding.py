"""Rounding to significant bits before compression: noise in the last bits is most of a file's size, and no information.

Round to nearest, ties to even, of the fraction of a float32 (Klöwer et al. 2021, doi 10.1038/s43588-021-00156-2; Zender 2016,
doi 10.5194/gmd-9-3199-2016, for why the mean is not shifted). The relative error is at most 2^-(bits + 1).
"""

import numpy as np

FRACTION = 23
"""Bits of the fraction of a float32."""


def significant(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Float32 values (any shape) with `bits` bits of their fraction kept; all of them where `bits` is None. NaN stays NaN."""
    exact = np.ascontiguousarray(values, dtype=np.float32)
    if bits is None or bits >= FRACTION:
        return exact
    dropped = FRACTION - bits
    whole = exact.view(np.uint32)
    nearest = whole + (np.uint32(2 ** (dropped - 1) - 1) + ((whole >> np.uint32(dropped)) & np.uint32(1)))
    rounded = (nearest & np.uint32(2**32 - 2**dropped)).view(np.float32)
    return np.where(np.isfinite(exact), rounded, exact)


def stated(bits: int | None) -> str:
    """What a reader must know of it, for a comment; empty where nothing was rounded."""
    if bits is None or bits >= FRACTION:
        return ""
    return f" Rounded to {bits} significant bits of the fraction: relative error at most {2.0 ** -(bits + 1):.1e}."

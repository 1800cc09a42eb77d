"""Memory of a process that trains."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in `malloc.h` of the GNU C library."""

LARGEST = 2**30
"""Bytes of the largest tensor whose memory is kept."""


def keep_freed_memory() -> bool:
    """Let this process keep memory that it frees for its next tensors, and return whether its C library can do so.

    By default the GNU C library gives memory of large tensors back to the system, which must clear each page again when the next
    step asks for it: up to a third of the time of a training. No number depends on it.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # other C libraries have no such function
        return False
    return all([adjust(M_MMAP_THRESHOLD, LARGEST), adjust(M_TRIM_THRESHOLD, 2**31 - 1)])

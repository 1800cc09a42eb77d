"""Arrays that are read when they are computed."""

from collections.abc import Callable

import dask.array as da
import numpy as np
from dask.delayed import delayed


def read_later(read: Callable[..., np.ndarray], *arguments: object, shape: tuple[int, ...], dtype: str) -> da.Array:
    """The array of `shape` that `read(*arguments)` gives."""
    array: da.Array = da.from_delayed(delayed(read)(*arguments), shape, dtype=dtype)
    return array

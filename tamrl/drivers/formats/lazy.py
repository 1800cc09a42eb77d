"""Arrays that are read when they are computed, with types where those of Dask are not stated."""

from collections.abc import Callable, Sequence

import dask.array as da
import numpy as np
from dask.delayed import delayed


def read_later(read: Callable[..., np.ndarray], *arguments: object, shape: tuple[int, ...], dtype: str) -> da.Array:
    """The array of `shape` that `read(*arguments)` gives."""
    array: da.Array = da.from_delayed(delayed(read)(*arguments), shape, dtype=dtype)
    return array


def missing_map(shape: tuple[int, ...]) -> da.Array:
    """A map of missing values, float32."""
    array: da.Array = da.full(shape, np.nan, dtype="float32", chunks=-1)
    return array


def join_rows(parts: Sequence[da.Array]) -> da.Array:
    """Arrays one after the other along their first dimension."""
    array: da.Array = da.concatenate(parts)
    return array


def stack_maps(parts: Sequence[da.Array]) -> da.Array:
    """Maps of one shape along a new first dimension."""
    array: da.Array = da.stack(parts)
    return array

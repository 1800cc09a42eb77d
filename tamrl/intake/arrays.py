"""Decode variables of foreign datasets lazily by `stored`; errors of reading name the variable."""

from collections.abc import Hashable, Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from tamrl.errors import InputError
from tamrl.intake import border, completeness, stored


class _Lazy:
    """A variable of an open dataset, decoded part by part when it is read."""

    def __init__(self, variable: xr.Variable, *, where: str, defaults_to_zero: bool):
        attrs = dict(variable.attrs)
        if defaults_to_zero and not np.any(attrs.get("_FillValue", 1)):
            attrs.pop("_FillValue")
        self._variable, self._where, self._error = variable, where, None
        self.shape, self.ndim, self.dtype = variable.shape, variable.ndim, np.dtype("float64")
        try:
            self._decoder = stored.make_decoder(attrs, variable.dtype, where=where)
            self.dtype = self._decoder.dtype
        except InputError as error:  # raised when the variable is read: others of the file may be right
            self._error = error

    def __getitem__(self, key: Any) -> np.ndarray:
        if self._error:
            raise self._error
        with border.reading("the values cannot be read", where=self._where, todo=completeness.INSIDE):
            return self._decoder.values(self._variable[key].values)


def decode_lazily(
    field: xr.DataArray, *, where: object, chunks: Mapping[Hashable, int] | None = None, defaults_to_zero: bool = False
) -> xr.DataArray:
    """Return a variable with physical values instead of stored numbers, read in parts, without the attributes of storage.

    Parameters
    ----------
    field : opened with `mask_and_scale=False` or `decode_cf=False`, not yet read
    where : the file, for errors; the name of the variable is added
    chunks : sizes of the parts by dimension; other dimensions are in one part. By default the chunks of the file.
    defaults_to_zero : whether a fill value of 0 is only the default of the format (Zarr 2), not a missing value
    """
    lazy = _Lazy(field.variable, where=f"{where} ({field.name})", defaults_to_zero=defaults_to_zero)
    chunks = field.encoding.get("preferred_chunks", {}) if chunks is None else chunks
    parts = tuple(min(chunks.get(d, size), size) if size else 0 for d, size in field.sizes.items())
    empty = np.empty((0,) * field.ndim, lazy.dtype)
    decoded = field.copy(data=da.from_array(lazy, chunks=parts, name=False, meta=empty) if field.ndim else lazy[()])
    decoded.attrs = {k: v for k, v in field.attrs.items() if k not in stored.ATTRIBUTES}
    return decoded


def decode_dataset(ds: xr.Dataset, *, where: object, defaults_to_zero: bool = False) -> xr.Dataset:
    """Return a dataset, opened without decoding, with physical values in its fields.

    Variables of at most one dimension, times and text are read; times and text are not decoded. The caller guards the reading
    (`border.reading`).
    """
    variables = {}
    for name, variable in ds.variables.items():
        is_number = variable.dtype.kind in "iuf" and " since " not in str(variable.attrs.get("units"))
        if is_number and (variable.ndim > 1 or set(stored.ATTRIBUTES) & set(variable.attrs)):
            variables[name] = decode_lazily(ds[name], where=where, defaults_to_zero=defaults_to_zero).variable
        if variable.ndim <= 1 or not is_number:
            variables[name] = variables.get(name, variable).compute()
    coords = {n: v for n, v in variables.items() if n in ds.coords}
    return ds.assign({n: v for n, v in variables.items() if n not in coords}).assign_coords(coords)

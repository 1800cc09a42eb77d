"""Convert stored numbers to physical values by the attributes of a file: missing values, valid range, scale and offset.

CF conventions 1.11, chapters 2.5.1 and 8.1; NetCDF User Guide, "Attribute Conventions"; HDF Specification 4.2 (calibration).
A zero is a value: only declared values are missing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tamrl.errors import InputError

ATTRIBUTES = ("_FillValue", "missing_value", "valid_range", "valid_min", "valid_max", "scale_factor", "add_offset", "_Unsigned")
"""Attributes that this module reads."""

ScaleRule = Literal["cf", "hdf4", "modis"]
"""`cf`: stored * scale + offset. `hdf4`: (stored - offset) * scale, where a scale above 1 divides, as in MODIS files. `modis`:
products of NASA saved again as NetCDF or HDF5, `hdf4` where the scale is above 1, else `cf`."""

Attributes = Mapping[str, Any]
"""Attributes of a variable by name, as the file has them: numbers, arrays of them, or text."""

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;:()\[\]{}|]*(?:to|and|-)?[\s,;:()\[\]{}|]*", re.IGNORECASE)


@dataclass(frozen=True)
class Decoder:
    """Rule that converts the stored numbers of a layer to values."""

    stored: np.dtype
    """Type of the stored numbers, as `_Unsigned` changes it."""
    missing: tuple[float, ...]
    low: float
    high: float
    """Range of valid stored numbers; infinite if none is declared."""
    scale: Any
    offset: Any
    offset_first: bool
    """(stored - offset) * scale instead of stored * scale + offset."""
    dtype: np.dtype
    """Type of the values."""

    @property
    def plain(self) -> bool:
        """Whether values equal the stored numbers."""
        return self.scale is None and self.offset is None and not self.missing and not np.isfinite([self.low, self.high]).any()

    def values(self, block: np.ndarray) -> np.ndarray:
        """Return the values of stored numbers (any shape); missing ones are NaN if the values are real."""
        raw = np.asarray(block)
        if raw.dtype.newbyteorder("=") != self.stored:
            raw = raw.astype(raw.dtype.newbyteorder("=")).view(self.stored)
        values = raw.astype(self.dtype, copy=not self.plain)
        if self.dtype.kind != "f":
            return values
        for number in self.missing:
            values[raw == raw.dtype.type(number)] = np.nan
        if np.isfinite(self.low):
            values[raw < self.low] = np.nan
        if np.isfinite(self.high):
            values[raw > self.high] = np.nan
        if self.offset_first and self.offset is not None:
            values -= self.offset
        if self.scale is not None:
            values *= self.scale
        if not self.offset_first and self.offset is not None:
            values += self.offset
        return values


def make_decoder(
    attrs: Attributes,
    stored: np.dtype,
    *,
    where: object,
    rule: ScaleRule = "cf",
    dtype: np.dtype | None = None,
    assumed: Mapping[str, float] | None = None,
    limits: tuple[float, float] | None = None,
) -> Decoder:
    """Make the decoder of a layer from its attributes.

    Raise `InputError` with the layer and the invalid attribute.

    Parameters
    ----------
    stored : type of the numbers in the file
    where : file and layer, for errors
    rule : how scale and offset are applied (`ScaleRule`)
    dtype : type of the values, by default that of xarray
    assumed : `scale_factor` and `_FillValue` of the product. The scale applies to integers in a file without scale and offset.
        The fill value applies if scale and offset are those of the product and the file declares no fill value.
    limits : valid range of the product in physical units, used if the file declares none, and for values stored as reals
    """
    form = np.dtype(stored).newbyteorder("=")
    unsigned = str(attrs.get("_Unsigned", "")).strip().lower()
    if other := {("i", "true"): "u", ("u", "false"): "i"}.get((form.kind, unsigned)):
        form = np.dtype(f"{other}{form.itemsize}")
    scale, offset = (_one(attrs, name, where) for name in ("scale_factor", "add_offset"))
    if scale is None and offset is None and form.kind in "iu" and assumed:
        scale = assumed["scale_factor"]
    if scale is not None and not (np.isfinite(scale) and scale):
        raise InputError("the attribute scale_factor must be a number other than 0", where=where, found=scale)
    first = rule == "hdf4" or (rule == "modis" and scale is not None and scale > 1)
    if first and scale is not None and scale > 1:
        scale = 1 / float(scale)
    if form.kind in "iu" and assumed and not offset and np.isclose(scale, assumed["scale_factor"], rtol=1e-6, atol=0):
        attrs = attrs if {"_FillValue", "missing_value"} & set(attrs) else {**attrs, "_FillValue": assumed["_FillValue"]}
    missing = _missing(attrs, form, where)
    packing = _Packing(form, 1.0 if scale is None else float(scale), 0.0 if offset is None else float(offset), first)
    low, high = _limits(attrs, packing, where)
    if limits is not None and (form.kind == "f" or (low, high) == (-np.inf, np.inf)):
        lowest, highest = packing.pack(limits)
        low, high = max(low, lowest), min(high, highest)
    bounded = bool(missing) or low > -np.inf or high < np.inf
    if dtype is None:
        dtype = _real(form, scale, offset) if scale is not None or offset is not None or bounded else form
    else:
        scale, offset = (None if v is None else float(v) for v in (scale, offset))
        dtype = np.dtype(np.float64) if form.kind in "iu" and form.itemsize > 2 else dtype
    return Decoder(form, missing, low, high, scale, offset, first, np.dtype(dtype))


def _real(form: np.dtype, scale: Any, offset: Any) -> np.dtype:
    """Return the type of decoded values that xarray chooses, so that the bits agree."""
    types = [np.dtype(type(v)) for v in (scale, offset) if v is not None]
    if not types:
        return form if form.kind == "f" else np.dtype("f4" if form.itemsize <= 2 else "f8")
    if len(types) == 2 and types[0] == types[1] and types[0] in ("f4", "f8"):
        return np.dtype("f8") if form.kind in "iu" and form.itemsize >= 4 else types[0]
    return types[0] if offset is None and types[0] in ("f4", "f8") else np.dtype("f8")


def _numbers(value: Any, name: str, where: object) -> tuple[list[Any], str]:
    """Return the numbers of an attribute and their stored kind: `integer`, `real` or `text`."""
    parts = np.ravel(np.asarray(value))
    if parts.dtype.kind in "iuf":
        return list(parts), "real" if parts.dtype.kind == "f" else "integer"
    if parts.dtype.kind not in "USO":
        raise InputError(f"the attribute {name} is not a number", where=where, found=value)
    text = " ".join(p.decode("latin-1") if isinstance(p, bytes) else str(p) for p in parts).strip("\x00 ")
    text = re.sub(r"\.{2,}|…|–", " to ", text.replace("−", "-"))
    numbers, gaps = _NUMBER.findall(text), _NUMBER.split(text)
    if not numbers or any(not _BETWEEN.fullmatch(gap) for gap in gaps) or any(not gap for gap in gaps[1:-1]):
        raise InputError(f"the attribute {name} is not a number", where=where, found=repr(value), todo=f"write {name} as numbers")
    return [np.float64(v) for v in numbers], "text"


def _one(attrs: Attributes, name: str, where: object) -> Any:
    if attrs.get(name) is None:
        return None
    numbers, _ = _numbers(attrs[name], name, where)
    if len(numbers) != 1:
        raise InputError(f"the attribute {name} must be one number", where=where, found=repr(attrs[name]))
    return numbers[0]


def _missing(attrs: Attributes, form: np.dtype, where: object) -> tuple[float, ...]:
    """Return the stored numbers for missing values, without those outside the type."""
    names = [name for name in ("_FillValue", "missing_value") if attrs.get(name) is not None]
    declared = [v for name in names for v in _numbers(attrs[name], name, where)[0]]
    if form.kind == "f":
        return tuple(float(v) for v in declared if not np.isnan(v))
    limits = np.iinfo(form)
    integers = [int(v) for v in declared if np.isfinite(v) and v == int(v)]
    integers = [v + 2 ** (8 * form.itemsize) if v < 0 and form.kind == "u" and "_Unsigned" in attrs else v for v in integers]
    return tuple(dict.fromkeys(v for v in integers if limits.min <= v <= limits.max))


@dataclass(frozen=True)
class _Packing:
    """Scale and offset of a layer, for its valid range."""

    stored: np.dtype
    scale: float
    offset: float
    offset_first: bool

    def pack(self, limits: tuple[float, float]) -> tuple[float, float]:
        """Return the stored numbers of two physical values, low first, with a margin for rounding."""
        first, last = (v / self.scale + self.offset if self.offset_first else (v - self.offset) / self.scale for v in limits)
        return self.widen((min(first, last), max(first, last)))

    def widen(self, limits: tuple[float, float]) -> tuple[float, float]:
        """Return bounds with a margin for the rounding of reals."""
        room = 1e-3 if self.stored.kind in "iu" else 0.0
        first, last = (max(room, 1e-6 * abs(v)) if np.isfinite(v) else 0.0 for v in limits)
        return limits[0] - first, limits[1] + last


def _limits(attrs: Attributes, packing: _Packing, where: object) -> tuple[float, float]:
    """Return the lowest and highest valid stored number; infinite if none is declared."""
    names = ["valid_range"] if attrs.get("valid_range") is not None else ["valid_min", "valid_max"]
    read = {name: _numbers(attrs[name], name, where) for name in names if attrs.get(name) is not None}
    if not read:
        return -np.inf, np.inf
    bounds, kinds = {"valid_min": -np.inf, "valid_max": np.inf}, {kind for _, kind in read.values()}
    for name, (numbers, _) in read.items():
        if len(numbers) != len(names) % 2 + 1 or np.isnan(numbers).any():
            raise InputError(f"the attribute {name} cannot be understood", where=where, found=repr(attrs[name]))
        bounds |= dict(zip(bounds, numbers, strict=True)) if name == "valid_range" else {name: numbers[0]}
    low, high = (float(v) for v in bounds.values())
    if "_Unsigned" in attrs and packing.stored.kind == "u":
        low, high = (v + 2.0 ** (8 * packing.stored.itemsize) if np.isfinite(v) and v < 0 else v for v in (low, high))
    shown = ", ".join(f"{name} = {attrs[name]!r}" for name in read)
    if low > high:
        raise InputError(f"the attribute {' and '.join(read)} is not a range", where=where, found=shown)
    return _as_stored(low, high, packing, "text" if "text" in kinds else kinds.pop(), shown=shown, where=where)


_MARGIN, _ODD = 0.8, 2.0
"""Powers of ten by which one reading of a range must fit better than the other, and by which it overrules a declared type."""


def _as_stored(low: float, high: float, packing: _Packing, kind: str, *, shown: str, where: object) -> tuple[float, float]:
    """Return a range in stored numbers that was declared in these or in physical units; refuse one that fits both.

    Integers are stored numbers; reals with packed integers are physical values (NetCDF User Guide, `valid_range`). Text has no
    type, and tools save one as the other. Then the reading whose extent fits the range of the type counts, if the other does not.
    """
    if (packing.scale, packing.offset) == (1.0, 0.0):
        return (low, high) if packing.stored.kind in "iu" else packing.widen((low, high))
    scaled, finite = packing.pack((low, high)), [v for v in (low, high) if np.isfinite(v)]
    if packing.stored.kind in "iu":
        ends = np.iinfo(packing.stored)
        if max(low, scaled[0]) <= ends.min and min(high, scaled[1]) >= ends.max:
            return low, high
        if any(v != int(v) for v in finite):
            return scaled
        extent = high - low if len(finite) == 2 else 2 * abs(finite[0])
        room = 2.0 ** min(8 * packing.stored.itemsize, 16)  # 32 bits are rarely filled
        as_stored, as_scaled = (abs(np.log10(max(v, 1e-12) / room)) for v in (extent, extent / abs(packing.scale)))
        better = as_stored - as_scaled  # above 0: physical units fit better
        if better < {"integer": _ODD, "text": -_MARGIN, "real": -_ODD}[kind]:
            return low, high
        if kind != "integer" and better > _MARGIN:
            return scaled
    elif kind == "integer":
        return low, high
    asked = "the valid range may be meant in stored numbers or in physical units"
    both = f"{shown}, scale_factor = {packing.scale:g}, add_offset = {packing.offset:g}"
    todo = "write it as CF does: stored numbers, in the type of the stored numbers"
    raise InputError(asked, where=where, found=both, todo=todo)


def decode_codes(block: np.ndarray, attrs: Attributes, *, where: object, rule: ScaleRule = "cf") -> np.ndarray:
    """Return classes and quality flags as whole numbers (int64, the same shape), -1 for missing ones.

    A zero is a class or flag, even if a tool has declared it as fill value. Raise `InputError` if an attribute cannot be
    understood, or a number is not whole.

    Parameters
    ----------
    block : stored numbers (any shape)
    where : file and layer, for errors
    rule : how scale and offset are applied
    """
    names = {"_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned"} & set(attrs)
    how = make_decoder({n: attrs[n] for n in names}, block.dtype, where=where, rule=rule)
    how = replace(how, missing=tuple(v for v in how.missing if v))
    codes = how.values(block)
    if codes.dtype.kind != "f":
        return codes.astype("int64")
    nearest: np.ndarray = np.rint(np.nan_to_num(codes, nan=-1.0))
    if (np.abs(codes - nearest) > 0.01).any():  # missing values compare as False
        raise InputError("flags and classes must be whole numbers", where=where, found=codes[np.abs(codes - nearest) > 0.01][:3])
    return nearest.astype("int64")

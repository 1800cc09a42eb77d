"""Read any declared product: monthly fluxes of gC m-2 d-1 on its own grid, lazily.

No product is known by name here: variables, units, signs, times and fill values follow from its layout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
from dask.delayed import delayed

from tamrl import calendar, carbon
from tamrl.errors import InputError, near
from tamrl.intake import arrays, border, completeness, isolated, rasters
from tamrl.intake.stored import Attributes
from tamrl.reference import axes, checks, months, units
from tamrl.reference.layouts import LAND_OF_RUN, PIXELS, GriddedLayout
from tamrl.reference.names import ProductFile, name_files

BLOCK = 1 << 24
"""Values that are read at once: one step of a fine grid, many of a coarse one."""

ZERO_STEPS = 12
"""Steps that must all be zero where a product marks the sea by zeros."""


@dataclass(frozen=True)
class _Source:
    """A file and the layout that it follows."""

    file: ProductFile
    layout: GriddedLayout

    def where(self, variable: str) -> str:
        """Place for errors."""
        return f"{self.file.path} ({variable})"


def open_product(files: Sequence[Path], layout: GriddedLayout, quantity: str, *, title: str) -> xr.Dataset:
    """Open a quantity of a product: `<quantity>` and, where declared, `<quantity>_std` and `land_fraction`, each lazy.

    Fluxes are (time, lat, lon), gC m-2 d-1, float32; `time` holds the first days of consecutive months, `lat` falls and `lon`
    rises from -180. Net fluxes are positive towards the atmosphere. The attribute `per` says whether a flux is a mean over the
    `land` or the whole `cell`.

    Parameters
    ----------
    files : files of the product, of one edition
    layout : how it is published
    quantity : `gpp`, `reco`, `nee` or `nbe`
    title : name of the product

    Raises
    ------
    InputError
        If names, grids, times, sign or size are not those of the product.
    UnitError
        If a unit differs from the declared one.
    """
    if quantity not in layout.quantities:
        todo = near(quantity, layout.quantities)
        raise InputError(f"{title} has no {quantity}", where=files[0] if files else title, todo=todo)
    if not files:
        raise InputError(f"{title} has no files", where=title, todo=f"give files such as {layout.example}")
    named, flux = name_files(files, layout), layout.quantities[quantity]
    place = f"{title}, {named[0].path.parent}"
    field = _sum_of_terms(named, layout, flux.terms, flux.units, place)
    if layout.zero_is_sea:
        field = field.where(~(field.isel(time=slice(ZERO_STEPS)) == 0).all("time"))
    checks.check_record(field, where=place)
    checks.check_july(field, quantity, where=place)
    per = "land" if layout.per == "land" else "cell"
    attrs = {"units": carbon.UNITS, "quantity": quantity, "per": per, "product": title}
    ds = field.assign_attrs(attrs).to_dataset(name=quantity)
    if flux.std:
        ds[f"{quantity}_std"] = _sum_of_terms(named, layout, {flux.std: 1}, flux.units, place).assign_attrs(attrs)
    if layout.per == "land" and layout.land not in (LAND_OF_RUN, PIXELS):
        ds["land_fraction"] = _static(_Source(named[0], layout), layout.land)
    return ds


def _sum_of_terms(
    named: Sequence[ProductFile], layout: GriddedLayout, terms: Mapping[str, float], declared: tuple[str, ...], place: str
) -> xr.DataArray:
    """Monthly sum of terms in gC m-2 d-1."""
    fields = [_monthly(named, layout, term, declared, place) * np.float32(factor) for term, factor in terms.items()]
    for other in fields[1:]:
        if not np.array_equal(other["time"].values, fields[0]["time"].values):
            todo = "give the files of the same months for each variable"
            raise InputError(f"{', '.join(terms)} cover different months", where=place, todo=todo)
        _check_grid(other, fields[0], place)
    return reduce(add, [field.assign_coords(fields[0].coords) for field in fields])


def _monthly(
    named: Sequence[ProductFile], layout: GriddedLayout, variable: str, declared: tuple[str, ...], place: str
) -> xr.DataArray:
    """A variable as months (time, lat, lon) in gC m-2 d-1, from all files that hold it."""
    holders = [file for file in named if file.variable is None or file.variable.lower() == variable.lower()]
    if not holders:
        raise InputError(f"no file of {variable}", where=place, todo=f"give its files too; names look like {layout.example}")
    open_one = _read_raster if layout.raster else _read_netcdf
    parts = [open_one(_Source(file, layout), variable, declared) for file in holders]
    for part in parts[1:]:
        _check_grid(part, parts[0], place)
    if len(parts) > 1:  # the coordinates of the first, which differ by less than the check allows
        parts = [part.assign_coords(lat=parts[0]["lat"], lon=parts[0]["lon"]) for part in parts]
    field = xr.concat(parts, "time").sortby("time") if len(parts) > 1 else parts[0].sortby("time")
    where = f"{place}, {variable}"
    field = months.to_months(field, layout.steps, where=where)
    unit = f"{declared[0]} m-2" if layout.area else declared[0]
    return axes.face_north(units.to_daily_grams(field, unit).astype("float32"))


def _read_netcdf(source: _Source, variable: str, declared: tuple[str, ...]) -> xr.DataArray:
    """A variable of a NetCDF file (time, lat, lon), decoded but in the unit of the file, or per area where it was per cell."""
    layout, path = source.layout, source.file.path
    completeness.check_complete(path)
    ds = isolated.open_netcdf(path, where=path)
    name = next((str(n) for n in ds.variables if str(n).lower() == variable.lower()), None)
    if name is None:
        raise InputError(
            f"no variable {variable}", where=path, found=", ".join(map(str, ds.data_vars)), todo="is it another edition?"
        )
    where = source.where(name)
    units.check_stated(ds[name].attrs, declared, required=layout.states_units, where=where)
    field, ds = _dated(ds[name], ds, source)
    field = _decoded(field, ds, source)
    if layout.members:
        field = field.mean(layout.members, skipna=True)
    if layout.area:
        field = field / _static(source, layout.area, like=field)
    if layout.valid_years:
        field = _valid_part(field, ds.attrs, layout.valid_years, where)
    if layout.yearly and field.sizes["time"] != calendar.MONTHS:
        shown, todo = f"{field.sizes['time']} steps", "a file of a year must hold its twelve months; fetch it again"
        raise InputError("a file lacks months", where=where, found=shown, todo=todo)
    return field


def _dated(field: xr.DataArray, ds: xr.Dataset, source: _Source) -> tuple[xr.DataArray, xr.Dataset]:
    """The field with the days of its steps in `time`, and the dataset under the same names."""
    layout, path = source.layout, source.file.path
    if layout.dated_by == "name":
        time = next((str(d) for d in field.dims if str(d).lower() in axes.TIME), None)
        if time and field.sizes[time] != 1:
            raise InputError("a file of one month has several steps", where=path, found=field.sizes[time])
        field = field.isel({time: 0}, drop=True) if time else field
        return field.expand_dims(time=[source.file.day]), ds
    dimension, days = axes.step_days(ds, layout.time, where=path)
    if dimension not in field.dims:
        raise InputError(f"the variable does not lie on the time axis {dimension}", where=path, found=list(field.dims))
    drop = [n for n in field.coords if dimension in field[n].dims]
    return field.drop_vars(drop).rename({dimension: "time"}).assign_coords(time=days), ds


def _decoded(field: xr.DataArray, ds: xr.Dataset, source: _Source) -> xr.DataArray:
    """Physical values, lazily, in blocks of steps, with missing values as NaN (time, [members,] lat, lon)."""
    layout, where = source.layout, source.where(str(field.name))
    field = axes.name_dimensions(field, where=where)
    rest = [str(d) for d in field.dims if d not in ("time", "lat", "lon", layout.members)]
    if wide := [d for d in rest if field.sizes[d] != 1]:
        raise InputError(
            "the variable has further dimensions", where=where, found=wide, todo="give the product as it was published"
        )
    field = field.isel(dict.fromkeys(rest, 0), drop=True).transpose("time", ..., "lat", "lon")
    steps = max(1, BLOCK * field.sizes["time"] // field.size)
    sizes = {d: min(n, steps) if d == "time" else n for d, n in field.sizes.items()}
    field = arrays.decode_lazily(field, where=source.file.path, chunks=sizes)
    field = field.where(~field.isin(layout.fill)) if layout.fill else field
    return (
        field * np.float32(layout.scale) if not layout.scale_attributes else _rescaled(field, ds, layout.scale_attributes, where)
    )


def _rescaled(field: xr.DataArray, ds: xr.Dataset, names: tuple[str, str], where: str) -> xr.DataArray:
    """Apply a factor and a fill value that stand in global attributes."""
    if missing := [name for name in names if name not in ds.attrs]:
        raise InputError("the file lacks global attributes", where=where, found=", ".join(missing), todo="fetch it again")
    with border.reading("a global attribute is no number", where=where, todo="fetch the file again"):
        scale, fill = (float(np.ravel(ds.attrs[name])[0]) for name in names)
    return field.where(field != fill) * np.float32(scale)


def _valid_part(field: xr.DataArray, attrs: Attributes, names: tuple[str, str], where: str) -> xr.DataArray:
    """The steps of the years that the file declares as valid."""
    if missing := [name for name in names if name not in attrs]:
        raise InputError("the file does not say which years are valid", where=where, found=", ".join(missing))
    first, last = (int(float(str(np.ravel(np.asarray(attrs[name]))[0]))) for name in names)
    years = calendar.year(field["time"].values)
    return field.isel(time=np.flatnonzero((years >= first) & (years <= last)))


def _static(source: _Source, name: str, like: xr.DataArray | None = None) -> xr.DataArray:
    """A field (lat, lon) of a file, in the order of `like`, or north-up."""
    ds = isolated.open_netcdf(source.file.path, where=source.file.path)
    if name not in ds.variables:
        todo = f"give files of {source.layout.example} as they were published"
        raise InputError(f"no variable {name}", where=source.file.path, found=", ".join(map(str, ds.data_vars)), todo=todo)
    field = axes.name_dimensions(ds[name], where=source.where(name))
    chosen = {d: source.layout.select.get(str(d), 0) for d in field.dims if d not in ("lat", "lon")}
    field = arrays.decode_lazily(field, where=source.file.path).isel(chosen, drop=True).transpose("lat", "lon").astype("float32")
    field = field.drop_vars([n for n in field.coords if n not in ("lat", "lon")])
    return axes.face_north(field).compute() if like is None else field.compute()


def _read_raster(source: _Source, variable: str, declared: tuple[str, ...]) -> xr.DataArray:
    """The band of a GeoTIFF of the whole globe (time, lat, lon), in the unit of the file."""
    path, layout = source.file.path, source.layout
    completeness.check_complete(path)
    with border.reading("the map cannot be read", where=path), rasters.open_geotiff(path) as file:
        shape, transform, nodata, bands = file.shape, file.transform, file.nodata, file.count
    if bands != 1 or transform.b or transform.d or transform.e >= 0:
        raise InputError(
            "the map is not one band from north to south", where=path, found=f"{bands} bands, {tuple(transform)[:6]}"
        )
    fill = (*layout.fill, *([nodata] if nodata is not None and np.isfinite(nodata) else []))
    pixels = da.from_delayed(delayed(_read_band)(path, fill, layout.scale), shape, "float32")[None]
    lat = transform.f + (np.arange(shape[0]) + 0.5) * transform.e
    lon = transform.c + (np.arange(shape[1]) + 0.5) * transform.a
    field = xr.DataArray(pixels, {"time": [source.file.day], "lat": lat, "lon": lon}, ("time", "lat", "lon"), name=variable)
    return axes.name_dimensions(field, where=path)


def _read_band(path: Path, fill: tuple[float, ...], scale: float) -> np.ndarray:
    with border.reading("the values cannot be read", where=path, todo=completeness.INSIDE), rasters.open_geotiff(path) as file:
        stored = file.read(1)
    values = stored.astype("float32") * np.float32(scale)
    values[np.isin(stored, fill)] = np.nan
    return np.asarray(values)


def _check_grid(field: xr.DataArray, first: xr.DataArray, place: str) -> None:
    """Raise `InputError` if two fields lie on different grids."""
    for name in ("lat", "lon"):
        a, b = field[name].values, first[name].values
        if a.shape != b.shape or np.abs(a - b).max() > 1e-4:
            todo = "give files of one resolution"
            raise InputError(
                "files lie on different grids", where=place, found=f"{a.size} and {b.size} rows of {name}", todo=todo
            )

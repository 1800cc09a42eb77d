"""The drivers of places as a model needs them: complete, in canonical units, on consecutive steps."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import variables
from tamrl.api.from_table import ONE, class_fractions, known_names
from tamrl.calendar import Step, TimeAxis
from tamrl.drivers import derived
from tamrl.errors import InputError, UnitError, near
from tamrl.samples.build import TOWER_CLASSES, UNKNOWN

_log = logging.getLogger(__name__)

FREQUENCY = {"day": "D", "month": "MS"}


def complete_drivers(
    ds: xr.Dataset, *, dynamic: Sequence[str], static: Sequence[str], step: Step, where: object = "the drivers"
) -> xr.Dataset:
    """Return the named drivers (site, time) and statics (site, ...) of places in canonical units, float32.

    Parameters
    ----------
    ds : drivers with the attribute `units` each, and coordinates `lat` and `lon` (site); other variables are left out
    dynamic, static : names of the vocabulary. What follows from place, date or other drivers is computed where it is missing;
        class fractions are made from `igbp` or `igbp_class`, `koppen` or `koppen_class`. `igbp_fraction` is taken in any case.
    step : length of the steps; missing steps are filled in as missing values
    where : name for errors

    Raises `InputError` or `UnitError`, which name the variable, unit, place or day at fault and what is accepted.
    """
    ds = _with_steps(_with_places(ds, where), step, where)
    at = derived.Coordinates(TimeAxis(ds["time"].values, step), ds["lat"].values)
    out = xr.Dataset(coords={name: ds[name].variable for name in ("site", "time", "lat", "lon")})
    lacking = []
    for name in dynamic:
        values = _dynamic(ds, name, at, where)
        lacking += [name] if values is None else []
        if values is not None:
            refuse_outside(values, name, out, where)
            out[name] = ("site", "time"), values, variables.attributes(name)
    for name in dict.fromkeys([*static, "igbp_fraction"]):
        field = _static(ds, name, where)
        lacking += [name] if field is None and name in static else []
        if field is not None:
            variables.check_range(field.values, name=name, where=where)
            out = out.assign_coords({d: field[d] for d in field.dims if d != "site"}).assign({name: field})
    if lacking:
        raise _lacking(lacking, ds, where)
    return out.assign_attrs(ds.attrs, time_step=step)


def refuse_outside(values: np.ndarray, name: str, at: xr.Dataset, where: object) -> None:
    """Refuse values outside the valid range with `UnitError`, which names the first place and day.

    Parameters
    ----------
    values, name : array (site, time) of a driver
    at : dataset with the coordinates `site` and `time`
    where : name for errors
    """
    low, high = variables.get(name).range
    wrong = (values < low) | (values > high)
    if wrong.any():
        site, step = np.argwhere(wrong)[0]
        place, day = at["site"].values[site], np.datetime_as_string(at["time"].values[step], unit="D")
        raise UnitError(
            f"{name} must lie within {low:g} and {high:g} {variables.get(name).units}",
            where=f"{where}, place {place}, {day}",
            found=f"{values[site, step]:.6g}, and {int(wrong.sum()) - 1} more values outside",
            todo="check the unit of the driver, or make wrong values missing",
        )


def _with_places(ds: xr.Dataset, where: object) -> xr.Dataset:
    """Check dimensions and coordinates; a single place without the dimension gets it."""
    if "site" not in ds.dims:
        named = str(ds["site"].item()) if "site" in ds.coords and not ds["site"].dims else ONE
        ds = ds.drop_vars("site", errors="ignore").expand_dims(site=[named])
    if "time" not in ds.dims or {"lat", "lon"} & set(ds.dims):
        todo = 'bring it to the dimensions (site, time): choose places with ds.sel(lat=..., lon=..., method="nearest")'
        raise InputError("drivers must have the dimensions site and time", where=where, found=dict(ds.sizes), todo=todo)
    ids = [str(site) for site in ds["site"].values] if "site" in ds.coords else [str(k) for k in range(ds.sizes["site"])]
    if twice := sorted({site for site in ids if ids.count(site) > 1}) if len(set(ids)) < len(ids) else []:
        raise InputError("a place stands twice", where=where, found=twice[:5], todo="name each place once")
    for name, most in (("lat", 90.0), ("lon", 180.0)):
        if name not in ds.variables or ds[name].dims not in (("site",), ()):
            todo = f"give {name} in degrees, one value a place"
            raise InputError(f"the places have no {name}", where=where, found=sorted(map(str, ds.variables)), todo=todo)
        values = np.broadcast_to(ds[name].values.astype(float), ds.sizes["site"])
        if (wrong := ~(np.abs(values) <= most)).any():
            k = int(wrong.argmax())
            shown, todo = f"{name} {values[k]}", f"give {name} within {-most:g} and {most:g}"
            raise InputError("a place has no possible coordinates", where=f"{where}, place {ids[k]}", found=shown, todo=todo)
        ds = ds.assign_coords({name: ("site", values)})
    return ds.assign_coords(site=("site", np.array(ids, dtype=object)))


def _with_steps(ds: xr.Dataset, step: Step, where: object) -> xr.Dataset:
    """Bring the drivers to all steps from the first to the last."""
    time, todo = ds["time"].values, f"give one value a {step}, named by its first day, in the order of time"
    if time.dtype.kind != "M" or not time.size or np.isnat(time).any():
        raise InputError("the time axis holds no dates", where=where, found=time.dtype, todo=todo)
    if not (np.diff(time) > np.timedelta64(0)).all():
        raise InputError("time must increase without duplicates", where=where, todo=todo)
    every = pd.date_range(time[0], time[-1], freq=FREQUENCY[step], name="time")
    if odd := sorted(set(time.tolist()) - set(every.to_numpy().tolist())):
        shown = np.datetime_as_string(np.datetime64(odd[0], "ns"), unit="m")
        raise InputError(f"time stamps are not the starts of a {step}", where=where, found=shown, todo=todo)
    return ds if len(every) == len(time) else ds.reindex(time=every)


def _dynamic(ds: xr.Dataset, name: str, at: derived.Coordinates, where: object) -> np.ndarray | None:
    """Values (site, time) of a driver, taken or computed; None if neither is possible."""
    if (called := next((each for each in known_names(name) if each in ds), None)) is not None:
        field = _converted(ds[called], name, where)
        if set(field.dims) != {"site", "time"}:
            raise InputError(f"{name} must have the dimensions site and time", where=where, found=field.dims)
        return np.asarray(field.transpose("site", "time").values)
    if not variables.get(name).derived or name == "co2":  # its series is that of a run
        return None
    derivation = derived.derivation(name)
    needs = {need: _dynamic(ds, need, at, where) for need in derivation.needs}
    known = {need: values.T[:, :, None] for need, values in needs.items() if values is not None}
    if len(known) < len(needs):
        return None
    _log.info("%s: computed from %s", name, ", ".join(needs) or "place and date")
    values = derivation.compute(known, at)
    if derivation.summed:
        values, _ = derived.season_sums(values, at, np.full(values.shape[1:], np.nan))
    return np.broadcast_to(values[:, :, 0].T, (ds.sizes["site"], ds.sizes["time"])).astype("f4")


def _static(ds: xr.Dataset, name: str, where: object) -> xr.DataArray | None:
    """A static (site) or (site, class), taken or made from the classes of the places; None if neither is possible."""
    kind = variables.get(name).classes
    if name in ds:
        field = _converted(ds[name], name, where)
        if set(field.dims) != ({"site", kind} if kind else {"site"}):
            raise InputError(
                f"{name} must have the dimension site{f' and {kind}' if kind else ''}", where=where, found=field.dims
            )
        if kind and sorted(map(str, field[kind].values)) != sorted(variables.get(name).members):
            accepted = ", ".join(variables.get(name).members)
            raise InputError(f"{name} has other classes", where=where, found=list(field[kind].values), todo=f"take {accepted}")
        return field.transpose("site", ...).reset_coords(drop=True)
    of_tower = TOWER_CLASSES.get(name, "")
    stated = next((column for column in (of_tower, f"{of_tower}_class") if column in ds and ds[column].dims == ("site",)), None)
    if stated is None or kind is None:
        return None
    known = variables.get(name).members
    texts = [str(value) for value in ds[stated].values]
    for site, text in zip(ds["site"].values, texts, strict=True):
        if text not in (*known, "", UNKNOWN, "nan", "None"):
            todo = f"give one of {', '.join(known)}, or nothing"
            raise InputError(f"no {kind} class named {text!r}", where=f"{where}, place {site}", todo=todo)
    dims, shares, attributes = class_fractions(np.array(texts, dtype=object), name)
    return xr.DataArray(shares, {kind: list(variables.get(name).members)}, dims, attrs=attributes)


def _converted(field: xr.DataArray, name: str, where: object) -> xr.DataArray:
    """A variable in its canonical unit."""
    unit = field.attrs.get("units")
    if unit is None:
        todo = f"set ds[{field.name!r}].attrs['units'], such as {variables.get(name).units!r}"
        raise UnitError(f"{name} does not say its unit", where=where, found="no attribute units", todo=todo)
    return variables.canonical(field, name=name, source_units=str(unit), where=where)


def _measured_needs(name: str) -> list[str]:
    """What a variable is computed from, down to what is measured."""
    steps = [[need] if not variables.get(need).derived else _measured_needs(need) for need in derived.derivation(name).needs]
    return [need for step in steps for need in step]


def _lacking(names: Sequence[str], ds: xr.Dataset, where: object) -> InputError:
    """The error of drivers that are missing, with the names and units that are accepted."""
    accepted = []
    for name in names:
        entry = variables.get(name)
        also = [*(entry.towers.names if entry.towers else ()), *([TOWER_CLASSES[name]] if name in TOWER_CLASSES else ())]
        needs = _measured_needs(name) if entry.derived and name != "co2" else ()
        ways = [f"as column {' or '.join(also)}"] if also else []
        ways += [f"computed from {' and '.join(needs)}"] if needs else []
        accepted.append(f"{name} ({entry.units}){': ' if ways else ''}{', or '.join(ways)}")
    close = near(names[0], map(str, ds.variables))
    todo = "; ".join(accepted) + (f"; {close}" if close.startswith("did you mean") else "")
    present = ", ".join(sorted(map(str, ds.data_vars)))
    return InputError(f"the drivers lack {', '.join(names)}, which the model reads", where=where, found=present, todo=todo)

"""Drivers of places from a table, with the names of columns and the units of the network `table` (docs/inputs.md)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import classes, variables
from tamrl.calendar import Step
from tamrl.errors import InputError, near
from tamrl.intake import text
from tamrl.samples.build import TOWER_CLASSES, on_axes
from tamrl.towers import sites
from tamrl.towers.networks.table import COLUMNS
from tamrl.towers.quality import plausibility, record_tests
from tamrl.towers.reader import flat_table, records

_log = logging.getLogger(__name__)

PLACE = ("lat", "lon", "igbp", "koppen", "elevation")
"""What a table, or a `Place`, says of a place."""

NEEDED = ("site", "date", "lat", "lon")
ONE = "place"
"""Id of the place of a table without the column `site`."""


@dataclass(frozen=True)
class Place:
    """A place whose table has no columns for these; None for what the table or nobody says."""

    lat: float | None = None
    lon: float | None = None
    """Degrees north and east."""
    igbp: str | None = None
    koppen: str | None = None
    elevation: float | None = None
    """m above the sea."""


@dataclass(frozen=True)
class TableForm:
    """Which column of a table is which variable, and in which unit."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Canonical name: column, where the names of columns are not known by themselves."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Canonical name: unit, where it is not the unit of tower files (`tamrl/data/variables.yaml`)."""
    place: Place = Place()


def choose_columns(available: Sequence[str], form: TableForm, *, where: object) -> dict[str, str]:
    """Return the column of each variable, canonical name -> column; others are not read.

    A column is known by the canonical name of its variable, by its default name in the network `table`, and by the names of tower
    files. Raises `InputError` for an unknown variable or column, for one that a `Place` gives too, and if site, date or
    coordinates are missing.
    """
    dynamic = [name for name, entry in variables.vocabulary().items() if entry.role == "dynamic"]
    known = ("site", "date", *PLACE, *dynamic)
    for key in (*form.columns, *form.units):
        if key not in known:
            raise InputError(f"no driver named {key!r}", where=where, todo=near(key, known))
    chosen: dict[str, str] = {}
    for key in known:
        column = form.columns.get(key) or next((name for name in known_names(key) if name in available), None)
        if column is not None and column not in available:
            raise InputError(f"no column {column!r} for {key}", where=where, todo=near(column, available))
        if column is not None and getattr(form.place, key, None) is not None:
            todo = "give it in one way"
            raise InputError(f"{key} is given twice: as a value and as a column", where=where, found=column, todo=todo)
        chosen |= {key: column} if column is not None else {}
    lacking = [key for key in NEEDED if key not in chosen and getattr(form.place, key, None) is None and key != "site"]
    if lacking:
        accepted = "; ".join(f"{key}: {', '.join(known_names(key))}" for key in lacking)
        todo = f"name the columns ({accepted}), or give the place of the table"
        raise InputError(f"the table lacks {', '.join(lacking)}", where=where, found=", ".join(available[:12]), todo=todo)
    return chosen


def drivers_of_table(table: pd.DataFrame, form: TableForm, *, step: Step, where: object = "the table") -> xr.Dataset:
    """Return the drivers (site, time) of a table, in canonical units, with `lat` and `lon`.

    Parameters
    ----------
    table : one row a place and step; dates, fill values and units as docs/inputs.md says
    form : names of its columns, units, and the place of a table of one place
    step : length of the steps
    where : name for errors

    Steps that the table lacks are missing. Classes of the places become `igbp_fraction` and `koppen_fraction`. Raises
    `InputError` or `UnitError`, which name the variable, unit, place or day at fault.
    """
    table = table.reset_index() if any(name is not None for name in table.index.names) else table.reset_index(drop=True)
    if table.empty:
        raise InputError("the table has no rows", where=where, todo="give one row a place and step")
    names = text.column_names([str(name) for name in table.columns], where=where)
    chosen = choose_columns(names, form, where=where)
    raw = table.set_axis(names, axis=1)[list(dict.fromkeys(chosen.values()))]
    fixed = {key: value for key in PLACE if (value := getattr(form.place, key)) is not None}
    fixed |= {} if "site" in chosen else {"site": ONE}
    raw, chosen = raw.assign(**fixed), chosen | {key: key for key in fixed}
    ids = raw[chosen["site"]].astype(object).where(raw[chosen["site"]].notna(), "").astype(str).str.strip()
    _check_classes(raw, chosen, ids, where)
    mapping = {key: column for key, column in chosen.items() if key not in (*NEEDED, *PLACE)}
    date = raw[chosen["date"]]
    rows, fills = records.build_records(raw, mapping, site=ids, date=date, step=step, where=where, source_units=form.units)
    places = sites.check_coordinates(flat_table.list_places(raw, ids, chosen, fills, where), where=where)
    lat = places.set_index("site")["lat"].to_dict()
    plausibility.refuse_wrong_units(rows, where=where, columns=chosen, lat=lat)
    _warn_of_radiation(rows, places, step, where)
    return _dataset(rows, places, list(mapping), step)


def drivers_of_file(file: Path, form: TableForm, *, step: Step) -> xr.Dataset:
    """Return the drivers of a CSV or Parquet file, as `drivers_of_table` does."""
    available = flat_table.read_names(file)
    raw = flat_table.read_chosen(file, available, choose_columns(available, form, where=file))
    return drivers_of_table(raw, form, step=step, where=file)


def class_fractions(names: np.ndarray, kind: str) -> tuple[tuple[str, str], np.ndarray, dict[str, str]]:
    """Fractions (site, class) of places that have one class each; missing where it is not known.

    `names` are the classes (site), `kind` is the name of their fraction.
    """
    entry = variables.get(kind)
    shares = (np.asarray(names, dtype=object)[:, None] == np.asarray(entry.members, dtype=object)[None]).astype("f4")
    shares[~shares.any(axis=1)] = np.nan
    return ("site", str(entry.classes)), shares, variables.attributes(kind)


def known_names(key: str) -> list[str]:
    """Names by which a column or variable is known: the canonical one, that of the network `table`, and those of tower files."""
    entry, default = variables.vocabulary().get(key), COLUMNS.get(key)
    return list(dict.fromkeys([key, *([default] if default else []), *(entry.towers.names if entry and entry.towers else ())]))


def _check_classes(raw: pd.DataFrame, chosen: Mapping[str, str], ids: pd.Series, where: object) -> None:
    """Refuse names that are no classes; an empty cell is an unknown class."""
    for key, read, accepted in (("igbp", sites.igbp_class, classes.IGBP), ("koppen", sites.koppen_group, classes.KOPPEN)):
        for cell in raw[chosen[key]].unique() if key in chosen else ():
            if not sites.is_missing(cell) and read(cell) is None:
                site = ids[raw[chosen[key]] == cell].iloc[0]
                todo = f"give one of {', '.join(accepted)}, or nothing where it is not known"
                raise InputError(f"no {key} class named {cell!r}", where=f"{where}, place {site}", todo=todo)


def _warn_of_radiation(rows: pd.DataFrame, places: pd.DataFrame, step: Step, where: object) -> None:
    """Log radiation above that at the top of the atmosphere, which a run leaves out: dates, place or unit are wrong."""
    if "shortwave_radiation" in rows and (above := record_tests.above_potential(rows, places, step)).any():
        first = rows[above].iloc[0]
        words = (where, above.sum(), step, first["site"], first["date"].date())
        _log.warning(
            "%s: %d %ss with more radiation than at the top of the atmosphere, first at %s on %s: check the dates", *words
        )


def _dataset(rows: pd.DataFrame, places: pd.DataFrame, names: Sequence[str], step: Step) -> xr.Dataset:
    """Drivers on one axis of all steps from the first to the last."""
    time = pd.date_range(rows["date"].min(), rows["date"].max(), freq="D" if step == "day" else "MS", name="time")
    ids = places["site"].tolist()
    ds = xr.Dataset(coords={"site": ("site", places["site"].to_numpy(object)), "time": time})
    ds = ds.assign_coords({name: ("site", places[name].to_numpy(float)) for name in ("lat", "lon")})
    for name in names:
        ds[name] = ("site", "time"), on_axes(rows, name, ids, time), variables.attributes(name)
    ds["elevation"] = "site", places["elevation"].to_numpy("f4"), variables.attributes("elevation")
    for fraction, column in TOWER_CLASSES.items():
        kind = str(variables.get(fraction).classes)
        ds = ds.assign_coords({kind: list(variables.get(fraction).members)})
        ds[fraction] = class_fractions(places[column].to_numpy(object), fraction)
    return ds.assign_attrs(time_step=step)

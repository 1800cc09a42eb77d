"""MODIS around towers: tables of statistics over the 500 m pixels near a tower, one CSV per product (ORNL and TERN subsets).

Their quirks: header names begin with a blank, the letter F stands for a missing centre pixel, and a composite of which no pixel
passed the quality test holds 0.0 in every statistic. Such rows are missing here.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tamrl import variables
from tamrl.calendar import Step
from tamrl.drivers import indices
from tamrl.errors import InputError
from tamrl.intake import border, completeness

BANDS = {"sur_refl_b01": "red", "sur_refl_b02": "nir", "sur_refl_b03": "blue", "sur_refl_b06": "swir"}
LAI = "Lai_500m"
LENGTH = 8
"""Days of a composite."""

GOOD = 0.5
"""Least share of pixels that must have passed the quality test."""

_NEEDED = ("product", "band", "dt", "value_mean", "value_center", "pixels_total", "pixels_pass_qa")


def read_subset(path: Path) -> pd.DataFrame:
    """One file: band, start (first day), value (mean of the good pixels), centre (the tower's pixel), share (of good pixels).

    Values are in the product's physical units, already scaled; missing where no pixel is good. Raise `InputError` if columns are
    lacking, a number cannot be read, or shares lie outside 0 to 1.
    """
    completeness.check_complete(path)
    completeness.check_text_end(path)
    with border.reading("the subset is no readable CSV", where=path, todo="give the table as ORNL or TERN delivers it"):
        raw = pd.read_csv(path, skipinitialspace=True, na_values=["F"])
        raw.columns = raw.columns.str.strip()
    if lacking := [c for c in _NEEDED if c not in raw]:
        raise InputError(f"the subset lacks {', '.join(lacking)}", where=path, found=list(raw.columns))
    number = {c: _numbers(raw[c], path) for c in _NEEDED if c not in ("product", "band", "dt")}
    share = number["pixels_pass_qa"] / number["pixels_total"]
    if not share.between(0, 1).all():
        raise InputError("more pixels passed than there are, or none are named", where=path, found=share.max())
    seen = number["pixels_pass_qa"] > 0
    values = {"value": number["value_mean"].where(seen), "centre": number["value_center"].where(seen)}
    with border.reading("the subset's dates cannot be read", where=f"{path} (dt)", todo="write dates as YYYY-MM-DD"):
        start = pd.to_datetime(raw["dt"], format="%Y-%m-%d")
    return pd.DataFrame({"band": raw["band"], "start": start, **values, "share": share})


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    """A column as numbers, fill values missing; raises `InputError` with line and text of what is none."""
    numbers = pd.to_numeric(column, errors="coerce")
    if (odd := numbers.isna() & column.notna()).any():
        line = int(np.flatnonzero(odd)[0]) + 2
        raise InputError("no number", where=f"{path} ({column.name}), line {line}", found=repr(column[odd].iloc[0]))
    return numbers.where(~numbers.isin(variables.FILL_VALUES))


def at_site(folder: Path) -> pd.DataFrame:
    """Vegetation around one tower: date (middle of the composite) and ndvi, evi, nirv, kndvi, lswi, lai where there are files.

    Means over the pixels around the tower of composites of which at least `GOOD` passed; indices of mean reflectances.
    """
    parts = []
    if (path := folder / "statistics_MOD09A1.csv").is_file():
        parts.append(_indices(_wide(read_subset(path)).rename(columns=BANDS)))
    if (path := folder / "statistics_MOD15A2H.csv").is_file():
        parts.append(_wide(read_subset(path))[[LAI]].rename(columns={LAI: "lai"}))
    if not parts:
        return pd.DataFrame({"date": pd.DatetimeIndex([])})
    table = pd.concat(parts, axis=1).sort_index()
    table.index = table.index + pd.Timedelta(days=LENGTH // 2)
    return table.dropna(how="all").rename_axis("date").reset_index()


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    good = table[table["share"] >= GOOD]
    return good.pivot(index="start", columns="band", values="value")


def _indices(bands: pd.DataFrame) -> pd.DataFrame:
    values = indices.indices_of_bands(**{name: bands[name].to_numpy("float32") for name in BANDS.values()})
    return pd.DataFrame(values, index=bands.index)


def subsets_at_towers(folder: str | Path, *, step: Step) -> pd.DataFrame:
    """All towers of a folder with one subfolder each: site, date and variables; monthly means where `step` is `month`.

    Raise `InputError` if no subfolder holds a table of vegetation.
    """
    sites = [at_site(place).assign(site=place.name) for place in sorted(Path(folder).iterdir()) if place.is_dir()]
    tables = [table for table in sites if len(table)]
    if not tables:
        raise InputError("no subsets of MOD09A1 or MOD15A2H", where=folder, todo="one subfolder per tower, named after it")
    return vegetation_on_steps(pd.concat(tables, ignore_index=True), step=step)


def vegetation_on_steps(table: pd.DataFrame, *, step: Step) -> pd.DataFrame:
    """Vegetation by site and date as it is, or as monthly means where `step` is `month`."""
    if step == "day" or table.empty:
        return table
    months = table["date"].to_numpy("datetime64[M]").astype("datetime64[ns]")
    return table.assign(date=months).groupby(["site", "date"]).mean().reset_index()

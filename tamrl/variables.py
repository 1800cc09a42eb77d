"""The vocabulary of `tamrl/data/variables.yaml`: canonical names, units, ranges and roles.

Variables with another name or unit are renamed, converted and checked against their valid range here. The range matters because
attributes may be wrong: a unit is accepted only if the values fit it.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from tamrl import classes, units
from tamrl.errors import ConfigError, UnitError, near
from tamrl.intake import document
from tamrl.options import Strict

if TYPE_CHECKING:
    import xarray as xr

FILE = Path(__file__).parent / "data/variables.yaml"

FILL_VALUES = (-9999.0, -9999.9, -6999.0, 1e20, 9.969209968386869e36)
"""Numbers that mean "missing" in files that do not declare them, as do all magnitudes above 1e19."""

FILLED = "filled_drivers"
"""Variable (time, lat, lon) with the number of composite drivers that are filled; its attribute `of` is their total number."""


LAND_SOURCES = ("cds_era5_land", "earth_data_hub")
"""Sources of ERA5-Land."""


class Alias(Strict):
    """Name and unit of a variable in a source."""

    name: str
    units: str
    function: Literal["saturation_vapour_pressure"] | None = None
    """Function of each value, applied before means over time are taken; `units` is that of its result."""

    @property
    def stored_name(self) -> str:
        """Name in files of days that are made of hours."""
        return f"{self.function}_of_{self.name}" if self.function else self.name

    @property
    def is_amount(self) -> bool:
        """Whether values are amounts per day, which are summed over a day, not means."""
        return self.units.endswith("d-1")


class Era5Entry(Strict):
    """Names of a variable of ERA5 and ERA5-Land in files, in orders to the Climate Data Store, in ARCO-ERA5 and in GRIB."""

    short_name: str
    """Name in NetCDF files, such as t2m."""
    name: str
    """Name in orders and in the public store of hours, such as 2m_temperature."""
    grib: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")]
    """ECMWF's parameter and table, such as 167.128."""
    units: str
    """Unit of the values; amounts are per day (d-1), whatever the steps of the files are."""
    land: bool = True
    """Whether ERA5-Land has it."""

    @property
    def daily_statistic(self) -> Literal["daily_mean", "daily_sum"]:
        """The daily statistic to order from the Climate Data Store."""
        return "daily_sum" if self.aliases["cds_era5"].is_amount else "daily_mean"

    @property
    def aliases(self) -> dict[str, Alias]:
        """Name and unit for each source of ERA5."""
        files, store = Alias(name=self.short_name, units=self.units), Alias(name=self.name, units=self.units)
        return {"cds_era5": files, **(dict.fromkeys(LAND_SOURCES, files) if self.land else {}), "arco_era5": store}


class TowerAlias(Strict):
    """Column names of a variable in tower files, of which the first present one is used, and their unit."""

    names: tuple[str, ...]
    units: str


Bounds = tuple[float, float]


class Means(Strict):
    """Bounds of means, which reveal a wrong factor or season that single values hide; see `tamrl/data/variables.yaml`."""

    land: Bounds | None = None
    place: Bounds | None = None
    land_season: float | None = None
    place_season: float | None = None


class Variable(Strict):
    """One entry of the vocabulary."""

    units: str
    standard_name: str | None
    long_name: str
    range: Bounds
    peak: float | None = None
    means: Means = Means()
    daily: Literal["mean", "sum", "none"] = "none"
    role: Literal["dynamic", "static", "target", "quality"]
    classes: Literal["igbp", "koppen"] | None = None
    derived: str | None = None
    towers: TowerAlias | None = None
    era5: Era5Entry | None = None
    sources: dict[str, Alias] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _add_era5(self) -> "Variable":
        if self.era5:
            for source, alias in self.era5.aliases.items():
                self.sources.setdefault(source, alias)
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """The classes of a fraction, or an empty tuple."""
        return {"igbp": classes.IGBP, "koppen": classes.KOPPEN}.get(self.classes or "", ())


def vocabulary() -> dict[str, Variable]:
    """Return all entries by canonical name; raise `ConfigError` for a malformed file."""
    return read_vocabulary(FILE)


@cache
def read_vocabulary(file: Path) -> dict[str, Variable]:
    """Read the entries of a file by canonical name; raise `ConfigError` if it is malformed."""
    try:
        return {name: Variable(**entry) for name, entry in document.read_document(file).items()}
    except (ValueError, TypeError) as error:
        raise ConfigError("the vocabulary cannot be read", where=file, found=error) from error


def get(name: str) -> Variable:
    """Return an entry; raise `ConfigError` with similar names if there is none."""
    known = vocabulary()
    if name not in known:
        raise ConfigError(f"no variable named {name!r}", where=FILE, todo=near(name, known))
    return known[name]


def era5_entry(short_name: str) -> Era5Entry:
    """Return the names of the ERA5 variable whose name in files is `short_name`; raise `ConfigError` if no entry has it."""
    known = {entry.era5.short_name: entry.era5 for entry in vocabulary().values() if entry.era5}
    if short_name not in known:
        todo = f"give the variable an entry `era5`; {near(short_name, known)}"
        raise ConfigError(f"ERA5's {short_name} is in no entry of the vocabulary", where=FILE, todo=todo)
    return known[short_name]


def aliases_of(name: str, source: str) -> list[Alias]:
    """Return what the vocabulary makes of the variable `name` of a source: its values first, then functions of them."""
    aliases = [entry.sources[source] for entry in vocabulary().values() if source in entry.sources]
    return sorted((alias for alias in aliases if alias.name == name), key=lambda alias: alias.function or "")


def name_without_function(alias: Alias) -> str:
    """Return the canonical name of what the function of an alias is applied to; raise `ConfigError` if no entry has it."""
    for name, entry in vocabulary().items():
        if any(other.name == alias.name and other.function is None for other in entry.sources.values()):
            return name
    raise ConfigError(f"no entry of the vocabulary is {alias.name} itself", where=FILE, todo="add an entry without `function`")


def grib_names() -> dict[tuple[int, int], str]:
    """Return the short names of the parameters of ECMWF, by table and number."""
    entries = [entry.era5 for entry in vocabulary().values() if entry.era5]
    codes = {entry.short_name: entry.grib.split(".") for entry in entries}
    return {(int(table), int(number)): name for name, (number, table) in codes.items()}


def mask_fill(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace fill values by NaN; return the array (float) and the number of replaced values."""
    values = np.array(values, dtype=np.result_type(values, np.float32))
    missing = np.isin(values, np.asarray(FILL_VALUES, dtype=values.dtype)) | (np.abs(values) > 1e19)
    values[missing] = np.nan
    return values, int(missing.sum())


def canonical(values: "xr.DataArray", *, name: str, source_units: str, where: object) -> "xr.DataArray":
    """Rename a variable, convert it to the unit of the vocabulary and set its attributes; lazy values stay lazy.

    Parameters
    ----------
    values : any shape, in `source_units`
    name : name in the vocabulary
    where : source of the values, for the attribute `source` and for errors
    """
    entry = get(name)
    converted = units.convert(values, source=source_units, target=entry.units, where=f"{where}, {name}").astype("float32")
    converted.attrs = attributes(name) | {"source": str(where)}
    return converted.rename(name)


def attributes(name: str) -> dict[str, str]:
    """Return the CF attributes of a variable: units, long_name and, if CF has one, standard_name."""
    entry = get(name)
    names = {"units": entry.units, "long_name": entry.long_name}
    return names | ({"standard_name": entry.standard_name} if entry.standard_name else {})


def check_range(values: np.ndarray, *, name: str, where: object, tolerance: float = 0.0) -> None:
    """Refuse values outside the vocabulary's valid range (any shape, canonical units, NaN allowed).

    Parameters
    ----------
    tolerance : share of the finite values that may lie outside (spikes that a later quality test removes)

    Raises
    ------
    UnitError
        With the range of the values; the usual reason is a wrong unit.
    """
    low, high = get(name).range
    values = np.asarray(values)
    if values.size and low <= np.fmin.reduce(values, axis=None) and np.fmax.reduce(values, axis=None) <= high:
        return  # the usual case, without a copy; an array of only NaN continues below
    finite = values[np.isfinite(values)]
    outside = (finite < low) | (finite > high)
    if finite.size and outside.mean() > tolerance:
        raise UnitError(
            f"{name} must lie within {low} and {high} {get(name).units}",
            where=where,
            found=f"values from {finite.min():.6g} to {finite.max():.6g}, {outside.mean():.1%} outside",
            todo="check the unit: its attribute or column map probably says something else than the values",
        )

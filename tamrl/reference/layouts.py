"""What a product of others declares: how it is published. The reader and its checks follow from that alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tamrl import registry

QUANTITIES = {"gpp": "gpp", "reco": "reco", "nee": "nee", "nbe": "nee"}
"""Quantities of products, and the flux of a run that each is compared with. `nbe` is the net biome exchange, positive towards
the atmosphere, with fire, harvest and lateral fluxes: it is not NEE, and tables and figures name it."""

GRAMS = ("gC m-2 d-1",)
KILOGRAMS = ("kgC m-2 s-1", "kg m-2 s-1")
"""Units of many products, with their spellings."""

Steps = Literal["month", "day", "8 days"]
"""Length of the steps of a product; steps of eight days follow each other from any date."""

LAND_OF_RUN = "run"
"""The land fraction comes from the run: the product has none, and its cells are partly sea."""

PIXELS = "pixels"
"""Each pixel with a value is land, as in products of 0.05° from satellites."""


@dataclass(frozen=True)
class FluxVariable:
    """How a quantity follows from variables of the files."""

    terms: Mapping[str, float]
    """Variable: factor. The sum is gpp, reco, or a net flux that is positive towards the atmosphere."""
    units: tuple[str, ...]
    """Units of the variables: the first is that of the numbers, the others are accepted spellings of it."""
    std: str | None = None
    """Variable with the standard deviation, of the same unit."""


@dataclass(frozen=True)
class GriddedLayout:
    """A gridded product."""

    quantities: Mapping[str, FluxVariable]
    """Keys of `QUANTITIES`."""
    files: str
    """Regular expression of the names of its files. Groups: `variable`, which a file holds alone, and `year`, `month`, `day`,
    `doy` (day of the year), which date it."""
    example: str
    """Name of a file, for errors and documents."""
    per: Literal["land", "cell", "total"]
    """The flux is a mean over the land of a cell, a mean over the cell, or its total; a total is divided by `area`."""
    land: str = LAND_OF_RUN
    """`LAND_OF_RUN`, `PIXELS`, or the variable with the land fraction (0 to 1), for fluxes per land."""
    steps: Steps = "month"
    dated_by: Literal["axis", "name"] = "axis"
    """Whether times stand in the file, or in its name alone."""
    yearly: bool = False
    """Whether a file holds a calendar year, so that a file of fewer steps is incomplete."""
    time: str | None = None
    """The time coordinate, where it is not called `time`."""
    area: str | None = None
    """Variable with the area of each cell (m2)."""
    members: str | None = None
    """Dimension of an ensemble, of which the mean is taken."""
    select: Mapping[str, int] = field(default_factory=dict)
    """Further dimensions of variables, and the position that is read."""
    fill: tuple[float, ...] = ()
    """Stored numbers that are missing values, although the file may not say so."""
    scale: float = 1.0
    """Factor of stored numbers that the file does not state."""
    scale_attributes: tuple[str, str] | None = None
    """Global attributes with a factor and a fill value that CF does not know."""
    states_units: bool = True
    """Whether the files state their units. Otherwise only the size of the fluxes is checked."""
    raster: bool = False
    """GeoTIFF of one band instead of NetCDF."""
    zero_is_sea: bool = False
    """Whether cells that are zero at all times are sea."""
    valid_years: tuple[str, str] | None = None
    """Global attributes with the first and last year that are valid."""


@dataclass(frozen=True)
class BudgetLayout:
    """A table of global totals, one row a year."""

    columns: Mapping[str, Mapping[str, float]]
    """Quantity: column and factor; the sum is positive towards the atmosphere (gpp and reco: positive)."""
    sheet: str
    """Sheet of the workbook, whose text the CSV holds."""
    example: str
    year: str = "Year"
    units: str = "GtC yr-1"


Layout = GriddedLayout | BudgetLayout


def holds_maps(plugin: str) -> bool:
    """Whether a product is gridded; otherwise it is a table of totals."""
    return isinstance(registry.load_compared(plugin).LAYOUT, GriddedLayout)

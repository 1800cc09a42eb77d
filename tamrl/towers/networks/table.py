"""Any table of tower records, CSV or Parquet: its columns and units are named in the configuration.

The defaults fit a table with the column names of FLUXNET2015, one row per tower and day.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tamrl.alternatives import Kind
from tamrl.calendar import Step
from tamrl.errors import ConfigError
from tamrl.options import Strict
from tamrl.plugins import NetworkCapabilities

if TYPE_CHECKING:
    import pandas as pd

CAPABILITIES = NetworkCapabilities(alternatives=True)
COLUMNS: dict[str, str | None] = {
    "site": "site",
    "date": "date",
    "lat": "lat",
    "lon": "lon",
    "igbp": "igbp",
    "koppen": "climate5",
    "gpp": "GPP_{partitioning}_VUT_REF",
    "reco": "RECO_{partitioning}_VUT_REF",
    "nee": "NEE_VUT_REF",
    "nee_qc": "NEE_VUT_REF_QC",
    "air_temperature": "TA_F",
    "vapour_pressure_deficit": "VPD_F",
    "shortwave_radiation": "SW_IN_F",
    "precipitation": "mm_P_ERA",
    "evi": "mm_EVI",
    "lai": "mm_LAI",
}
"""Columns of FLUXNET2015."""


class Options(Strict):
    """The file, its columns and their units."""

    path: str | None = None
    """CSV or Parquet file."""
    columns: dict[str, str | None] = Field(default_factory=lambda: dict(COLUMNS))
    """Canonical name: column. `{partitioning}` becomes NT or DT; null leaves a variable out. Keys: site, date, gpp, reco, nee,
    nee_qc, any dynamic variable of the vocabulary, and lat, lon, igbp, koppen, elevation, utc_offset, managed of the tower.
    Without nee_qc every record counts as measured; without reco it is nee + gpp. Drivers, igbp and koppen that the file does not
    have under their default columns are left out."""
    units: dict[str, str] = Field(default_factory=dict)
    """Canonical name: unit of its column, where it is not the unit of tower files (`tamrl/data/variables.yaml`). Fluxes may be
    a mass of carbon (`g m-2 d-1`, `kgC m-2 s-1`), of CO2 (`gCO2 m-2 d-1`), or moles (`umol m-2 s-1`)."""
    monthly: dict[str, Literal["step", "line", "smooth"]] = Field(default_factory=dict)
    """Canonical name of a driver whose column repeats a monthly value on each day: how it comes to the days. `step` leaves
    it, `line` joins the middles of the months, `smooth` does so and keeps the mean of each month. A monthly run takes means."""
    daily: bool = False
    """The file has one row per day. A monthly run uses monthly means."""


def inputs(options: Options) -> list[str]:
    """Return the file; raise `ConfigError` for unknown keys and units."""
    if not options.path:
        raise ConfigError(
            "the network `table` needs a file", where="towers.table.path", found="null", todo="set it to a CSV or Parquet file"
        )
    if options.columns != Options().columns or options.units or options.monthly:
        from tamrl.towers.reader import flat_table

        flat_table.check_options(options)
    return [options.path]


def read(
    paths: list[Path],
    options: Options,
    *,
    partitioning: Literal["NT", "DT"],
    step: Step,
    ustar: Literal["REF", "USTAR50"] = "REF",
    alternatives: Sequence[Kind] = (),
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Read the records and sites of the table; see the contract in `networks`.

    Parameters
    ----------
    paths : the result of `inputs`
    partitioning, step, ustar, alternatives : as in `RecordChoice`
    """
    from tamrl.towers.reader import flat_table

    return flat_table.read_flat_table(
        paths[0], options, partitioning=partitioning, step=step, ustar=ustar, alternatives=alternatives
    )

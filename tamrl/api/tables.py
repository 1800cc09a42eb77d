"""Read towers and drivers of users with the readers of the workflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr
from pydantic import ValidationError

from tamrl import files, registry, stores
from tamrl.api.from_table import Place, TableForm, drivers_of_file
from tamrl.api.run import Run, open_run
from tamrl.calendar import Step
from tamrl.errors import ConfigError, InputError
from tamrl.intake import border
from tamrl.towers import survey
from tamrl.towers.reader.columns import Partitioning, Ustar
from tamrl.towers.reader.records import check_network


class TowerTables(NamedTuple):
    """Records and places of towers."""

    records: pd.DataFrame
    """One row a tower and step, `contracts.TOWERS`: fluxes in gC m-2 d-1, drivers in canonical units."""
    sites: pd.DataFrame
    """One row a tower, `contracts.SITES`."""


def read_towers(
    path: str | Path | Run,
    *,
    network: str = "table",
    step: Step = "day",
    partitioning: Partitioning = "NT",
    ustar: Ustar = "REF",
    columns: Mapping[str, str | None] | None = None,
    units: Mapping[str, str] | None = None,
) -> TowerTables:
    """Read towers: of a run, of a table, or of a folder of archives. Quality tests belong to a run and are not applied.

    Parameters
    ----------
    path : a run or its folder, a CSV or Parquet table, or a folder of archives
    network : how the files are read, `fluxnet2015` for example (docs/inputs.md)
    step : length of the steps
    partitioning, ustar : which GPP and RECO, and of which threshold of friction velocity
    columns, units : of a table, laid over the defaults of the network `table`

    Raises
    ------
    InputError, UnitError
        As the networks do; the first archive that cannot be read ends the reading.
    """
    place = path if isinstance(path, Run) else Path(path)
    if isinstance(place, Run) or (place.is_dir() and network == "table"):
        run = place if isinstance(place, Run) else open_run(place)
        return TowerTables(run.records, run.towers)
    plugin = registry.load_network(network)
    wanted: dict[str, Any] = {"path": str(place)} | ({"units": dict(units)} if units else {})
    try:
        wanted |= {"columns": plugin.Options().model_dump()["columns"] | dict(columns)} if columns else {}
        options = plugin.Options(**wanted)
    except (ValidationError, KeyError) as error:
        todo = "columns and units are those of tables; networks without files of yours are read by a run"
        raise ConfigError(f"the network {network} does not take these options", found=error, todo=todo) from None
    inputs = [Path(name) for name in plugin.inputs(options)]
    if absent := [name for name in inputs if not name.exists()]:
        raise InputError("there is no such file or folder", where=absent[0], todo="check the path")
    plan = survey.SurveyPlan(step, partitioning, ustar)
    frame, sites, _ = survey.read_tables(plugin, inputs, options, plan)
    return TowerTables(*check_network(frame, sites, where=place))


def read_drivers(
    path: str | Path,
    *,
    step: Step = "day",
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    place: Place | None = None,
) -> xr.Dataset:
    """Read drivers: of places from a table (site, time), or those of a run from `drivers/towers.nc` or `drivers/cube.zarr`.

    Parameters
    ----------
    path : a CSV or Parquet table, a NetCDF file, or the Zarr store of a cube
    step : length of the steps of a table
    columns, units, place : of a table, as `FluxPredictor.predict` takes them

    Returns
    -------
    Dataset
        In canonical units; the cube (time, lat, lon) is lazy.

    Raises
    ------
    InputError, UnitError
        Name the variable, unit, place or day at fault.
    """
    file = Path(path)
    if not file.exists():
        raise InputError("there is no such file", where=path, todo="check the path")
    if file.suffix in (".csv", ".parquet"):
        return drivers_of_file(file, TableForm(columns or {}, units or {}, place or Place()), step=step)
    if columns or units or place:
        raise InputError("columns, units and place are of tables", where=path, todo="leave them out")
    if file.is_dir():
        return stores.open_cube(file)
    with border.reading("the drivers cannot be read", where=path, todo="give a CSV, Parquet or NetCDF file, or a cube.zarr"):
        return xr.open_dataset(files.verified(file))

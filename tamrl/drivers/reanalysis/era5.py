"""Variables of ERA5 and ERA5-Land from folders of files."""

from collections.abc import Collection

import xarray as xr

from tamrl import variables
from tamrl.calendar import TimeAxis
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.drivers.reanalysis.time_steps import Accumulation


def open_files(
    source: str,
    folder: str,
    *,
    names: tuple[str, ...],
    axis: TimeAxis,
    accumulation: Accumulation,
    only: Collection[str] | None,
) -> dict[str, xr.DataArray]:
    """Variables from the NetCDF and GRIB files of a folder, lazy, on all steps of `axis`.

    Parameters
    ----------
    source : whose names and units in the vocabulary the files have
    accumulation : what hourly amounts are summed over (`time_steps.on_steps`)
    only : names of the files to read; what the others hold is missing
    """
    axis.need_years(source)
    datasets = list(netcdf.open_all(folder, only))
    paths, opened = {path for path, _ in datasets}, {}
    place = paths.pop() if len(paths) == 1 else folder  # what errors about all files name
    for name in names:
        alias = variables.get(name).sources[source].stored_name
        where = f"{place} ({alias})"
        raw = joining.join_series([ds[alias] for _, ds in datasets if alias in ds], where=where)
        opened[name] = time_steps.driver_on_steps(
            name, raw, source=source, axis=axis, accumulation=accumulation, where=where, partial=only is not None
        )
    return opened

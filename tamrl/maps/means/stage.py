"""Stage of the means of maps over time: `maps/{monthly,annual,8day}/{flux}_{label}.nc` and `maps/seasonal/{flux}_{span}.nc`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from tamrl import files, stores
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.log import progress
from tamrl.maps import blocks, cf, netcdf
from tamrl.maps.frame import Content, Frame
from tamrl.maps.land import describe_land
from tamrl.maps.means.periods import PERIODS, SUMMARY, Periods, period_fields, seasonal_fields
from tamrl.maps.origin import Origin
from tamrl.maps.products import Context
from tamrl.predictions import Predictions, open_predictions
from tamrl.sections.results import MapFormat, RunIdentity
from tamrl.workflow import stage

Fields = dict[str, np.ndarray]
"""Fields of all fluxes (period, lat, lon), by the names of their variables."""


@stage
def write_periods(
    *,
    manifest: str,
    cube: str,
    maps: list[str],
    format: MapFormat,
    identity: RunIdentity,
    label: str,
    period: str,
    code: str,
) -> None:
    """Write the means over calendar months, eight days or years of all fluxes, one file each.

    Parameters
    ----------
    manifest : `predictions/{label}.json`
    cube : `drivers/cube.zarr`
    maps : files of gpp, reco and nee to write, in the order of `carbon.FLUXES`
    period : `monthly`, `annual` or `8day`
    code : digest of the code, written into the files
    """
    opened = open_predictions(manifest, label=label, cube=cube)
    drivers = stores.open_cube(cube)
    periods = Periods.of(TimeAxis(opened.ds["time"].values, TimeAxis.of(drivers).step), period)
    axis = cf.FileAxis(periods.starts, PERIODS[period])
    frame = _frame(drivers, axis, format, identity, Origin.of(identity, [opened], cube=cube, code=code), opened)
    fields = _by_strips([opened], [periods], frame, lambda years, context: period_fields(years[0], context))
    _write_means(fields, maps, frame, product=period, label=label, means=f"{period} means")


@stage
def write_seasonal(
    *,
    manifests: list[str],
    cube: str,
    maps: list[str],
    labels: list[str],
    format: MapFormat,
    identity: RunIdentity,
    code: str,
) -> None:
    """Write the mean seasonal cycle of several years of all fluxes, one file each, with its variation between the years.

    Parameters
    ----------
    manifests, labels : `predictions/{label}.json` and its label, one each per mapped year
    cube : `drivers/cube.zarr`
    maps : files of gpp, reco and nee to write, in the order of `carbon.FLUXES`
    code : digest of the code, written into the files
    """
    years = zip(manifests, labels, strict=True)
    every = [open_predictions(manifest, label=label, cube=cube) for manifest, label in years]
    drivers = stores.open_cube(cube)
    periods = [Periods.of(TimeAxis(year.ds["time"].values, TimeAxis.of(drivers).step), "monthly") for year in every]
    span = f"{labels[0]}-{labels[-1]}"
    axis = cf.FileAxis(periods[0].starts, "month", years=span)
    frame = _frame(drivers, axis, format, identity, Origin.of(identity, every, cube=cube, code=code), every[0])
    fields = _by_strips(every, periods, frame, seasonal_fields)
    _write_means(fields, maps, frame, product="seasonal", label=span, means="mean seasonal cycle")


def _frame(
    drivers: xr.Dataset, axis: cf.FileAxis, format: MapFormat, identity: RunIdentity, origin: Origin, predictions: Predictions
) -> Frame:
    land = describe_land(drivers, vegetated_only=format.vegetated_only)
    return Frame(land, axis, format, origin, predictions.ds.sizes["member"], identity.virtual)


def _by_strips(
    every: Sequence[Predictions],
    periods: Sequence[Periods],
    frame: Frame,
    build: Callable[[Sequence[Mapping[str, np.ndarray]], Context], Fields],
) -> Fields:
    """Return global fields; `build` makes those of a strip of rows from its means of each year, member and flux."""
    strips: list[Fields] = []
    context = Context("", cf.UNITS[frame.format.units], frame.land.share, None, {}, bits=frame.format.significant_bits)
    for rows in progress(list(blocks.strips(every[0].ds["gpp"])), "periods"):
        years = []
        for year, of_year in zip(every, periods, strict=True):
            part = year.ds.isel(lat=rows)
            years.append(of_year.average(part["gpp"].values, part["reco"].values))
        strips.append(build(years, replace(context, share=frame.land.share[rows])))
    return {name: np.concatenate([strip[name] for strip in strips], axis=1) for name in strips[0]}


def _write_means(fields: Fields, outputs: Sequence[str], frame: Frame, *, product: str, label: str, means: str) -> None:
    """Write the fields of each flux; `means` names them in the titles."""
    coords = {"time": frame.axis.dataset()["time"].values, "lat": frame.land.lat, "lon": frame.land.lon}
    for flux, output in zip(FLUXES, outputs, strict=True):
        attributes = frame.flux_attributes(flux)
        variables = {
            name: (("time", "lat", "lon"), fields[name], attributes | names) for name, names in _field_names(flux, fields).items()
        }
        ds = xr.Dataset(variables, coords=coords)
        content = Content(product, f"{flux.upper()} {label}: {means}", cf.flux_names(flux)["long_name"], label, SUMMARY)
        slabs = [(slice(0, ds.sizes["time"]), {str(name): field.values for name, field in ds.data_vars.items()})]
        with files.atomic(output) as part:
            netcdf.write_netcdf(part, frame=frame.dataset(content), fields=ds, slabs=slabs, compression=frame.format.compression)


def _field_names(flux: str, fields: Fields) -> dict[str, dict[str, str]]:
    """Names of the fields of a flux: its mean, the spread of the members and, where there is one, the variation between years."""
    kinds = {"std": "standard deviation over the members of", "iav": "standard deviation over the years of"}
    further = {f"{flux}_{kind}": words for kind, words in kinds.items() if f"{flux}_{kind}" in fields}
    names = {flux: cf.flux_names(flux) | {"ancillary_variables": " ".join(further)}}
    for name, words in further.items():
        spread = cf.flux_names(flux, modifier="standard_error")
        if name.endswith("iav"):  # CF has no name for it
            spread = {key: value for key, value in spread.items() if key != "standard_name"}
        names[name] = spread | {"long_name": f"{words} {cf.flux_names(flux)['long_name']}"}
    return names

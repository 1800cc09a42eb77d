"""Stage of the means of maps over time: `maps/{monthly,annual,8day}/{flux}_{label}.nc` and `maps/seasonal/{flux}_{span}.nc`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from tamrl import calendar, files, stores
from tamrl.calendar import TimeAxis
from tamrl.carbon import FLUXES
from tamrl.log import progress
from tamrl.maps import blocks, cf, netcdf
from tamrl.maps.frame import Content, Frame
from tamrl.maps.intervals import interval_attributes
from tamrl.maps.land import Land, describe_land
from tamrl.maps.means.periods import PERIODS, SUMMARY, Periods, period_fields, seasonal_fields
from tamrl.maps.origin import Origin
from tamrl.maps.products import Context
from tamrl.maps.stage import read_applicability
from tamrl.predictions import Predictions, open_predictions
from tamrl.sections.results import MapFormat, RunIdentity
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

Fields = dict[str, np.ndarray]
"""Fields of all fluxes (period, lat, lon), by the names of their variables."""


@stage
def write_periods(
    *,
    manifest: str,
    cube: str,
    calibration: str,
    applicability: str,
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
    calibration, applicability : `evaluation/calibration.json` and `maps/applicability.nc`
    maps : files of gpp, reco and nee to write, in the order of `carbon.FLUXES`
    period : `monthly`, `annual` or `8day`
    code : digest of the code, written into the files
    """
    opened = open_predictions(manifest, label=label, cube=cube)
    drivers = stores.open_cube(cube)
    periods = Periods.of(TimeAxis(opened.ds["time"].values, TimeAxis.of(drivers).step), period)
    axis = cf.FileAxis(periods.starts, PERIODS[period])
    frame = _frame(drivers, axis, format, identity, Origin.of(identity, [opened], cube=cube, code=code), opened)
    tested = _Tested.read(calibration, applicability, frame)
    fields = _by_strips([opened], [periods], frame, tested, lambda years, *of_block: period_fields(years[0], *of_block))
    _write_means(fields, maps, frame, tested, Content(period, f"{period} means", "", label, SUMMARY))


@stage
def write_seasonal(
    *,
    manifests: list[str],
    cube: str,
    calibration: str,
    applicability: str,
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
    calibration, applicability : `evaluation/calibration.json` and `maps/applicability.nc`
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
    tested = _Tested.read(calibration, applicability, frame)
    fields = _by_strips(every, periods, frame, tested, seasonal_fields)
    _write_means(fields, maps, frame, tested, Content("seasonal", "mean seasonal cycle", "", span, SUMMARY))


def _frame(
    drivers: xr.Dataset, axis: cf.FileAxis, format: MapFormat, identity: RunIdentity, origin: Origin, predictions: Predictions
) -> Frame:
    land = describe_land(drivers, vegetated_only=format.vegetated_only)
    return Frame(land, axis, format, origin, predictions.ds.sizes["member"], identity.virtual)


@dataclass(frozen=True, eq=False)
class _Tested:
    """What held-out towers say of the means: of each flux its calibration and skill, and where they speak for the map."""

    contexts: dict[str, Context]
    """Of the whole map, by flux."""
    quality: dict[str, xr.DataArray]

    @classmethod
    def read(cls, calibration: str, applicability: str, frame: Frame) -> "_Tested":
        """Read them for the scale of the files."""
        calibrated, land, bits = Calibration.read(calibration), frame.land, frame.format.significant_bits
        contexts = {
            flux: Context(
                flux,
                cf.UNITS[frame.format.units],
                land.share,
                calibrated.at(frame.axis.scale, flux),
                frame.flux_attributes(flux, skill=calibrated.skill.get(flux)),
                land.igbp,
                bits=bits,
            )
            for flux in FLUXES
        }
        return cls(contexts, read_applicability(applicability, calibrated))

    def rows(self, rows: slice, land: Land) -> dict[str, Context]:
        """The contexts of a band of rows."""
        band = land.rows(rows)
        return {flux: replace(context, share=band.share, igbp=band.igbp) for flux, context in self.contexts.items()}


def _by_strips(
    every: Sequence[Predictions],
    periods: Sequence[Periods],
    frame: Frame,
    tested: _Tested,
    build: Callable[[Sequence[Mapping[str, np.ndarray]], Mapping[str, Context], np.ndarray | None, np.ndarray], Fields],
) -> Fields:
    """Return global fields; `build` makes those of a strip of rows from its means of each year, member and flux."""
    strips: list[Fields] = []
    months = None if frame.axis.period == "year" else calendar.month(frame.axis.starts)
    for rows in progress(list(blocks.strips(every[0].ds["gpp"])), "periods"):
        years = []
        for year, of_year in zip(every, periods, strict=True):
            part = year.ds.isel(lat=rows)
            years.append(of_year.average(part["gpp"].values, part["reco"].values))
        strips.append(build(years, tested.rows(rows, frame.land), months, frame.land.lat[rows]))
    return {name: np.concatenate([strip[name] for strip in strips], axis=1) for name in strips[0]}


def _write_means(fields: Fields, outputs: Sequence[str], frame: Frame, tested: _Tested, content: Content) -> None:
    """Write the fields of each flux; the title of `content` names the means."""
    coords = {"time": frame.axis.dataset()["time"].values, "lat": frame.land.lat, "lon": frame.land.lon}
    for flux, output in zip(FLUXES, outputs, strict=True):
        context = tested.contexts[flux]
        variables = {
            name: (("time", "lat", "lon"), fields[name], dict(context.attributes) | names)
            for name, names in _field_names(context, fields).items()
        }
        ds = xr.Dataset(variables, coords=coords)
        title = f"{flux.upper()} {content.label}: {content.title}"
        description = replace(content, title=title, fluxes=cf.flux_names(flux)["long_name"])
        slabs = [(slice(0, ds.sizes["time"]), {str(name): field.values for name, field in ds.data_vars.items()})]
        static = frame.dataset(description, tested.quality)
        with files.atomic(output) as part:
            netcdf.write_netcdf(part, frame=static, fields=ds, slabs=slabs, compression=frame.format.compression)


def _field_names(context: Context, fields: Fields) -> dict[str, dict[str, object]]:
    """Names of the fields of a flux: its mean and interval, the spread of the members and the variation between years."""
    flux, names = context.flux, cf.flux_names(context.flux)
    kinds = {
        "member_std": f"standard deviation over the members of {names['long_name']}, a part of the predictive one",
        "iav": f"standard deviation over the years of {names['long_name']}",
    }
    further = dict(interval_attributes(context))
    further |= {f"{flux}_{kind}": {"long_name": words} for kind, words in kinds.items() if f"{flux}_{kind}" in fields}
    mean: dict[str, object] = {**names, "ancillary_variables": " ".join([*further, "applicability"])}
    return {flux: mean} | further

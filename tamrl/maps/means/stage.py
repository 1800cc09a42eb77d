"""Stage of the means of maps over time: `maps/{monthly,annual,8day}/{flux}_{label}.nc` and `maps/seasonal/{flux}_{span}.nc`."""

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr

from tamrl import files, stores
from tamrl.carbon import FLUXES
from tamrl.log import progress
from tamrl.maps import about, blocks, cf, export, land, rounding
from tamrl.maps.means import periods
from tamrl.maps.predictions import Predictions, open_predictions
from tamrl.maps.products import Context
from tamrl.sections.results import MapFormat
from tamrl.workflow import stage

Strip = tuple[xr.DataArray, xr.DataArray]
"""gpp and reco of some rows (member, time, lat, lon)."""


@stage
def write_periods(
    *,
    manifest: str,
    cube: str,
    maps: list[str],
    predictions: str,
    format: MapFormat,
    run: str,
    config_digest: str,
    label: str,
    period: str,
    code: str,
    virtual: bool = False,
) -> None:
    """Write the means over calendar months, eight days or years of all fluxes, one file each.

    Parameters
    ----------
    maps : list of path
        Of gpp, reco and nee, in the order of `carbon.FLUXES`.
    period : str
        `monthly`, `annual` or `8day`; other keywords as of `maps.stage.write_product`.
    """
    opened = open_predictions(predictions, manifest, label=label, cube=cube)
    drivers, ds = stores.open_cube(cube), opened.ds
    whole = land.describe_land(drivers, vegetated_only=format.vegetated_only)
    own = periods.groups(ds["time"].values, step=about.step_of(drivers)[0], period=period)
    found = _by_strips(
        [opened], whole, format, lambda strips, context: periods.build(periods.of_members(*next(strips), own), context)
    )
    axis = cf.time_axis(own.starts, step=periods.PERIODS[period])
    told = {"product": period, "label": label, "step": periods.PERIODS[period], "means": f"{period} means"}
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code} | about.origin([opened], cube)
    _write_means(found, maps, opened, whole, axis=axis, format=format, told=told, made_by=made_by, virtual=virtual)


@stage
def write_seasonal(
    *,
    manifests: list[str],
    cube: str,
    maps: list[str],
    predictions: list[str],
    labels: list[str],
    format: MapFormat,
    run: str,
    config_digest: str,
    code: str,
    virtual: bool = False,
) -> None:
    """Write the mean seasonal cycle of several years of all fluxes, one file each, with its variation between the years.

    Parameters
    ----------
    manifests, predictions, labels : list
        `predictions/{label}.json`, the store that it speaks of, and the label: one each per mapped year.
    maps : list of path
        Of gpp, reco and nee; other keywords as of `maps.stage.write_product`.
    """
    every = [
        open_predictions(store, manifest, label=label, cube=cube)
        for manifest, store, label in zip(manifests, predictions, labels, strict=True)
    ]
    drivers = stores.open_cube(cube)
    whole, step = land.describe_land(drivers, vegetated_only=format.vegetated_only), about.step_of(drivers)[0]
    own = [periods.groups(one.ds["time"].values, step=step, period="monthly") for one in every]

    def cycle(strips: Iterator[Strip], context: Context) -> dict[str, np.ndarray]:
        """Fields of the strips, one of each year."""
        return periods.seasonal([periods.of_members(*strip, o) for strip, o in zip(strips, own, strict=True)], context)

    found = _by_strips(every, whole, format, cycle)
    span = f"{labels[0]}-{labels[-1]}"
    axis = cf.time_axis(own[0].starts, step="month", period=span)
    told = {"product": "seasonal", "label": span, "step": "climatology", "means": "mean seasonal cycle"}
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code} | about.origin(every, cube)
    _write_means(found, maps, every[0], whole, axis=axis, format=format, told=told, made_by=made_by, virtual=virtual)


def _by_strips(
    every: list[Predictions],
    whole: land.Land,
    format: MapFormat,
    build: Callable[[Iterator[Strip], Context], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Fields (period, lat, lon) of the globe; `build` makes them of a strip of rows, of each year as it asks for it."""
    strips: list[dict[str, np.ndarray]] = []
    for rows in progress(list(blocks.strips(every[0].ds["gpp"])), "periods"):
        context = Context("", cf.UNITS[format.units], whole.share[rows], None, {}, bits=format.significant_bits)
        parts = (one.ds.isel(lat=rows) for one in every)
        strips.append(build(((part["gpp"].load(), part["reco"].load()) for part in parts), context))
    return {name: np.concatenate([strip[name] for strip in strips], axis=1) for name in strips[0]}


def _write_means(
    found: dict[str, np.ndarray],
    outputs: list[str],
    predictions: Predictions,
    whole: land.Land,
    *,
    axis: xr.Dataset,
    format: MapFormat,
    told: dict[str, str],
    made_by: dict[str, str],
    virtual: bool,
) -> None:
    """Write the fields of each flux; `told` has `product`, `label`, `step` and what the `means` are."""
    ds, bits = predictions.ds, format.significant_bits
    coords = {"time": axis["time"].values, "lat": ds["lat"].values, "lon": ds["lon"].values}
    for flux, output in zip(FLUXES, outputs, strict=True):
        attributes = cf.flux_attributes(flux, units=format.units, step=told["step"], land=whole, skill=None)
        attributes["comment"] += rounding.stated(bits)
        given = {name: attributes | own for name, own in _described(flux, found).items()}
        fields = xr.Dataset({name: (("time", "lat", "lon"), found[name], own) for name, own in given.items()}, coords=coords)
        frame = cf.frame(lat=ds["lat"].values, lon=ds["lon"].values, axis=axis, land=whole, quality=None)
        own = told | {"title": f"{flux.upper()} {told['label']}: {told['means']}", "names": cf.names(flux)["long_name"]}
        own |= {"first": (periods.__doc__ or "").splitlines()[0]}
        frame.attrs = about.attributes(own, predictions, axis, format, made_by, virtual=virtual)
        slabs = [(slice(0, axis.sizes["time"]), {str(n): f.values for n, f in fields.data_vars.items()})]
        with files.atomic(output) as part:
            export.write(part, frame=frame, fields=fields, slabs=slabs, compression=format.compression)


def _described(flux: str, found: dict[str, np.ndarray]) -> dict[str, dict[str, str]]:
    """Names of the fields of a flux that were found: its mean, the spread of the members, the variation between years."""
    kinds = {"std": "standard deviation over the members of", "iav": "standard deviation over the years of"}
    beside = {f"{flux}_{kind}": words for kind, words in kinds.items() if f"{flux}_{kind}" in found}
    given = {flux: cf.names(flux) | {"ancillary_variables": " ".join(beside)}}
    for name, words in beside.items():
        own = cf.names(flux, modifier="standard_error")
        if name.endswith("iav"):  # CF has no name for it
            own = {key: value for key, value in own.items() if key != "standard_name"}
        given[name] = own | {"long_name": f"{words} {cf.names(flux)['long_name']}"}
    return given

"""Stage of the maps: `maps/{flux}_{label}.nc`, its members, further products, and `budgets.csv`."""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import xarray as xr

from tamrl import contracts, files, provenance, registry, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.maps import acdd, blocks, budgets, catalogue, cf, export, geotiff, land, periods, rounding
from tamrl.maps.predictions import Predictions, open_predictions
from tamrl.maps.products import Context

LOG = logging.getLogger(__name__)

ZARR = {"time": 31, "lat": 90, "lon": 180}
"""Chunk of the exported store: a month of an eighth of each axis is a map of 2 MB, a series of a year is twelve chunks."""


def write_map(**inputs: Any) -> None:
    """Write the main product, `ensemble`: mean, predictive spread and calibrated quantiles; inputs as of `write_product`."""
    write_product(product="ensemble", **inputs)


def write_product(
    *,
    product: str,
    manifest: str,
    cube: str,
    calibration: str,
    applicability: str,
    output: str,
    store: str,
    maps: dict[str, Any],
    run: str,
    config_digest: str,
    flux: str,
    label: str,
    code: str,
) -> None:
    """Write a product of a flux.

    Parameters
    ----------
    product : str
        A module of `tamrl.maps.products`.
    manifest, store : path
        `predictions/{label}.json` and the store that it speaks of.
    cube, calibration, applicability : path
        `drivers/cube.zarr`, `evaluation/calibration.json` and `maps/applicability.nc`.
    output : path
        The file to write.
    maps : dict
        `units`, `vegetated_only`, `compression` and `significant_bits` of the configuration.
    run, config_digest, code : str
        Written into the file.

    Raises
    ------
    PluginError, ContractError
        Where the product is unknown, or the inputs do not belong together; nothing is written then.
    """
    predictions = open_predictions(store, manifest, label=label, cube=cube)
    with xr.open_dataset(applicability, mask_and_scale=False) as mask:
        flags = mask[["applicability"]].load()
    calibrated = files.read_json(calibration)
    if flux not in calibrated:
        raise ContractError(f"no calibration for {flux}", where=calibration, found=sorted(calibrated))
    extra = {"calibration": calibrated[flux], "skill": calibrated.get("skill", {}).get(flux), "applicability": flags}
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code}
    _write(product, output, predictions, cube=cube, maps=maps, flux=flux, label=label, made_by=made_by, **extra)


def write_members(
    *,
    manifest: str,
    cube: str,
    output: str,
    store: str,
    maps: dict[str, Any],
    run: str,
    config_digest: str,
    flux: str,
    label: str,
    code: str,
) -> None:
    """Write the members of a flux; keywords as of `write_product`."""
    predictions = open_predictions(store, manifest, label=label, cube=cube)
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code}
    _write("members", output, predictions, cube=cube, maps=maps, flux=flux, label=label, made_by=made_by)


def write_periods(
    *,
    manifest: str,
    cube: str,
    outputs: list[str],
    store: str,
    maps: dict[str, Any],
    run: str,
    config_digest: str,
    label: str,
    period: str,
    code: str,
) -> None:
    """Write the means over calendar months, eight days or years of all fluxes, one file each.

    Parameters
    ----------
    outputs : list of path
        Of gpp, reco and nee, in the order of `carbon.FLUXES`.
    period : str
        `monthly`, `annual` or `8day`; other keywords as of `write_product`.
    """
    predictions = open_predictions(store, manifest, label=label, cube=cube)
    drivers, ds = stores.open_cube(cube), predictions.ds
    whole = land.describe(drivers, vegetated_only=maps["vegetated_only"])
    own = periods.groups(ds["time"].values, step=_step(drivers)[0], period=period)
    found = _by_strips(
        [predictions], whole, maps, lambda strips, context: periods.build(periods.of_members(*strips[0], own), context)
    )
    axis = cf.time_axis(own.starts, step=periods.STEPS[period])
    about = {"product": period, "label": label, "step": periods.STEPS[period], "means": f"{period} means"}
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code} | _origin([predictions], cube)
    _write_means(found, outputs, predictions, whole, axis=axis, maps=maps, about=about, made_by=made_by)


def write_seasonal(
    *,
    manifests: list[str],
    cube: str,
    outputs: list[str],
    predictions: list[str],
    labels: list[str],
    maps: dict[str, Any],
    run: str,
    config_digest: str,
    code: str,
) -> None:
    """Write the mean seasonal cycle of several years of all fluxes, one file each, with its variation between the years.

    Parameters
    ----------
    manifests, predictions, labels : list
        `predictions/{label}.json`, the store that it speaks of, and the label: one each per mapped year.
    outputs : list of path
        Of gpp, reco and nee; other keywords as of `write_product`.
    """
    every = [
        open_predictions(store, manifest, label=label, cube=cube)
        for manifest, store, label in zip(manifests, predictions, labels, strict=True)
    ]
    drivers = stores.open_cube(cube)
    whole, step = land.describe(drivers, vegetated_only=maps["vegetated_only"]), _step(drivers)[0]
    own = [periods.groups(one.ds["time"].values, step=step, period="monthly") for one in every]

    def cycle(strips: list[tuple[xr.DataArray, xr.DataArray]], context: Context) -> dict[str, np.ndarray]:
        """Fields of the strips, one of each year."""
        return periods.seasonal([periods.of_members(*strip, o) for strip, o in zip(strips, own, strict=True)], context)

    found = _by_strips(every, whole, maps, cycle)
    span = f"{labels[0]}-{labels[-1]}"
    axis = cf.time_axis(own[0].starts, step="month", period=span)
    about = {"product": "seasonal", "label": span, "step": "climatology", "means": "mean seasonal cycle"}
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code} | _origin(every, cube)
    _write_means(found, outputs, every[0], whole, axis=axis, maps=maps, about=about, made_by=made_by)


def _by_strips(
    every: list[Predictions],
    whole: land.Land,
    maps: dict[str, Any],
    build: Callable[[list[tuple[xr.DataArray, xr.DataArray]], Context], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Fields (period, lat, lon) of the globe; `build` makes them from gpp and reco of a strip of rows, of each year."""
    strips: list[dict[str, np.ndarray]] = []
    for rows in progress(list(blocks.strips(every[0].ds)), "periods"):
        context = Context("", cf.UNITS[maps["units"]], whole.share[rows], None, {}, bits=maps.get("significant_bits"))
        parts = [one.ds.isel(lat=rows) for one in every]
        strips.append(build([(part["gpp"].load(), part["reco"].load()) for part in parts], context))
    return {name: np.concatenate([strip[name] for strip in strips], axis=1) for name in strips[0]}


def _write_means(
    found: dict[str, np.ndarray],
    outputs: list[str],
    predictions: Predictions,
    whole: land.Land,
    *,
    axis: xr.Dataset,
    maps: dict[str, Any],
    about: dict[str, str],
    made_by: dict[str, str],
) -> None:
    """Write the fields of each flux; `about` tells `product`, `label`, `step` and what the `means` are."""
    ds, bits = predictions.ds, maps.get("significant_bits")
    coords = {"time": axis["time"].values, "lat": ds["lat"].values, "lon": ds["lon"].values}
    for flux, output in zip(FLUXES, outputs, strict=True):
        attributes = cf.flux_attributes(flux, units=maps["units"], step=about["step"], land=whole, skill=None)
        attributes["comment"] += rounding.stated(bits)
        given = {name: attributes | own for name, own in _described(flux, found).items()}
        fields = xr.Dataset({name: (("time", "lat", "lon"), found[name], own) for name, own in given.items()}, coords=coords)
        frame = cf.frame(lat=ds["lat"].values, lon=ds["lon"].values, axis=axis, land=whole, applicability=None)
        told = about | {"title": f"{flux.upper()} {about['label']}: {about['means']}", "names": cf.names(flux)["long_name"]}
        told |= {"first": (periods.__doc__ or "").splitlines()[0]}
        frame.attrs = _attributes(told, predictions, axis, maps, made_by)
        slabs = [(slice(0, axis.sizes["time"]), {str(n): f.values for n, f in fields.data_vars.items()})]
        with files.atomic(output) as part:
            export.write(part, frame=frame, fields=fields, slabs=slabs, compression=maps["compression"])


def _described(flux: str, found: dict[str, np.ndarray]) -> dict[str, dict[str, str]]:
    """Names of the fields of a flux that were found: its mean, the spread of the members, the variation between years."""
    kinds = {"std": "standard deviation over the members of", "iav": "standard deviation over the years of"}
    beside = {f"{flux}_{kind}": words for kind, words in kinds.items() if f"{flux}_{kind}" in found}
    given = {flux: cf.names(flux) | {"ancillary_variables": " ".join(beside)}}
    for name, words in beside.items():
        own = cf.names(flux, modifier="standard_error") if name.endswith("std") else cf.names(flux)
        own.pop("standard_name", None) if name.endswith("iav") else None
        given[name] = own | {"long_name": f"{words} {cf.names(flux)['long_name']}"}
    return given


def write_exports(
    *, maps: list[str], monthly: list[str], output: str, exports: list[str], run: str, label: str, code: str
) -> None:
    """Write what other tools like best: monthly GeoTIFF with styles, one Zarr store of the main maps, and a STAC catalogue.

    Parameters
    ----------
    maps, monthly : list of path
        The main maps and the monthly means of gpp, reco and nee, in the order of `carbon.FLUXES`.
    output : path
        A folder with `geotiff/`, `{label}.zarr` and `stac/`.
    exports : list of str
        Any of `geotiff` and `zarr`.
    code : str
        Digest of the code; makes the rule run again.
    """
    folder = Path(output)
    with files.atomic(folder) as part:
        part.mkdir()
        by_month: dict[str, list[Path]] = {}
        for flux, path in zip(FLUXES, monthly, strict=True):
            with xr.open_dataset(path) as ds:
                months = list(ds["time"].values.astype("datetime64[M]"))
                for month in months:
                    by_month.setdefault(str(month), [])
                for raster in geotiff.write(part / "geotiff", ds, flux) if "geotiff" in exports else ():
                    by_month[raster.stem.split("_")[1]] += [raster, raster.with_suffix(".qml")]
        whole = [_zarr(part / f"{label}.zarr", maps)] if "zarr" in exports else []
        catalogue.write(part / "stac", run=run, label=label, months=months, files=by_month, whole=whole)
    LOG.info("%s: %d months, code %s", folder, len(months), code)


def _zarr(path: Path, maps: list[str]) -> Path:
    """One store (Zarr 2, which every reader knows, consolidated) of the main maps, its chunks made for maps and for series."""
    ds = xr.merge(
        [xr.open_dataset(file, chunks={"time": ZARR["time"]}) for file in maps], compat="override", combine_attrs="override"
    )
    for name, variable in ds.variables.items():
        kept = {k: v for k, v in variable.encoding.items() if k in ("_FillValue", "units", "calendar", "dtype")}
        chunks = tuple(min(ZARR.get(dim, size), size) for dim, size in zip(variable.dims, variable.shape, strict=True))
        ds[name].encoding = kept | ({"chunks": chunks} if variable.ndim else {})
    with dask.config.set(scheduler="single-threaded"):  # NetCDF-4 files are read one at a time
        ds.chunk({dim: size for dim, size in ZARR.items() if dim in ds.dims}).to_zarr(path, zarr_format=2, consolidated=True)
    return path


def sum_budgets(
    *,
    manifests: list[str],
    cube: str,
    output: str,
    members: str,
    trends: str,
    predictions: list[str],
    labels: list[str],
    maps: dict[str, Any],
) -> None:
    """Sum the members over the globe, latitude bands, boxes, climates and land-cover classes (`contracts.BUDGETS`, PgC yr-1).

    Parameters
    ----------
    manifests, predictions, labels : list
        `predictions/{label}.json`, the store that it speaks of, and the label: one each per mapped year.
    cube : path
        `drivers/cube.zarr`.
    output, members, trends : path
        `budgets.csv`, `budget_members.csv` and `budget_trends.csv`.
    maps : dict
        `vegetated_only` of the configuration.
    """
    drivers = stores.open_cube(cube)
    whole = land.describe(drivers, vegetated_only=maps["vegetated_only"])
    frames, apart = [], []
    for manifest, store, label in zip(manifests, predictions, labels, strict=True):
        ds = open_predictions(store, manifest, label=label, cube=cube).ds
        totals, days = _totals(ds, drivers, whole, label)
        frames.append(budgets.table(totals, label=label, days=days))
        apart.append(budgets.by_member(totals, label=label))
        LOG.info("%s: %s", label, budgets.line(frames[-1], apart[-1]))
    of_members = pd.concat(apart, ignore_index=True)
    _table(pd.concat(frames, ignore_index=True), contracts.BUDGETS, output, digits=6)
    _table(of_members, contracts.BUDGET_MEMBERS, members, digits=10)
    _table(budgets.trends(of_members), contracts.BUDGET_TRENDS, trends, digits=6)


def _table(table: pd.DataFrame, schema: Any, output: str, *, digits: int) -> None:
    checked = contracts.table(table, schema, where=output)
    with files.atomic(output) as part:
        checked.to_csv(part, index=False, float_format=f"%.{digits}g")


def _write(
    product: str,
    output: str,
    predictions: Predictions,
    *,
    cube: str,
    maps: dict[str, Any],
    flux: str,
    label: str,
    made_by: dict[str, str],
    calibration: dict[str, Any] | None = None,
    skill: str | None = None,
    applicability: xr.Dataset | None = None,
) -> None:
    """Write one product: frame, fields and how they came about."""
    module = registry.load(registry.PRODUCTS, product)
    drivers, ds = stores.open_cube(cube), predictions.ds
    whole = land.describe(drivers, vegetated_only=maps["vegetated_only"])
    step, period = _step(drivers)
    attributes = cf.flux_attributes(flux, units=maps["units"], step="climatology" if period else step, land=whole, skill=skill)
    bits = maps.get("significant_bits")
    attributes["comment"] += rounding.stated(bits)
    build = partial(_block, module, flux, cf.UNITS[maps["units"]], whole, calibration, attributes, bits)
    axis = cf.time_axis(ds["time"].values, step=step, period=period)
    frame = cf.frame(lat=ds["lat"].values, lon=ds["lon"].values, axis=axis, land=whole, applicability=applicability)
    about = {"title": module.TITLE.format(flux=flux.upper(), label=label), "names": cf.names(flux)["long_name"], "label": label}
    about |= {"first": (module.__doc__ or "").splitlines()[0], "product": product, "step": "climatology" if period else step}
    frame.attrs = _attributes(about, predictions, axis, maps, made_by | _origin([predictions], cube))
    fields = blocks.template(ds, flux, build)
    multiple = export.steps_per_chunk(dict(ds.sizes))
    per_step = sum(field.nbytes // field.shape[-2] for field in fields.data_vars.values()) * ds.sizes["lat"]
    time = list(blocks.steps(ds.sizes["time"], bytes_per_step=per_step, multiple=multiple))
    slabs = blocks.slabs(ds, flux, build, time=progress(time, f"{flux} {label}"))
    with files.atomic(output) as part:
        export.write(part, frame=frame, fields=fields, slabs=slabs, compression=maps["compression"])


def _attributes(
    about: dict[str, str], predictions: Predictions, axis: xr.Dataset, maps: dict[str, Any], made_by: dict[str, str]
) -> dict[str, Any]:
    """Global attributes of a file; `about` tells `title`, `names` of its fluxes, `label`, `first` sentence, `product`, `step`."""
    ds, now = predictions.ds, _now()
    found = acdd.attributes(
        lat=ds["lat"].values,
        lon=ds["lon"].values,
        bounds=_instants(axis),
        step=about["step"],
        name=f"{about['product']} {about['title']} {made_by['predictions_sha256']}",
        created=now,
        attribution=maps.get("attribution", {}),
    )
    return cf.global_attributes(
        title=about["title"],
        summary=f"{about['names']}, {about['label']}. {about['first']}",
        source=f"{ds.sizes['member']} members of the model {predictions.model!r} of tamrl, trained on eddy-covariance towers",
        history=f"{now}: tamrl wrote the product {about['product']!r}",
        made_by=found | made_by,
    )


def _instants(axis: xr.Dataset) -> np.ndarray:
    """Bounds (time, 2) of a time axis of `cf.time_axis` as datetime64."""
    (name,) = axis.data_vars
    origin = np.datetime64(axis["time"].attrs["units"].removeprefix("days since "), "D")
    return origin + axis[name].values.astype("timedelta64[D]")


def _block(
    module: Any,
    flux: str,
    units: str,
    whole: land.Land,
    calibration: dict[str, Any] | None,
    attributes: dict[str, Any],
    bits: int | None,
    members: xr.DataArray,
    parts: dict[str, xr.DataArray],
    rows: slice,
) -> xr.Dataset:
    """Fields of the block of `members` (member, time, lat, lon) whose cells are `rows` of the grid."""
    context = Context(flux, units, whole.share[rows], calibration, attributes, whole.rows(rows).igbp, parts, bits)
    return module.build(members, context)


def _totals(ds: xr.Dataset, cube: xr.Dataset, whole: land.Land, label: str) -> tuple[budgets.Totals, float]:
    """Sums of one label, added up block by block, and its length in days."""
    step, _ = _step(cube)
    bounds = cf.time_bounds(ds["time"].values, step)
    days = (bounds[:, 1] - bounds[:, 0]).astype(float)
    parts = []
    for rows in progress(list(blocks.strips(ds)), f"budgets {label}"):
        weights = land.regions(whole.rows(rows), ds["lat"].values[rows], ds["lon"].values)
        strip = ds.isel(lat=rows)
        per_step = sum(strip[name].nbytes for name in ("gpp", "reco")) // ds.sizes["time"]
        for when in blocks.steps(ds.sizes["time"], bytes_per_step=per_step):
            fluxes = {name: strip[name].isel(time=when).values for name in ("gpp", "reco")}
            parts.append(budgets.sums(**fluxes, days=days[when], regions=weights))
    totals = reduce(add, parts)
    share = budgets.missing(totals)
    level = logging.WARNING if share > budgets.NEVER_MISSING else logging.INFO
    LOG.log(level, "%s: %.2f %% of the land that carries flux has no value and is in no total", label, 100 * share)
    return totals, float(days.sum())


def _step(cube: xr.Dataset) -> tuple[str, str | None]:
    """Length of a step (`day` or `month`), and the years a climatology is the mean of (None where it is none)."""
    if "time_step" not in cube.attrs:
        raise ContractError("the cube does not say its time_step", found=sorted(cube.attrs))
    return cube.attrs["time_step"], cube.attrs.get("climatology")


def _origin(every: list[Predictions], cube: str) -> dict[str, str]:
    """What the file was made from, the predictions of one or several years, and with what."""
    software = ", ".join(f"{name} {version}" for name, version in provenance.software().items())
    return {
        "drivers_sha256": stores.digest(cube),
        "predictions_sha256": " ".join(predictions.digest for predictions in every),
        "model": every[0].model,
        "software": software,
        "git_revision": provenance.revision(),
    }


def _now() -> str:
    """The time of writing, or SOURCE_DATE_EPOCH where the same bytes are wanted again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Stage of the maps: `maps/{flux}_{label}.nc`, its members, further products, and `budgets.csv`."""

import logging
import os
from datetime import UTC, datetime
from functools import partial, reduce
from operator import add
from typing import Any

import pandas as pd
import xarray as xr

from tamrl import contracts, files, provenance, registry, stores
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.maps import blocks, budgets, cf, export, land
from tamrl.maps.predictions import Predictions, open_predictions
from tamrl.maps.products import Context

LOG = logging.getLogger(__name__)


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
        `units`, `vegetated_only` and `compression` of the configuration.
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


def sum_budgets(
    *, manifests: list[str], cube: str, output: str, predictions: list[str], labels: list[str], maps: dict[str, Any]
) -> None:
    """Sum the members over the globe, latitude bands and land-cover classes (`contracts.BUDGETS`, PgC yr-1).

    Parameters
    ----------
    manifests, predictions, labels : list
        `predictions/{label}.json`, the store that it speaks of, and the label: one each per mapped year.
    cube : path
        `drivers/cube.zarr`.
    output : path
        `budgets.csv`.
    maps : dict
        `vegetated_only` of the configuration.
    """
    drivers = stores.open_cube(cube)
    whole = land.describe(drivers, vegetated_only=maps["vegetated_only"])
    frames = []
    for manifest, store, label in zip(manifests, predictions, labels, strict=True):
        ds = open_predictions(store, manifest, label=label, cube=cube).ds
        frames.append(_budget(ds, drivers, whole, label))
    table = contracts.table(pd.concat(frames, ignore_index=True), contracts.BUDGETS, where=output)
    with files.atomic(output) as part:
        table.to_csv(part, index=False, float_format="%.6g")


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
    build = partial(_block, module, flux, cf.UNITS[maps["units"]], whole, calibration, attributes)
    axis = cf.time_axis(ds["time"].values, step=step, period=period)
    frame = cf.frame(lat=ds["lat"].values, lon=ds["lon"].values, axis=axis, land=whole, applicability=applicability)
    frame.attrs = cf.global_attributes(
        title=module.TITLE.format(flux=flux.upper(), label=label),
        summary=f"{cf.names(flux)['long_name']}, {label}. {(module.__doc__ or '').splitlines()[0]}",
        source=f"{ds.sizes['member']} members of the model {predictions.model!r} of tamrl, trained on eddy-covariance towers",
        history=f"{_now()}: tamrl wrote the product {product!r}",
        made_by=made_by | _origin(predictions, cube),
    )
    fields = blocks.template(ds, flux, build)
    multiple = export.steps_per_chunk(dict(ds.sizes))
    per_step = sum(field.nbytes // field.shape[-2] for field in fields.data_vars.values()) * ds.sizes["lat"]
    time = list(blocks.steps(ds.sizes["time"], bytes_per_step=per_step, multiple=multiple))
    slabs = blocks.slabs(ds, flux, build, time=progress(time, f"{flux} {label}"))
    with files.atomic(output) as part:
        export.write(part, frame=frame, fields=fields, slabs=slabs, compression=maps["compression"])


def _block(
    module: Any,
    flux: str,
    units: str,
    whole: land.Land,
    calibration: dict[str, Any] | None,
    attributes: dict[str, Any],
    members: xr.DataArray,
    rows: slice,
) -> xr.Dataset:
    """Fields of the block of `members` (member, time, lat, lon) whose cells are `rows` of the grid."""
    context = Context(flux, units, whole.share[rows], calibration, attributes, whole.rows(rows).igbp)
    return module.build(members, context)


def _budget(ds: xr.Dataset, cube: xr.Dataset, whole: land.Land, label: str) -> pd.DataFrame:
    """Rows of one label, added up block by block."""
    step, _ = _step(cube)
    bounds = cf.time_bounds(ds["time"].values, step)
    days = (bounds[:, 1] - bounds[:, 0]).astype(float)
    parts = []
    for rows in progress(list(blocks.strips(ds)), f"budgets {label}"):
        weights = land.regions(whole.rows(rows), ds["lat"].values[rows])
        strip = ds.isel(lat=rows)
        per_step = sum(strip[name].nbytes for name in ("gpp", "reco")) // ds.sizes["time"]
        for when in blocks.steps(ds.sizes["time"], bytes_per_step=per_step):
            fluxes = {name: blocks.members(strip.isel(time=when), name).values for name in ("gpp", "reco")}
            parts.append(budgets.sums(**fluxes, days=days[when], regions=weights))
    totals = reduce(add, parts)
    share = budgets.missing(totals)
    level = logging.WARNING if share > budgets.NEVER_MISSING else logging.INFO
    LOG.log(level, "%s: %.2f %% of the land that carries flux has no value and is in no total", label, 100 * share)
    return budgets.table(totals, label=label, days=float(days.sum()))


def _step(cube: xr.Dataset) -> tuple[str, str | None]:
    """Length of a step (`day` or `month`), and the years a climatology is the mean of (None where it is none)."""
    if "time_step" not in cube.attrs:
        raise ContractError("the cube does not say its time_step", found=sorted(cube.attrs))
    return cube.attrs["time_step"], cube.attrs.get("climatology")


def _origin(predictions: Predictions, cube: str) -> dict[str, str]:
    """What the file was made from and with."""
    software = ", ".join(f"{name} {version}" for name, version in provenance.software().items())
    return {
        "drivers_sha256": stores.digest(cube),
        "predictions_sha256": predictions.digest,
        "model": predictions.model,
        "software": software,
        "git_revision": provenance.revision(),
    }


def _now() -> str:
    """The time of writing, or SOURCE_DATE_EPOCH where the same bytes are wanted again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

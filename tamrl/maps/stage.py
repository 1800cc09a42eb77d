"""Stage of the maps: `maps/{flux}_{label}.nc`, its members and further products."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import dask
import xarray as xr

from tamrl import files, registry, stores
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.maps import about, blocks, catalogue, cf, export, filled, geotiff, land, rounding
from tamrl.maps.predictions import Predictions, open_predictions
from tamrl.maps.products import Context
from tamrl.sections.results import MapFormat
from tamrl.workflow import stage

LOG = logging.getLogger(__name__)

ZARR = {"time": 31, "lat": 90, "lon": 180}
"""Chunk of the exported store: a month of an eighth of each axis is a map of 2 MB, a series of a year is twelve chunks."""


@stage
def write_product(
    *,
    product: str,
    manifest: str,
    cube: str,
    file: str,
    predictions: str,
    format: MapFormat,
    run: str,
    config_digest: str,
    flux: str,
    label: str,
    code: str,
    calibration: str | None = None,
    applicability: str | None = None,
    virtual: bool = False,
) -> None:
    """Write a product of a flux.

    Parameters
    ----------
    product : str
        A module of `tamrl.maps.products`.
    manifest, predictions : path
        `predictions/{label}.json` and the store that it speaks of.
    cube, calibration, applicability : path
        `drivers/cube.zarr`, `evaluation/calibration.json` and `maps/applicability.nc`; for `members` the first alone.
    file : path
        The file to write.
    run, config_digest, code : str
        Written into the file.
    virtual : bool
        Whether the inputs of the run were simulated (`tamrl.simulated`); the file says so then.

    Raises
    ------
    PluginError, ContractError
        Where the product is unknown, or the inputs do not belong together; nothing is written then.
    """
    if getattr(registry.load(registry.PRODUCTS, product), "CALIBRATED", True) and not (calibration and applicability):
        raise ContractError(f"the product {product} needs calibration and applicability", where=file)
    opened = open_predictions(predictions, manifest, label=label, cube=cube)
    extra: dict[str, Any] = {}
    if calibration:
        calibrated = files.read_json(calibration)
        if flux not in calibrated:
            raise ContractError(f"no calibration for {flux}", where=calibration, found=sorted(calibrated))
        extra = {"calibration": calibrated[flux], "skill": calibrated.get("skill", {}).get(flux)}
    if applicability:
        with xr.open_dataset(files.verified(applicability), mask_and_scale=False) as mask:
            quality = mask[["applicability"]].load()
        extra["quality"] = quality.assign(filled.mean_number(stores.open_cube(cube), opened.ds["time"]))
    made_by = {"run": run, "config_digest": config_digest, "code_digest": code}
    _write(product, file, opened, cube=cube, format=format, flux=flux, label=label, virtual=virtual, made_by=made_by, **extra)


@stage
def write_exports(
    *, maps: list[str], monthly: list[str], folder: str, exports: list[str], run: str, label: str, code: str
) -> None:
    """Write what other tools like best: monthly GeoTIFF with styles, one Zarr store of the main maps, and a STAC catalogue.

    Parameters
    ----------
    maps, monthly : list of path
        The main maps and the monthly means of gpp, reco and nee, in the order of `carbon.FLUXES`.
    folder : path
        With `geotiff/`, `{label}.zarr` and `stac/`. What the maps say of themselves, a virtual world too, is said
        in each of them, with titles and ids of their own.
    exports : list of str
        Any of `geotiff` and `zarr`.
    code : str
        Digest of the code; makes the rule run again.
    """
    with files.atomic(folder) as part:
        part.mkdir()
        by_month: dict[str, list[Path]] = {}
        of_maps = about.together([_attributes(path) for path in maps], **_told("ensemble", label))
        for flux, path in zip(FLUXES, monthly, strict=True):
            with xr.open_dataset(files.verified(path)) as ds:
                months = list(ds["time"].values.astype("datetime64[M]"))
                for month in months:
                    by_month.setdefault(str(month), [])
                for raster in geotiff.write(part / "geotiff", ds, flux) if "geotiff" in exports else ():
                    by_month[raster.stem.split("_")[1]] += [raster, raster.with_suffix(".qml")]
        whole = [_zarr(part / f"{label}.zarr", maps, of_maps)] if "zarr" in exports else []
        catalogue.write(part / "stac", run=run, label=label, months=months, files=by_month, whole=whole, of_maps=of_maps)
    LOG.info("%s: %d months, code %s", folder, len(months), code)


def _attributes(path: str) -> dict[str, Any]:
    with xr.open_dataset(files.verified(path)) as ds:
        return dict(ds.attrs)


def _told(product: str, label: str) -> dict[str, str]:
    """Title and summary of one file of a product that holds all fluxes."""
    module = registry.load(registry.PRODUCTS, product)
    names = "; ".join(cf.names(flux)["long_name"] for flux in FLUXES)
    first = (module.__doc__ or "").splitlines()[0]
    title = module.TITLE.format(flux=about.listed([flux.upper() for flux in FLUXES]), label=label)
    return {"title": title, "summary": f"{names}, {label}. {first}", "product": f"{product} of all fluxes"}


def _zarr(path: Path, maps: list[str], attributes: dict[str, Any]) -> Path:
    """One store (Zarr 2, which every reader knows, consolidated) of the main maps, its chunks made for maps and for series."""
    every = [xr.open_dataset(files.verified(file), chunks={"time": ZARR["time"]}) for file in maps]
    ds = xr.merge(every, compat="override", combine_attrs="override")  # axes and land are the same in all
    ds.attrs = attributes
    for name, variable in ds.variables.items():
        kept = {k: v for k, v in variable.encoding.items() if k in ("_FillValue", "units", "calendar", "dtype")}
        chunks = tuple(min(ZARR.get(dim, size), size) for dim, size in zip(variable.dims, variable.shape, strict=True))
        ds[name].encoding = kept | ({"chunks": chunks} if variable.ndim else {})
    with dask.config.set(scheduler="single-threaded"):  # NetCDF-4 files are read one at a time
        ds.chunk({dim: size for dim, size in ZARR.items() if dim in ds.dims}).to_zarr(path, zarr_format=2, consolidated=True)
    return path


def _write(
    product: str,
    output: str,
    predictions: Predictions,
    *,
    cube: str,
    format: MapFormat,
    flux: str,
    label: str,
    made_by: dict[str, str],
    virtual: bool,
    calibration: dict[str, Any] | None = None,
    skill: str | None = None,
    quality: xr.Dataset | None = None,
) -> None:
    """Write one product: frame, fields and how they came about."""
    module = registry.load(registry.PRODUCTS, product)
    drivers, ds = stores.open_cube(cube), predictions.ds
    whole = land.describe_land(drivers, vegetated_only=format.vegetated_only)
    step, period = about.step_of(drivers)
    attributes = cf.flux_attributes(flux, units=format.units, step="climatology" if period else step, land=whole, skill=skill)
    bits = format.significant_bits
    attributes["comment"] += rounding.stated(bits)
    build = partial(_block, module, flux, cf.UNITS[format.units], whole, calibration, attributes, bits)
    axis = cf.time_axis(ds["time"].values, step=step, period=period)
    frame = cf.frame(lat=ds["lat"].values, lon=ds["lon"].values, axis=axis, land=whole, quality=quality)
    told = {"title": module.TITLE.format(flux=flux.upper(), label=label), "names": cf.names(flux)["long_name"], "label": label}
    told |= {"first": (module.__doc__ or "").splitlines()[0], "product": product, "step": "climatology" if period else step}
    frame.attrs = about.attributes(told, predictions, axis, format, made_by | about.origin([predictions], cube), virtual=virtual)
    fields = blocks.template(ds, flux, build)
    multiple = export.steps_per_chunk(dict(ds.sizes))
    per_step = sum(field.nbytes // field.shape[-2] for field in fields.data_vars.values()) * ds.sizes["lat"]
    time = list(blocks.steps(ds.sizes["time"], bytes_per_step=per_step, multiple=multiple))
    slabs = blocks.slabs(ds, flux, build, time=progress(time, f"{flux} {label}"))
    with files.atomic(output) as part:
        export.write(part, frame=frame, fields=fields, slabs=slabs, compression=format.compression)


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

"""Stage of the maps: `maps/{flux}_{label}.nc`, its members and further products."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import files, georeference, registry, stores, variables
from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.log import progress
from tamrl.maps import blocks, cf, netcdf
from tamrl.maps.frame import Content, Frame
from tamrl.maps.land import describe_land
from tamrl.maps.origin import Origin
from tamrl.maps.products import Context
from tamrl.plugins import MapProduct
from tamrl.predictions import open_predictions
from tamrl.sections.results import MapFormat, RunIdentity
from tamrl.uncertainty.calibration import Calibration
from tamrl.variables import FILLED
from tamrl.workflow import stage


@stage
def write_product(
    *,
    product: str,
    manifest: str,
    cube: str,
    file: str,
    format: MapFormat,
    identity: RunIdentity,
    flux: str,
    label: str,
    code: str,
    calibration: str | None = None,
    applicability: str | None = None,
) -> None:
    """Write a product of a flux.

    Parameters
    ----------
    product : a module of `tamrl.maps.products`
    manifest : `predictions/{label}.json`
    cube, calibration, applicability : path
        `drivers/cube.zarr`, `evaluation/calibration.json` and `maps/applicability.nc`; for `members` only the cube.
    file : the file to write
    code : digest of the code, written into the file

    Raises `PluginError` or `ContractError` if the product is unknown, or the inputs do not belong together; nothing is
    written then.
    """
    plugin = registry.load_product(product)
    if plugin.CALIBRATED and not (calibration and applicability):
        raise ContractError(f"the product {product} needs calibration and applicability", where=file)
    opened = open_predictions(manifest, label=label, cube=cube)
    calibrated = Calibration.read(calibration) if calibration else None
    drivers, ds = stores.open_cube(cube), opened.ds
    quality = {}
    if applicability:
        quality = read_applicability(applicability, calibrated)
        if FILLED in drivers:
            quality[FILLED] = _count_filled(drivers, ds["time"])
    land = describe_land(drivers, vegetated_only=format.vegetated_only)
    axis = cf.FileAxis(ds["time"].values, TimeAxis.of(drivers).step, drivers.attrs.get("climatology"))
    of_flux = calibrated.at(axis.scale, flux) if calibrated else None
    origin = Origin.of(identity, [opened], cube=cube, code=code)
    frame = Frame(land, axis, format, origin, ds.sizes["member"], identity.virtual)
    attributes = frame.flux_attributes(flux, skill=calibrated.skill.get(flux) if calibrated else None)
    context = Context(flux, cf.UNITS[format.units], land.share, of_flux, attributes, land.igbp, bits=format.significant_bits)
    title, names = plugin.TITLE.format(flux=flux.upper(), label=label), cf.flux_names(flux)["long_name"]
    content = Content(product, title, names, label, plugin.SUMMARY)
    with files.atomic(file) as part:
        _write_blocks(part, plugin, context, frame.dataset(content, quality), frame, ds)


def read_applicability(path: str, calibration: Calibration | None) -> dict[str, xr.DataArray]:
    """The flags of `maps/applicability.nc` as a field of another file, with what dissimilarity says of errors at towers."""
    with xr.open_dataset(files.verified(path), mask_and_scale=False) as stored:
        flags = stored["applicability"].load()
    if calibration and (correlations := calibration.dissimilarity):
        texts = ", ".join(f"{flux.upper()} {correlation.text}" for flux, correlation in correlations.items())
        flags.attrs["rank_correlation_of_dissimilarity_with_rmse"] = texts
    return {"applicability": flags}


def _write_blocks(
    path: Path, plugin: MapProduct[Context], context: Context, static: xr.Dataset, frame: Frame, members: xr.Dataset
) -> None:
    """Write the static fields, then those of the product block by block of the members."""
    flux = context.flux

    def build(block: xr.DataArray, parts: Mapping[str, xr.DataArray], rows: slice) -> xr.Dataset:
        """Fields of a block (member, time, lat, lon) whose cells are `rows` of the grid."""
        band = frame.land.rows(rows)
        return plugin.build(block, replace(context, share=band.share, igbp=band.igbp, parts=parts))

    fields, sizes = blocks.template(members, flux, build), members.sizes
    per_step = sum(field.nbytes // field.shape[-2] for field in fields.data_vars.values()) * sizes["lat"]
    steps = list(blocks.steps(sizes["time"], bytes_per_step=per_step, multiple=netcdf.steps_per_chunk(sizes)))
    slabs = blocks.slabs(members, flux, build, time=progress(steps, f"{flux} {path.name}"))
    netcdf.write_netcdf(path, frame=static, fields=fields, slabs=slabs, compression=frame.format.compression)


def _count_filled(cube: xr.Dataset, time: xr.DataArray) -> xr.DataArray:
    """Return the mean number of drivers (lat, lon) over `time` from composites that were missing and filled in time."""
    counted = cube[FILLED].sel(time=time)
    mean = np.empty((cube.sizes["lat"], cube.sizes["lon"]), dtype="float32")
    for rows in blocks.strips(cube[FILLED]):
        mean[rows] = counted.isel(lat=rows).values.mean(0, dtype=float)
    attributes = variables.attributes(FILLED) | {
        "grid_mapping": georeference.MAPPING,
        "comment": f"Of {cube[FILLED].attrs['of']} drivers that come as composites; the mean over all steps of this file.",
    }
    on_land = np.where(cube["land_fraction"].values > 0, mean, np.nan)
    return xr.DataArray(on_land, dims=("lat", "lon"), attrs=attributes)

"""Stage of the exports: monthly GeoTIFF with styles, one Zarr store of the main maps, and a STAC catalogue of both."""

import logging
from collections.abc import Iterable
from pathlib import Path

import dask
import xarray as xr

from tamrl import files, georeference, registry
from tamrl.carbon import FLUXES
from tamrl.maps import catalogue, cf, geotiff
from tamrl.maps.origin import merge_attributes
from tamrl.simulated import Attributes
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

ZARR = {"time": 31, "lat": 90, "lon": 180}
"""Chunk of the exported store: a month of an eighth of each axis is a map of 2 MB, a series of a year is twelve chunks."""


@stage
def write_exports(
    *, maps: list[str], monthly: list[str], folder: str, exports: list[str], run: str, label: str, code: str
) -> None:
    """Write the maps of a label in the formats of GIS and object stores.

    Parameters
    ----------
    maps, monthly : the main maps and the monthly means of gpp, reco and nee, in the order of `carbon.FLUXES`
    folder : with `geotiff/`, `{label}.zarr` and `stac/`. Each has the attributes of the maps (also a virtual world), but
        its own title and id.
    exports : any of `geotiff` and `zarr`
    code : digest of the code; makes the rule run again
    """
    attributes = _merged_attributes(maps, label)
    by_month: dict[str, list[Path]] = {}
    bbox: list[float] = []
    with files.atomic(folder) as part:
        part.mkdir()
        for flux, path in zip(FLUXES, monthly, strict=True):
            with xr.open_dataset(files.verified(path)) as ds:
                bbox = georeference.bounding_box(ds)
                for month in geotiff.months(ds):
                    by_month.setdefault(month, [])
                for month, raster in geotiff.write_rasters(part / "geotiff", ds, flux) if "geotiff" in exports else ():
                    by_month[month] += [raster, raster.with_suffix(".qml")]
        stores = [_write_zarr(part / f"{label}.zarr", maps, attributes)] if "zarr" in exports else []
        catalogue.write_catalogue(
            part / "stac", run=run, label=label, bbox=bbox, by_month=by_month, of_label=stores, attributes=attributes
        )
    _log.info("%s: %d months, code %s", folder, len(by_month), code)


def _merged_attributes(maps: Iterable[str], label: str) -> Attributes:
    """Return the global attributes of one file with the maps of all fluxes."""
    every: list[Attributes] = []
    for path in maps:
        with xr.open_dataset(files.verified(path)) as ds:
            every.append({str(name): value for name, value in ds.attrs.items()})
    plugin = registry.load_product("ensemble")
    names = "; ".join(cf.flux_names(flux)["long_name"] for flux in FLUXES)
    title = plugin.TITLE.format(flux="GPP, RECO and NEE", label=label)
    return merge_attributes(every, title=title, summary=f"{names}, {label}. {plugin.SUMMARY}", product="ensemble of all fluxes")


def _write_zarr(path: Path, maps: Iterable[str], attributes: Attributes) -> Path:
    """One store (Zarr 2, which every reader knows, consolidated) of the main maps, its chunks made for maps and for series."""
    every = [xr.open_dataset(files.verified(file), chunks={"time": ZARR["time"]}) for file in maps]
    ds = xr.merge(every, compat="override", combine_attrs="override")  # axes and land are the same in all
    ds.attrs = dict(attributes)
    for name, variable in ds.variables.items():
        encoding = {k: v for k, v in variable.encoding.items() if k in ("_FillValue", "units", "calendar", "dtype")}
        chunks = tuple(min(ZARR.get(str(dim), n), n) for dim, n in zip(variable.dims, variable.shape, strict=True))
        ds[name].encoding = encoding | ({"chunks": chunks} if variable.ndim else {})
    with dask.config.set(scheduler="single-threaded"):  # NetCDF-4 files are read one at a time
        ds.chunk({dim: size for dim, size in ZARR.items() if dim in ds.dims}).to_zarr(path, zarr_format=2, consolidated=True)
    return path

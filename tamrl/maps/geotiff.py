"""Monthly means as Cloud-Optimised GeoTIFF, one file per flux and month, each with a style for QGIS."""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from tamrl import carbon, simulated, units
from tamrl.maps import acdd

RANGES = {"gpp": (0.0, 12.0), "reco": (0.0, 10.0), "nee": (-5.0, 5.0)}
"""Range of the colours, gC m-2 d-1."""

COLOURS = {
    "gpp": ("#fffbe6", "#c9e08f", "#6bb35a", "#1f7a3d", "#003d19"),
    "reco": ("#fff7ec", "#fdd49e", "#fc8d59", "#d7301f", "#7f0000"),
    "nee": ("#1b5e20", "#8bc28b", "#f7f7f7", "#d8a0c8", "#762a83"),
}
"""From low to high; NEE is green where the land takes up carbon."""

COPIED = (
    *("source", "keywords", "keywords_vocabulary", "naming_authority", "instrument", "platform", "license", "references"),
    *("institution", "creator_name", "run", "config_digest"),
)
"""Global attributes of a map that become tags of its GeoTIFF files, under the same names."""

STYLE = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology">
 <pipe>
  <rasterrenderer type="singlebandpseudocolor" band="1" opacity="1" classificationMin="{low:g}" classificationMax="{high:g}">
   <rastershader>
    <colorrampshader colorRampType="INTERPOLATED" classificationMode="1" clip="0" minimumValue="{low:g}" maximumValue="{high:g}">
{items}
    </colorrampshader>
   </rastershader>
  </rasterrenderer>
 </pipe>
</qgis>
"""


def qgis_style(flux: str, unit: str) -> str:
    """Return the QGIS style (QML) of a flux in `unit` (a unit of CF)."""
    low, high = (float(units.convert(edge, source=carbon.CF_UNITS, target=unit)) for edge in RANGES[flux])
    at = np.linspace(low, high, len(COLOURS[flux]))
    items = [
        f'     <item value="{v:g}" color="{c}" alpha="255" label={quoteattr(f"{v:.3g}")}/>'
        for v, c in zip(at, COLOURS[flux], strict=True)
    ]
    return STYLE.format(low=low, high=high, items="\n".join(items))


def months(ds: xr.Dataset) -> list[str]:
    """Return the months of a file of monthly means, as `YYYY-MM`."""
    return [str(month) for month in ds["time"].values.astype("datetime64[M]")]


def write_rasters(folder: Path, ds: xr.Dataset, flux: str) -> Iterator[tuple[str, Path]]:
    """Write every month of `ds`, a file of `maps/monthly/`, into `folder`; yield the month and its GeoTIFF.

    Band 1 is the flux, band 2 its predictive standard deviation. The style has the same name with the ending `qml`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for k, month in enumerate(months(ds)):
        path = folder / f"{flux}_{month}.tif"
        _write_raster(path, ds.isel(time=k), flux, month)
        path.with_suffix(".qml").write_text(qgis_style(flux, ds[flux].attrs["units"]), encoding="utf-8")
        yield month, path


def _write_raster(path: Path, ds: xr.Dataset, flux: str, month: str) -> None:
    """Write one month as a Cloud-Optimised GeoTIFF."""
    lat, lon = ds["lat"].values, ds["lon"].values
    size = abs(float(lat[1] - lat[0]))
    bands = (flux, f"{flux}_std")
    profile = {"driver": "GTiff", "width": len(lon), "height": len(lat), "count": len(bands), "dtype": "float32"}
    profile |= {"crs": "EPSG:4326", "transform": from_origin(lon[0] - size / 2, lat[0] + size / 2, size, size), "nodata": np.nan}
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            for number, name in enumerate(bands, 1):
                raster.write(ds[name].values, number)
                raster.set_band_description(number, ds[name].attrs["long_name"])
                raster.set_band_unit(number, ds[name].attrs["units"])
            raster.update_tags(time=month, **_tags(ds, flux, month))
        rasterio.shutil.copy(memory.name, path, driver="COG", compress="DEFLATE", predictor="YES", overview_resampling="average")


def _tags(ds: xr.Dataset, flux: str, month: str) -> dict[str, object]:
    """Return the tags of a month: its own title, summary and `id`, and the attributes of its source file."""
    bands = "; ".join(f"band {k}: {ds[name].attrs['long_name']}" for k, name in enumerate((flux, f"{flux}_std"), 1))
    tags: dict[str, object] = {name: ds.attrs[name] for name in COPIED if name in ds.attrs}
    tags |= {"title": f"{flux.upper()} {month}: mean and standard deviation", "summary": f"{month}, {bands}."}
    tags |= {"id": acdd.identifier(f"geotiff {flux} {month} {ds.attrs.get('id')}"), "comment": ds[flux].attrs["comment"]}
    stated = simulated.label_attributes(tags, simulated.is_stated(ds.attrs))
    return stated | {"TIFFTAG_IMAGEDESCRIPTION": stated["title"]}

"""A STAC catalogue (SpatioTemporal Asset Catalog 1.1) of a year, with links relative to itself, so that it can be moved."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac

from tamrl import simulated

BBOX = [-180.0, -90.0, 180.0, 90.0]
GLOBE = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}
TYPES = {".nc": "application/netcdf", ".tif": pystac.MediaType.COG, ".zarr": "application/vnd+zarr", ".qml": "application/xml"}


def write(
    folder: Path,
    *,
    run: str,
    label: str,
    months: list[np.datetime64],
    files: dict[str, list[Path]],
    whole: list[Path],
    of_maps: dict[str, Any],
) -> Path:
    """Write `catalog.json`, a collection and its items into `folder`.

    Parameters
    ----------
    months : first days of the months that have items of their own
    files : the files of each month, by its name `YYYY-MM`
    whole : files of the whole label
    of_maps : global attributes of the maps of all fluxes (`about.together`), which tell keywords and whether the world is virtual

    Returns
    -------
    Path
        `catalog.json`.
    """
    starts = [_moment(month) for month in months]
    ends = [_moment((month.astype("datetime64[M]") + 1).astype("datetime64[D]")) for month in months]
    extent = pystac.Extent(pystac.SpatialExtent([BBOX]), pystac.TemporalExtent([[starts[0], ends[-1]]]))
    text = f"GPP, RECO and NEE of {label}, run {run}: daily or monthly maps with members' spread"
    told = _told(f"GPP, RECO and NEE {label}", text, of_maps)
    collection = pystac.Collection(f"{run}-{label}", extent=extent, license="CC-BY-4.0", **told)
    _assets(collection, whole, folder / collection.id)
    for month, start, end in zip(months, starts, ends, strict=True):
        name = str(month.astype("datetime64[M]"))
        told = _told(f"GPP, RECO and NEE {name}", f"Monthly means of GPP, RECO and NEE, {name}, run {run}", of_maps)
        item = pystac.Item(name, GLOBE, BBOX, None, told, start_datetime=start, end_datetime=end)
        _assets(item, files[name], folder / collection.id / name)
        collection.add_item(item)
    told = _told(f"Maps of the run {run}, {label}", f"Maps of the run {run}", of_maps)
    further = {"keywords": told.pop("keywords")}
    catalogue = pystac.Catalog(f"{run}-{label}-catalogue", extra_fields=further, **told)
    catalogue.add_child(collection)
    catalogue.normalize_and_save(str(folder), pystac.CatalogType.SELF_CONTAINED)
    return folder / "catalog.json"


def _told(title: str, description: str, of_maps: dict[str, Any]) -> dict[str, Any]:
    """Title, description and keywords of an entry, which tell of a virtual world where the maps do."""
    given = {"title": title, "summary": description, "keywords": of_maps.get("keywords", "")}
    found = simulated.attributes(given, simulated.said(of_maps))
    words = [word for word in found["keywords"].split(", ") if word]
    return {"title": found["title"], "description": found["summary"], "keywords": words}


def _assets(owner: pystac.Item | pystac.Collection, files: list[Path], place: Path) -> None:
    """Add files with paths relative to where `owner` is written."""
    for file in files:
        role = "metadata" if file.suffix == ".qml" else "data"
        asset = pystac.Asset(os.path.relpath(file, place), title=file.name, media_type=TYPES[file.suffix], roles=[role])
        owner.add_asset(file.name, asset)


def _moment(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day.astype("datetime64[D]"))).replace(tzinfo=UTC)

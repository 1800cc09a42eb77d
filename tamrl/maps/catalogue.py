"""A STAC catalogue (SpatioTemporal Asset Catalog 1.1) of a year, with links relative to itself, so that it can be moved."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac

from tamrl import simulated
from tamrl.simulated import Attributes

TYPES = {".nc": "application/netcdf", ".tif": pystac.MediaType.COG, ".zarr": "application/vnd+zarr", ".qml": "application/xml"}


def write_catalogue(
    folder: Path,
    *,
    run: str,
    label: str,
    bbox: list[float],
    by_month: Mapping[str, Sequence[Path]],
    of_label: Sequence[Path],
    attributes: Attributes,
) -> Path:
    """Write `catalog.json`, whose path is returned, a collection and its items into `folder`.

    Parameters
    ----------
    bbox : west, south, east and north of the cells of the maps, degrees
    by_month : files of each month, by its name `YYYY-MM`, in the order of time; each month is an item
    of_label : files of the whole label
    attributes : global attributes of the maps of all fluxes (`merge_attributes`): keywords, and whether the world is virtual
    """
    spans = {name: (_moment(month), _moment(month + 1)) for name in by_month for month in [np.datetime64(name, "M")]}
    first, last = next(iter(spans.values()))[0], [*spans.values()][-1][1]
    west, south, east, north = bbox
    outline = {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]}
    extent = pystac.Extent(pystac.SpatialExtent([bbox]), pystac.TemporalExtent([[first, last]]))
    text = f"GPP, RECO and NEE of {label}, run {run}: daily or monthly maps with members' spread"
    entry = _describe(f"GPP, RECO and NEE {label}", text, attributes)
    collection = pystac.Collection(f"{run}-{label}", extent=extent, license="CC-BY-4.0", **asdict(entry))
    _add_assets(collection, of_label, folder / collection.id)
    for name, (start, end) in spans.items():
        entry = _describe(f"GPP, RECO and NEE {name}", f"Monthly means of GPP, RECO and NEE, {name}, run {run}", attributes)
        item = pystac.Item(name, outline, bbox, None, asdict(entry), start_datetime=start, end_datetime=end)
        _add_assets(item, by_month[name], folder / collection.id / name)
        collection.add_item(item)
    entry = _describe(f"Maps of the run {run}, {label}", f"Maps of the run {run}", attributes)
    catalogue = pystac.Catalog(
        f"{run}-{label}-catalogue", entry.description, entry.title, extra_fields={"keywords": entry.keywords}
    )
    catalogue.add_child(collection)
    catalogue.normalize_and_save(str(folder), pystac.CatalogType.SELF_CONTAINED)
    return folder / "catalog.json"


@dataclass(frozen=True)
class _Entry:
    """Texts of an entry of the catalogue."""

    title: str
    description: str
    keywords: list[str]


def _describe(title: str, description: str, maps: Attributes) -> _Entry:
    """Return the texts of an entry, which state a virtual world if the maps do."""
    entry = {"title": title, "summary": description, "keywords": maps.get("keywords", "")}
    stated = simulated.label_attributes(entry, simulated.is_stated(maps))
    words = [word for word in str(stated["keywords"]).split(", ") if word]
    return _Entry(str(stated["title"]), str(stated["summary"]), words)


def _add_assets(owner: pystac.Item | pystac.Collection, files: Sequence[Path], place: Path) -> None:
    """Add files with paths relative to the folder of `owner`."""
    for file in files:
        role = "metadata" if file.suffix == ".qml" else "data"
        asset = pystac.Asset(os.path.relpath(file, place), title=file.name, media_type=TYPES[file.suffix], roles=[role])
        owner.add_asset(file.name, asset)


def _moment(month: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(month.astype("datetime64[D]"))).replace(tzinfo=UTC)

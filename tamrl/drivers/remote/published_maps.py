"""Static maps as their publishers give them: fetched once, compared with known checksums, and looked at before they are used.

Land cover comes from NASA's archive (`earthdata`), which states size and checksum. Climate and elevation are single files at
stable addresses; the Köppen-Geiger map lies in a zip archive with its legend.
"""

import logging
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tamrl import classes, files
from tamrl.drivers.formats import geotiff, static_maps
from tamrl.drivers.remote import earthdata
from tamrl.drivers.sources.static import COLLECTION, Options, PublishedMap
from tamrl.errors import DownloadError, InputError
from tamrl.intake import border, legends, rasters, zips
from tamrl.web import download

_log = logging.getLogger(__name__)

LEGEND = "legend.txt"
"""Member of the archive that names the classes."""
LEGEND_LINE = re.compile(r"\s*(\d{1,2}):?\s+([A-E])[A-Za-z]{1,2}\s", re.ASCII)
"""A line of it, such as `4:  BWh  Arid, desert, hot`: number and main group."""
GROUPS = "ABCDE"
"""Letters of the main groups, in the order of `classes.KOPPEN`."""
LEGEND_BYTES = 1 << 20
UNPACKED = 100
"""Largest ratio of unpacked to packed bytes; a map of classes packs to some hundredth of its pixels."""
HIGHEST, DEEPEST = (6000.0, 9000.0), -12_000.0
"""Within which the highest point of an elevation map lies, and below which nothing does (m)."""
LAND_SHARE = (0.2, 0.5)
"""Within which the share of pixels above 0 m lies on a globe of equal angles."""


def fetch_map(options: Options, item: str, year: int, folder: Path) -> None:
    """Fetch a map into a folder; one that is there is not fetched again.

    Raise `DownloadError` if it cannot be had or differs from its checksum, `InputError` if it is not the map that it should be:
    what is wrong is then removed, so that the next call asks for it again.

    Parameters
    ----------
    item : `land_cover`, `koppen` or `elevation`
    year : edition of land cover
    """
    fetch: dict[str, Callable[[], Path]] = {
        "land_cover": lambda: _fetch_land_cover(year, folder),
        "koppen": lambda: _fetch_archived(options.koppen, folder / "koppen.tif"),
        "elevation": lambda: _fetch_file(options.elevation, folder / "elevation.tif"),
    }
    path = fetch[item]()
    try:
        CHECKS[item](path)
    except InputError:
        path.unlink()
        raise


def _fetch_land_cover(year: int, folder: Path) -> Path:
    earthdata.fetch_granules(static_maps.PRODUCT, year, folder, collection=COLLECTION)
    fetched = sorted(folder.glob(f"{static_maps.PRODUCT}.A{year}*.hdf"))
    if not fetched:
        todo = "set drivers.static.land_cover_year to a year that the archive has"
        raise DownloadError("the archive holds no map of land cover that begins in the year", where=folder, found=year, todo=todo)
    return fetched[-1]


def _fetch_file(source: PublishedMap, target: Path) -> Path:
    """A file as it is at its address; one that is here and has its size and checksum is not fetched again."""
    if source.digest is None:
        _log.warning("%s has no checksum in the configuration: what arrives is checked by its content alone", source.url)
    download.Client().download(source.url, target, size=source.size, checksum=source.digest)
    _log.info("%s: %s. %s", target.name, source.licence, source.citation)
    return target


def _fetch_archived(source: PublishedMap, target: Path) -> Path:
    """The member of an archive that holds the map; the archive goes once the map is there, and its origin lies beside it."""
    if not source.member:
        return _fetch_file(source, target)
    record = target.with_name(f".{target.name}.origin")
    if target.is_file():
        if record.is_file() and record.read_text(encoding="utf-8") == _origin(source, target):
            return target
        _log.warning("%s: not as it came out of %s, %s: fetched again", target, source.url, source.member)
        target.unlink()
    archive = _fetch_file(source, target.with_name(f".{target.name}.zip"))
    where = f"{source.url}, {source.member}"
    try:
        with zips.open_zip(archive, where=source.url) as opened:
            check_legend(_read_legend(opened), where)
            if source.member not in opened.namelist():
                present = [name for name in opened.namelist() if name.endswith(".tif")][:8]
                todo = "set drivers.static.koppen.member to the map"
                raise InputError("the archive lacks the map", where=where, found=present, todo=todo)
            count = zips.UnpackedBytes(archive.stat().st_size, ratio=UNPACKED, where=where)
            with files.atomic(target, sealed=False) as part, open(part, "wb") as out:
                for block in count.blocks(opened, opened.getinfo(source.member)):
                    out.write(block)
    except InputError as error:
        archive.unlink()
        raise DownloadError(error.asked, where=where, found=error.found, todo=error.todo) from error
    archive.unlink()
    with files.atomic(record, sealed=False) as part:
        part.write_text(_origin(source, target), encoding="utf-8")
    return target


def _origin(source: PublishedMap, target: Path) -> str:
    """Where a map came from, and its own checksum: that of the configuration is of the archive."""
    named = source.model_dump(include={"url", "size", "checksum", "member"})
    return files.as_json(named | {"sha256": files.sha256(target)})


def _read_legend(archive: zipfile.ZipFile) -> str:
    """The legend of an archive, at most `LEGEND_BYTES` of it; empty if there is none."""
    if LEGEND not in archive.namelist():
        return ""
    with archive.open(LEGEND) as member:
        return member.read(LEGEND_BYTES).decode("utf-8", "replace")


def check_legend(text: str, where: object) -> None:
    """Compare the legend that came with a map of climates with that by which it is read; raises `InputError` if they differ."""
    lines = (LEGEND_LINE.match(line) for line in text.splitlines())
    named = {int(match[1]): match[2] for match in lines if match}
    expected = {code: GROUPS[group] for group, (first, last) in enumerate(legends.THIRTY) for code in range(first, last + 1)}
    if not named:
        _log.warning("%s: no legend came with the map; its codes are read as the 30 classes of Beck et al.", where)
    elif named != expected:
        odd = {code: named.get(code, "none") for code in sorted(named.keys() | expected) if named.get(code) != expected.get(code)}
        todo = "take the map with the 30 classes of Beck et al. (2018, 2023)"
        raise InputError("the legend of the map is another one", where=where, found=odd, todo=todo)


def _check_degrees(path: Path) -> None:
    """Refuse a map in another system of coordinates than degrees; one that names none has degrees by its extent."""
    with border.reading("the map cannot be read", where=path), rasters.open_geotiff(path) as file:
        if file.crs is not None and not file.crs.is_geographic:
            raise InputError("the map must be in degrees of latitude and longitude", where=path, found=str(file.crs))


def _check_koppen(path: Path) -> None:
    _check_degrees(path)
    seen: set[int] = set()
    positions = geotiff.open_variable(path, name="koppen_fraction", units="1")
    for top in range(0, positions.sizes["lat"], geotiff.STRIP):
        seen |= set(np.unique(positions.data[top : top + geotiff.STRIP].compute(scheduler="synchronous")).tolist())
    if lacking := [group for k, group in enumerate(classes.KOPPEN) if k not in seen]:
        raise InputError("a map of the globe's climates lacks main groups", where=path, found=f"no {', '.join(lacking)}")


def _check_land_cover(path: Path) -> None:
    share = static_maps.open_land_cover([path], name="land_fraction").mean().compute(scheduler="synchronous").item()
    if not LAND_SHARE[0] < share < LAND_SHARE[1]:
        raise InputError("the map of land cover has no land as the globe has", where=path, found=f"{share:.0%} of its pixels")


def _check_elevation(path: Path) -> None:
    _check_degrees(path)
    heights = geotiff.open_variable(path, name="elevation", units="m")
    low, high, above = np.inf, -np.inf, 0
    for top in range(0, heights.sizes["lat"], geotiff.STRIP):
        strip = heights.data[top : top + geotiff.STRIP].compute(scheduler="synchronous")
        strip = strip[np.isfinite(strip)]
        low, high, above = (
            min(low, strip.min(initial=np.inf)),
            max(high, strip.max(initial=-np.inf)),
            above + int((strip > 0).sum()),
        )
    share = above / heights.size
    if not (low > DEEPEST and HIGHEST[0] < high < HIGHEST[1] and LAND_SHARE[0] < share < LAND_SHARE[1]):
        state = f"{low:.0f} to {high:.0f} m, {share:.0%} of the pixels above 0 m"
        raise InputError("the map is none of the globe's elevation in m", where=path, found=state)


CHECKS: dict[str, Callable[[Path], None]] = {
    "land_cover": _check_land_cover,
    "koppen": _check_koppen,
    "elevation": _check_elevation,
}
"""What must hold of each map, whatever its checksum."""


def read_heads(options: Options, length: int) -> dict[str, bytes]:
    """First bytes of the files of climate and elevation, by address; raises `DownloadError` if a publisher does not answer."""
    client = download.Client(attempts=2, wait=1.0)
    urls = (options.koppen.url, options.elevation.url)
    return {url: client.get(url, start=0, end=length) or b"" for url in urls}

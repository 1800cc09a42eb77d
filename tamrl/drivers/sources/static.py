"""Maps that do not change: land cover, climate groups and elevation in one folder, or fetched from their publishers.

Land cover: `MCD12C1.A*.hdf` as NASA delivers it (HDF4, majority class at 0.05°, doi 10.5067/MODIS/MCD12C1.061), or
`land_cover.tif` with its IGBP codes, 0 (water) to 16. Further GeoTIFFs: `koppen.tif` with main Köppen-Geiger groups
1 to 5, 0 sea, or the 30 classes of the published maps (Beck et al. 2023, doi 10.1038/s41597-023-02549-6); `elevation.tif` in m.

With `download: true`: MCD12C1 of a year, the map of Beck et al. (1991-2020, 1/120°), and ETOPO 2022 (1/60°,
doi 10.25921/fd45-gt74), whose floor of seas and lakes is left out by the map of land cover.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tamrl import variables
from tamrl.drivers.sources._folders import nothing_offered, version_of
from tamrl.layout import DOWNLOADS
from tamrl.options import Strict
from tamrl.plugins import SourceCapabilities, SourceVolume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from tamrl.calendar import TimeAxis

NAME = "static"
CAPABILITIES = SourceCapabilities(koppen=True, downloads=True, item_years=True)
COLLECTION, LAND_COVER_BYTES = "061", 10e6
"""Collection of MCD12C1 that is fetched, and about the bytes of a file."""
LAND_COVER_LICENCE = "NASA LP DAAC, no restriction of use"
LAND_COVER_CITATION = "Friedl & Sulla-Menashe (2022), MCD12C1.061, doi 10.5067/MODIS/MCD12C1.061"


class PublishedMap(Strict):
    """A map at its publisher's address."""

    url: str = Field(pattern=r"^https?://")
    """Address of the file."""
    size: int | None = Field(default=None, ge=1, le=16 << 30)
    """Its bytes."""
    checksum: str | None = Field(default=None, pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")
    """Algorithm and digest, such as md5:...; null where none is known: then the content alone is checked."""
    member: str | None = None
    """The map within a zip archive."""
    year: int = Field(ge=1900, le=2200)
    """Edition, which names the folder of the download."""
    licence: str = ""
    citation: str = ""

    @property
    def digest(self) -> tuple[str, str] | None:
        """Algorithm and digest of the checksum."""
        if self.checksum is None:
            return None
        algorithm, _, digest = self.checksum.partition(":")
        return algorithm, digest


class Options(Strict):
    """Static maps."""

    path: str = "{results}/inputs/static"
    """Folder of GeoTIFFs, named as under `sources` in `tamrl/data/variables.yaml`; land cover may be a file of MCD12C1."""
    download: bool = False
    """Fetch the maps into `downloads/drivers/static` instead of reading `path`; NASA's login is needed (docs/inputs.md)."""
    land_cover_year: int = Field(default=2019, ge=2001, le=2100)
    """Year of land cover that is fetched."""
    koppen: PublishedMap = PublishedMap(
        url="https://ndownloader.figshare.com/files/61012822",
        size=130_618_411,
        checksum="md5:7fc2f5a15d4f5fe0ce59c9a9b502aa09",
        member="1991_2020/koppen_geiger_0p00833333.tif",
        year=2020,
        licence="CC BY 4.0",
        citation="Beck et al. (2023), doi 10.1038/s41597-023-02549-6; data doi 10.6084/m9.figshare.21789074",
    )
    """The map of climates that is fetched."""
    elevation: PublishedMap = PublishedMap(
        url="https://www.ngdc.noaa.gov/mgg/global/relief/ETOPO2022/data/60s/60s_surface_elev_gtif/"
        "ETOPO_2022_v1_60s_N90W180_surface.tif",
        size=465_969_062,
        checksum="sha256:9d27d4b8ea8e76977e2988bca667d7c8fa68b927355feffcddd6b4875a7fd08e",
        year=2022,
        licence="NOAA, no copyright",
        citation="NOAA National Centers for Environmental Information (2022), ETOPO 2022, doi 10.25921/fd45-gt74",
    )
    """The map of elevation that is fetched."""


def items(options: Options, names: tuple[str, ...]) -> list[str]:
    """What is fetched separately: the maps that the variables are made of; elevation needs that of land cover too."""
    wanted = [variables.get(name).sources[NAME].name for name in names]
    return list(dict.fromkeys([*wanted, *(["land_cover"] if "elevation" in wanted else [])]))


def item_years(options: Options, item: str, years: tuple[int, ...]) -> tuple[int, ...]:
    """Year of the edition of a map, whatever the years of the run."""
    return (edition(options, item),)


def edition(options: Options, item: str) -> int:
    """Year of the edition of a map."""
    editions = {"land_cover": options.land_cover_year, "koppen": options.koppen.year, "elevation": options.elevation.year}
    return editions[item]


def fetch(options: Options, *, item: str, year: int, folder: Path, months: int = 12) -> None:
    """Fetch a map; raises `DownloadError`, or `InputError` if what arrives is another map.

    Parameters
    ----------
    item : an element of `items`
    year : its edition
    """
    from tamrl.drivers.remote import published_maps

    published_maps.fetch_map(options, item, year, folder)


def _folder(options: Options, item: str) -> Path:
    """The folder that holds a map."""
    return Path(DOWNLOADS.item(NAME, item, edition(options, item)) if options.download else options.path)


def inputs(options: Options) -> list[str]:
    """The folder of maps; what is downloaded is planned by `items`."""
    return [] if options.download else [options.path]


def version(options: Options) -> "Mapping[str, object]":
    """Number, bytes and checksum of the files, and collections of land cover; of fetched maps their origin too."""
    from tamrl.drivers.formats import cmg, static_maps

    if not options.download:
        return {"collections": cmg.count_collections(options.path, static_maps.PRODUCT), **version_of(options.path)}
    origins: dict[str, dict[str, object]] = {
        "land_cover": {"collection": COLLECTION, "licence": LAND_COVER_LICENCE, "citation": LAND_COVER_CITATION},
        "koppen": options.koppen.model_dump(exclude_none=True),
        "elevation": options.elevation.model_dump(exclude_none=True),
    }
    folders = {item: _folder(options, item) for item in origins}
    return {item: origins[item] | version_of(folder) for item, folder in folders.items() if folder.is_dir()}


def volume(options: Options, *, names: tuple[str, ...], years: int) -> SourceVolume:
    """The files of the three maps where they are fetched; those of a folder are small."""
    if not (options.download and names):
        return SourceVolume()
    size = LAND_COVER_BYTES + (options.koppen.size or 0) + (options.elevation.size or 0)
    return SourceVolume(size, requests=3)


def koppen_map(options: Options) -> Path:
    """The map of climate groups."""
    name = variables.get("koppen_fraction").sources[NAME].name
    return _folder(options, name) / f"{name}.tif"


def open_dynamic(options: Options, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
    """None: nothing here changes with time."""
    return nothing_offered(NAME, "dynamic", names)


def open_static(options: Options, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
    """The named maps, lazy."""
    from tamrl.drivers.formats import static_maps

    def opened(name: str) -> "xr.DataArray":
        return static_maps.open_static_map(name, _folder(options, variables.get(name).sources[NAME].name))

    maps = {name: opened(name) for name in names}
    if options.download and "elevation" in maps:
        maps["elevation"] = static_maps.on_land(maps["elevation"], opened("land_fraction"))
    return maps

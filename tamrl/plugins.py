"""What a plug-in module holds: one protocol for each kind, with the abilities that a plug-in declares.

A plug-in is a module; its name is the name of its file. Modules are light: a dry run imports them all, so torch, xarray and
pandas are imported inside functions. Each takes its own class `Options`, so the protocols leave the type of `options` open.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, TypeVar, runtime_checkable

from tamrl.options import Strict

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tamrl.calendar import Step, TimeAxis
    from tamrl.shapes import Dynamic, Fluxes, Static, Support

ContextT = TypeVar("ContextT", contravariant=True)
LayoutT = TypeVar("LayoutT", covariant=True)
ProductT = TypeVar("ProductT")
ReadingT = TypeVar("ReadingT", contravariant=True)
SiteT = TypeVar("SiteT", covariant=True)


class Plugin(Protocol):
    """What every plug-in has: a strict model of its options, all with defaults."""

    @property
    def Options(self) -> type[Strict]:
        """Its section of the configuration."""


# --------------------------------------------------------------------------------------------------------------- models


@dataclass(frozen=True)
class Dims:
    """Sizes that a model is built for."""

    features: int
    """Dynamic features of a step."""
    support: int
    """Variables of the support set."""
    static: int
    """Static features."""
    bins: int
    """Bins of the support set."""
    scale: tuple[float, float, float]
    """Scales of gpp, reco, nee, gC m-2 d-1."""


Adapting = Literal["code", "weights", "trees"]
"""What of a model is adjusted to a new tower: the code of the site, the weights of the network, or further trees."""


@dataclass(frozen=True)
class TrainingCost:
    """What decides the time of a training."""

    kind: Literal["network", "trees"]
    """"network" (time grows with the steps of the optimiser) or "trees"."""
    width: int = 0
    streams: int = 1
    """Hidden units of the recurrent layer, and how many of these networks are trained at once."""
    trees: int = 0
    """Number of trees, or of comparable passes over the samples."""


@dataclass(frozen=True)
class ModelCapabilities:
    """Abilities of a model with certain options."""

    closes: bool
    """Whether NEE is RECO - GPP to the bit."""
    memory: bool
    """Whether the state after a step can be stored, and prediction continued from it."""
    adapts: tuple[Adapting, ...]
    """What can be adjusted to a new tower, the preferred one first; empty for nothing."""
    cost: TrainingCost
    ahead: int = 0
    """How many steps after a step its prediction may see, within the window that both lie in."""
    learns_sums: bool = False
    """Whether it learns from mean fluxes over a period; trees do not, as a leaf holds single steps."""


class Predictor(Protocol):
    """A model in use. A site's numbers depend on no other site, those of a step on no step later than `ahead`."""

    def predict(self, x: "Dynamic", support: "Support", static: "Static", *, skip: int = 0) -> "Fluxes":
        """Predict fluxes. The first `skip` steps only fill the memory and are left out of the result.

        Parameters
        ----------
        x, support, static : standardised inputs, see `tamrl.shapes`
        skip : number of leading steps without a prediction
        """

    def state_dict(self) -> Mapping[str, Any]:
        """All that training changes, as tensors."""

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> object:
        """Restore what `state_dict` returned."""


@runtime_checkable
class SelfTraining(Predictor, Protocol):
    """A model that trains itself, not by gradients; its `bags` are trained one after the other and averaged."""

    bags: int

    def fit(
        self, x: "Dynamic", support: "Support", static: "Static", y: "Fluxes", weight: "Fluxes", *, seed: int, bag: int = 0
    ) -> None:
        """Train a bag on all steps whose `weight` is above 0.

        Parameters
        ----------
        x, support, static : standardised inputs, see `tamrl.shapes`
        y : observed fluxes; may be NaN if the weight is 0
        weight : weight of each flux, with towers resampled for this bag
        seed : seed of the bag
        bag : its position among the bags
        """


class FluxModel(Plugin, Protocol):
    """A model: `tamrl/models/<name>.py`."""

    def capabilities(self, options: Any) -> ModelCapabilities:
        """What the model can do with these options."""

    def build(self, dims: Dims, options: Any) -> Predictor:
        """An untrained model."""


# -------------------------------------------------------------------------------------------------------------- drivers


@dataclass(frozen=True)
class SourceCapabilities:
    """Abilities of a source of drivers."""

    lists_files: bool = False
    """A longer record leaves earlier steps as they are; see `ListingSource`."""
    downloads: bool = False
    """It can download its files; see `DownloadingSource`."""
    item_years: bool = False
    """Not every item is downloaded for every year of the run; see `ItemYearsSource`."""
    sensors: bool = False
    """A later sensor may follow an earlier one; see `tamrl.drivers.succession`."""
    ordered: bool = False
    """Its files are ordered at the Climate Data Store, which limits the orders of a user at a time."""
    koppen: bool = False
    """It holds a map of climates; see `KoppenSource`."""
    installed: bool = False
    """Its files come with installed packages, whose versions are inputs of the cube."""


@dataclass(frozen=True)
class SourceVolume:
    """What a source holds for a run, roughly: bytes of its files, and how many composites each variable has."""

    size: float = 0.0
    composites: int = 0
    condensed: float = 0.0
    """Bytes on the disk, where something smaller is made of the files as they arrive."""
    requests: float = 0.0
    """Files, orders or chunks that a download asks for."""
    streamed: bool = False
    """Whether it is read at its provider, and nothing of it stays."""


class DriverSource(Plugin, Protocol):
    """A source of gridded drivers: `tamrl/drivers/sources/<name>.py`. The package describes the arrays."""

    CAPABILITIES: SourceCapabilities

    def inputs(self, options: Any) -> list[str]:
        """Paths that must exist before the cube is built; called while the workflow is planned."""

    def open_dynamic(self, options: Any, *, names: tuple[str, ...], axis: "TimeAxis") -> "dict[str, xr.DataArray]":
        """The named dynamic variables (time, lat, lon), float32 in canonical units."""

    def open_static(self, options: Any, *, names: tuple[str, ...]) -> "dict[str, xr.DataArray]":
        """The named static variables (lat, lon)."""

    def version(self, options: Any) -> Mapping[str, object]:
        """What was read, as JSON-like values for the provenance."""

    def volume(self, options: Any, *, names: tuple[str, ...], years: int) -> SourceVolume:
        """What variables of the vocabulary and a number of years amount to; nothing for what is small."""


class ListingSource(DriverSource, Protocol):
    """A source that can read the new ones of its files alone."""

    def listed(self, options: Any) -> Mapping[str, Path]:
        """The files that may be read, by name."""

    def open_dynamic(
        self, options: Any, *, names: tuple[str, ...], axis: "TimeAxis", only: Collection[str] | None = None
    ) -> "dict[str, xr.DataArray]":
        """Return the named dynamic variables, as `DriverSource.open_dynamic` does.

        Parameters
        ----------
        only : names of files to read (see `listed`), or None for all; steps of other files are missing
        """


class DownloadingSource(DriverSource, Protocol):
    """A source that downloads its files."""

    def items(self, options: Any, names: tuple[str, ...]) -> list[str]:
        """What is downloaded separately for the named variables, so that only what failed is tried again."""

    def fetch(self, options: Any, *, item: str, year: int, folder: Path, months: int = 12) -> None:
        """Download an item for a year. Complete files are not downloaded again.

        Parameters
        ----------
        item : an element of `items`
        months : number of months to download, from January
        """


class ItemYearsSource(DownloadingSource, Protocol):
    """A source whose items are of years of their own: an edition, or the years of one sensor."""

    def item_years(self, options: Any, item: str, years: tuple[int, ...]) -> tuple[int, ...]:
        """Years of which an item is downloaded, for a run of so many years."""


class KoppenSource(DriverSource, Protocol):
    """A source that holds a map of climates."""

    def koppen_map(self, options: Any) -> Path:
        """GeoTIFF of Köppen-Geiger groups or classes."""


def lists_files(source: DriverSource) -> TypeGuard[ListingSource]:
    """Whether the source can read new files alone."""
    return source.CAPABILITIES.lists_files


def downloads(source: DriverSource) -> TypeGuard[DownloadingSource]:
    """Whether the source can download its files."""
    return source.CAPABILITIES.downloads


def has_item_years(source: DriverSource) -> TypeGuard[ItemYearsSource]:
    """Whether the items of the source are of years of their own."""
    return source.CAPABILITIES.item_years


def orders_files(source: DriverSource, options: Strict) -> bool:
    """Whether a download makes orders at the Climate Data Store: of all files, or of those that fill gaps (option `gaps`)."""
    return source.CAPABILITIES.ordered or getattr(options, "gaps", "refuse") != "refuse"


def holds_koppen(source: DriverSource) -> TypeGuard[KoppenSource]:
    """Whether the source holds a map of climates."""
    return source.CAPABILITIES.koppen


# --------------------------------------------------------------------------------------------------------------- towers


@dataclass(frozen=True)
class NetworkCapabilities:
    """Abilities of a reader of a tower network."""

    archives: bool = False
    """Each tower is a file; see `ArchiveNetwork`, else `TableNetwork`."""
    fetches: bool = False
    """It downloads files that are not a fixed list; see `FetchingNetwork`."""
    remarks: bool = False
    """Its data need a remark; see `RemarkingNetwork`."""
    alternatives: bool = False
    """Its table may hold alternatives to the chosen fluxes: `read` takes `alternatives` too."""
    download: str | None = None
    """Name of its public files in `tamrl/data/sources.tsv`."""


class TowerNetwork(Plugin, Protocol):
    """A reader of a tower network: `tamrl/towers/networks/<name>.py`. The package describes the tables."""

    __name__: str
    CAPABILITIES: NetworkCapabilities

    def inputs(self, options: Any) -> list[str]:
        """Files and folders that must exist before reading; called while the workflow is planned."""


class TableNetwork(TowerNetwork, Protocol):
    """A network whose towers come in one table."""

    def read(
        self,
        paths: list[Path],
        options: Any,
        *,
        partitioning: Literal["NT", "DT"],
        step: "Step",
        ustar: Literal["REF", "USTAR50"],
    ) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return records of `contracts.TOWERS` and places of `contracts.SITES`.

        Parameters
        ----------
        paths : files and folders of the network
        partitioning : method of flux partitioning, night-time or day-time
        """


class ArchiveNetwork(TowerNetwork, Protocol[ProductT, ReadingT, SiteT]):
    """A network whose towers are one file each, so that only new ones are read."""

    def archives(self, paths: list[Path], options: Any, *, step: "Step") -> list[ProductT]:
        """The files of the towers."""

    def read_archive(self, product: ProductT, *, paths: list[Path], options: Any, how: ReadingT) -> "tuple[pd.DataFrame, SiteT]":
        """Return the records of a tower, and its row of `contracts.SITES` as a record.

        Parameters
        ----------
        product, how : file of the tower, an element of `archives`, and what to read from it, defined by the tower package
        """


class FetchingNetwork(TowerNetwork, Protocol):
    """A network that downloads files which are not a fixed list."""

    def fetch(self, options: Any, folder: Path) -> None:
        """Fill the folder of downloads; raises `OutageError` where a server fails, so that nothing is left out."""


class RemarkingNetwork(TowerNetwork, Protocol):
    """A network whose users must know more than the citation."""

    def remark(self, options: Any) -> str:
        """One sentence without its full stop, or an empty text."""


def reads_archives(network: TowerNetwork) -> TypeGuard[ArchiveNetwork[Any, Any, Any]]:
    """Whether each tower is a file."""
    return network.CAPABILITIES.archives


def reads_table(network: TowerNetwork) -> TypeGuard[TableNetwork]:
    """Whether the towers come in one table."""
    return not network.CAPABILITIES.archives


def fetches(network: TowerNetwork) -> TypeGuard[FetchingNetwork]:
    """Whether the network downloads files that are not a fixed list."""
    return network.CAPABILITIES.fetches


def remarks(network: TowerNetwork) -> TypeGuard[RemarkingNetwork]:
    """Whether the data of the network need a remark."""
    return network.CAPABILITIES.remarks


# ----------------------------------------------------------------------------------------------------------------- maps


class MapProduct(Protocol[ContextT]):
    """A kind of map file: `tamrl/maps/products/<name>.py`, for the context that the package defines.

    `TITLE` names the file; `{flux}` and `{label}` are filled in. `SUMMARY` is one sentence about it. `CALIBRATED` says whether
    it needs calibration and applicability. `build` works point by point in (time, lat, lon): it sees a map in blocks of any size.
    """

    TITLE: str
    SUMMARY: str
    CALIBRATED: bool

    def build(self, members: "xr.DataArray", context: ContextT) -> "xr.Dataset":
        """Fields (time, ..., lat, lon), float32, from members (member, time, lat, lon) in gC m-2 d-1 of vegetated land."""


# --------------------------------------------------------------------------------------------------- products of others


class ComparedProduct(Protocol[LayoutT]):
    """A product of others to compare maps with: `tamrl/reference/products/<name>.py`, for the layouts that the package defines.

    `TITLE` is its name for people, `SOURCE` where it is described, with a DOI if it has one.
    """

    TITLE: str
    SOURCE: str

    @property
    def LAYOUT(self) -> LayoutT:
        """How it is published: variables, units, signs, times, fill values and grid."""

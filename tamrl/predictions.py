"""Predictions of all members over the globe: the contracts of their files, and how finished predictions are opened.

`predictions/{label}.json` is the manifest. It is written last and names the Zarr store of the members' fluxes, relative to
itself. So whoever reads predictions takes the manifest alone. Next to the store lies a record of each tile
(`tamrl.inference.store`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import xarray as xr
from pydantic import Field

from tamrl import stores
from tamrl.documents import Document
from tamrl.errors import ContractError

DIMS = ("member", "time", "lat", "lon")
STORED_FLUXES = ("gpp", "reco")
"""Fluxes in the store; NEE is their difference."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class FluxDifference(Document):
    """Difference between two ways to compute fluxes, over a sample of cells, gC m-2 d-1; GPP, RECO and NEE together."""

    rms: float
    bias: float
    largest: float


class TileRecord(Document):
    """Record of one tile, written after its fluxes; by it a later run knows which members are done."""

    content: ClassVar[str] = "the record of a tile"

    cells: Count = 0
    """Land cells."""
    missing: Count = 0
    """Missing steps of these cells; the same for all members."""
    members: dict[str, Sha256] = Field(default_factory=dict)
    """SHA-256 of the fluxes of each member, by digest of the member."""
    memory: dict[str, Sha256] = Field(default_factory=dict)
    """SHA-256 of the file with the memory of each member, where memories are carried; none for a tile without land."""


class TileSummary(Document):
    """A tile of a finished map."""

    sha256: Sha256
    """Over those of all members."""
    cells: Count
    missing: Count


class Manifest(Document):
    """`predictions/{label}.json`: states that the predictions of a label are complete, and what they are made of."""

    content: ClassVar[str] = "the manifest of a map"

    label: str
    """A year, or `climatology`."""
    model: str
    """Name of the model."""
    members: tuple[str, ...]
    """Digest of each member, in the order of the store."""
    key: str
    """Digest of the key of the tiles: code, libraries, settings and inputs."""
    cube: str
    """Digest of the driver cube."""
    store: Annotated[str, Field(pattern=r"^[^/]+\.zarr$")]
    """Name of the Zarr store, which lies next to the manifest."""
    store_digest: Sha256
    """Digest of the finished store."""
    digest: Sha256
    """Over the fluxes of all tiles and members."""
    cells: Count
    missing: Count
    numerics: Literal["exact", "fast"] = "exact"
    difference: FluxDifference | None = None
    """With fast numerics: of fast from exact fluxes."""
    spinup_difference: FluxDifference | None = None
    """With a spin-up: of these fluxes from those after a spin-up of twice the length."""
    tiles: dict[str, TileSummary]

    def store_path(self, manifest: str | Path) -> Path:
        """Path of the store, from that of the manifest."""
        return Path(manifest).parent / self.store


@dataclass(frozen=True)
class Predictions:
    """Members of the globe."""

    ds: xr.Dataset
    """`gpp` and `reco` (member, time, lat, lon), gC m-2 d-1, lazy."""
    model: str
    digest: str
    """Digest of the fluxes."""


def open_predictions(manifest: str | Path, *, label: str, cube: str | Path) -> Predictions:
    """Open the finished predictions of `label`.

    Raises `ContractError` if the manifest is of another label, store or cube, or the store differs from its own list of files
    or lacks a flux or dimension.
    """
    content = Manifest.read(manifest)
    store = content.store_path(manifest)
    compared = {
        "label": (content.label, label),
        "store": (content.store_digest, stores.manifest_digest(store)),
        "cube": (content.cube, stores.manifest_digest(cube)),
    }
    for name, (written, present) in compared.items():
        if written != present:
            raise ContractError(
                f"the predictions were not finished for this {name}",
                where=manifest,
                found=f"{written} instead of {present}",
                todo="run predict_tiles again",
            )
    ds = stores.open_sealed(store)
    for flux in STORED_FLUXES:
        if flux not in ds or ds[flux].dims != DIMS:
            raise ContractError(f"{flux} must have dimensions {DIMS}", where=store, found=f"{dict(ds.sizes)}, {list(ds)}")
    return Predictions(ds, content.model, content.digest)

"""Models that come along: trained members, their intervals, training towers and card in one verified file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.spatial import KDTree

from tamrl.api.model_card import ModelCard
from tamrl.documents import Document, DocumentPart
from tamrl.errors import ContractError, InputError, near
from tamrl.files import atomic
from tamrl.intake import border
from tamrl.training.checkpoint import Trained
from tamrl.training.model_spec import ModelSpec
from tamrl.training.packing import DOWNLOAD_AGAIN, PackedFile, pack_members, read_packed
from tamrl.uncertainty.applicability import Reference
from tamrl.uncertainty.calibration import Calibration
from tamrl.uncertainty.descriptions import DescribedTowers

FOLDER = Path(__file__).parents[1] / "data/models"
SUFFIX = ".safetensors"
DEFAULT = "tamrl-fluxnet2015"
"""The model that is used where none is named."""


class TowerReference(DocumentPart):
    """What compares places with the training towers, besides its arrays."""

    sites: tuple[str, ...]
    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    least: int
    distance: float
    threshold: float


class Release(Document):
    """What a file of a released model says besides its numbers."""

    content: ClassVar[str] = "the description of a released model"

    card: ModelCard
    members: tuple[ModelSpec, ...] = Field(min_length=1)
    calibration: Calibration
    towers: TowerReference | None = None
    """None where the run had no samples: it is not known then where the model applies."""


@dataclass(frozen=True, eq=False)
class ReleasedModel:
    """A released model, ready to predict."""

    card: ModelCard
    digest: str
    """SHA-256 of all that the file holds."""
    members: tuple[Trained, ...]
    calibration: Calibration
    towers: DescribedTowers | None


def released_names() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def released_file(source: str | Path) -> Path | None:
    """The file of a released model: one that exists, or one of the package by its name; None for another kind of source."""
    path = Path(source)
    if path.suffix == SUFFIX and path.is_file():
        return path
    return FOLDER / f"{source}{SUFFIX}" if str(source) in released_names() and not path.exists() else None


def read_card(source: str | Path) -> tuple[ModelCard, str]:
    """The card and the digest of a released model, by the name of the model in the package or by its file.

    Raises `InputError` if there is no such model, and `ContractError` if its file is damaged.
    """
    if (path := released_file(source)) is None:
        raise InputError("there is no such model", where=source, todo=near(str(source), released_names()))
    release, packed = _read_release(path)
    return release.card, packed.digest


def read_released(path: Path) -> ReleasedModel:
    """Read a released model and compare it with its digest.

    Raises `ContractError` if the file is damaged, or of a version that this one does not know.
    """
    release, packed = _read_release(path)
    towers = release.towers
    described = None
    if towers is not None:
        points, centre, scale = (packed.array(name) for name in ("points", "centre", "scale"))
        reference = Reference(centre, scale, KDTree(points), towers.distance, towers.threshold)
        described = DescribedTowers(reference, towers.sites, towers.dynamic, towers.static, towers.least)
    members = packed.members(release.members, where=path)
    return ReleasedModel(release.card, packed.digest, members, release.calibration, described)


def write_released(path: Path, release: Release, members: tuple[Trained, ...], towers: DescribedTowers | None) -> None:
    """Write a released model.

    Parameters
    ----------
    path : of the file
    release : what it says
    members : with their weights, in the order of `release.members`
    towers : that trained them
    """
    reference = towers.reference if towers else None
    arrays: dict[str, np.ndarray] = {}
    if reference is not None:
        arrays = {"points": np.asarray(reference.tree.data), "centre": reference.centre, "scale": reference.scale}
    text = json.dumps(release.model_dump(mode="json"), sort_keys=True, allow_nan=False)
    content = pack_members(members, arrays, text)
    with atomic(path, sealed=False) as part:
        part.write_bytes(content)


def _read_release(path: Path) -> tuple[Release, PackedFile]:
    """The description in a file, and all that the file holds."""
    packed = read_packed(path)
    asked = "a released model cannot be read"
    with border.reading(asked, where=path, error=ContractError, todo=f"{DOWNLOAD_AGAIN}; perhaps a newer tamrl made it"):
        return Release.model_validate_json(packed.text), packed

"""A trained model on disk: `weights.safetensors` (tensors only, never a pickle) and `spec.json`, which says what they mean."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as pack
from torch import Tensor

from tamrl.errors import ContractError
from tamrl.files import sha256
from tamrl.intake import border
from tamrl.plugins import Predictor
from tamrl.training.model_spec import ModelSpec

_log = logging.getLogger(__name__)
SPEC, WEIGHTS = "spec.json", "weights.safetensors"
TRAIN_AGAIN = "delete the folder and train again"


@dataclass(frozen=True)
class Trained:
    """A trained model, and what its weights mean."""

    model: Predictor
    spec: ModelSpec


def save_model(folder: Path, trained: Trained) -> None:
    """Write a model into `folder`."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(pack(stored_weights(trained)))  # a full disk is then an OSError
    trained.spec.model_copy(update={"weights": sha256(folder / WEIGHTS)}).write(folder / SPEC)


def stored_weights(trained: Trained) -> dict[str, Tensor]:
    """The weights of a model as they are written."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in trained.model.state_dict().items()}


def load_member(folder: str | Path) -> Trained:
    """Read a model back.

    Raises
    ------
    ContractError
        If a file is missing, the weights are no safetensors file, differ from what `spec.json` promises, or do not fit.
    """
    folder = Path(folder)
    if missing := [name for name in (SPEC, WEIGHTS) if not (folder / name).is_file()]:
        raise ContractError(
            f"a trained model lacks {' and '.join(missing)}",
            where=folder,
            found=sorted(p.name for p in folder.glob("*")),
            todo="run the rule train_model",
        )
    spec = ModelSpec.read(folder / SPEC)
    if sha256(folder / WEIGHTS) != spec.weights:
        raise ContractError("the weights differ from their checksum", where=folder / WEIGHTS, todo=TRAIN_AGAIN)
    with border.reading("a trained model cannot be built", where=folder, error=ContractError, todo=TRAIN_AGAIN):
        return Trained(_with_weights(spec, folder), spec)


def _with_weights(spec: ModelSpec, folder: Path) -> Predictor:
    """Build a model and load its weights."""
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        todo = "train again; other formats are refused"
        raise ContractError("the weights are no safetensors file", where=folder / WEIGHTS, found=error, todo=todo) from None
    return restore_model(spec, state, where=folder)


def restore_model(spec: ModelSpec, state: dict[str, Tensor], *, where: object) -> Predictor:
    """Build a model and give it its weights; their shapes are compared before memory is allocated for the size it claims.

    Raises `ContractError` if they do not fit; `where` is for that.
    """
    with torch.device("meta"):
        model = spec.build()
    if isinstance(model, torch.nn.Module):
        _compare_shapes(model.state_dict(), state, where)
        model = spec.build()
    model.load_state_dict(state)
    return model.eval() if isinstance(model, torch.nn.Module) else model


def _compare_shapes(model: dict[str, Tensor], state: dict[str, Tensor], where: object) -> None:
    wanted, stored = ({name: tuple(tensor.shape) for name, tensor in tensors.items()} for tensors in (model, state))
    if odd := sorted(name for name in wanted.keys() | stored.keys() if wanted.get(name) != stored.get(name)):
        first = f"{odd[0]}: {stored.get(odd[0])} instead of {wanted.get(odd[0])}"
        raise ContractError("the weights do not fit the model", where=where, found=first, todo="train again")


def load_ensemble(folders: Sequence[str | Path]) -> list[Trained]:
    """Read models that belong together.

    Raises
    ------
    ContractError
        If they differ in model, configuration, seed, samples or libraries, or if one of them is given twice.
    """
    members = [load_member(folder) for folder in folders]
    kin = [(m.spec.name, m.spec.inputs, m.spec.training.kin) for m in members]
    if strangers := [folder for folder, key in zip(folders, kin, strict=True) if key != kin[0]]:
        raise ContractError(
            "members of an ensemble must come from one configuration, one set of samples and one set of libraries",
            where=folders[0],
            found=f"trained otherwise: {', '.join(map(str, strangers[:5]))}",
            todo="train them all again",
        )
    labels = Counter((m.spec.fold, m.spec.member) for m in members)
    if len(labels) < len(members):
        raise ContractError("a member is given twice", where=folders[0], found=sorted(labels.elements()))
    if len(sets := sorted({m.spec.training.instructions for m in members})) > 1:
        _log.warning("members were trained on different instruction sets, so that their last bits differ: %s", "; ".join(sets))
    return members

"""A trained model on disk: `weights.safetensors` (tensors only, never a pickle) and `spec.json`, which says what they mean."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as pack

from tamrl import registry
from tamrl.errors import ContractError
from tamrl.files import read_json, sha256, write_json
from tamrl.intake import border
from tamrl.plugins import Dims
from tamrl.provenance import config_digest
from tamrl.samples.dataset import Spec
from tamrl.samples.scaling import Scaling

LOG = logging.getLogger(__name__)
SPEC, WEIGHTS = "spec.json", "weights.safetensors"


@dataclass(frozen=True)
class Trained:
    """A model with all that is needed to use it.

    Attributes
    ----------
    model : what `build` of the plug-in gave, with its trained weights
    name : of the plug-in, or of a variant of it
    spec, scaling : how its inputs are made
    fold, member : which one it is
    about : whatever else is worth knowing (history, digests, options)
    """

    model: Any
    name: str
    spec: Spec
    scaling: Scaling
    fold: str
    member: str
    about: dict[str, Any]

    @property
    def digest(self) -> str:
        """Digest of the weights and of their meaning."""
        return self.about["digest"]

    @property
    def inputs_key(self) -> str:
        """Equal for models that can share one set of inputs."""
        return config_digest([self.spec.to_json(), self.scaling.to_json()])


def dims(spec: Spec, scaling: Scaling) -> Dims:
    """Sizes of a model for these inputs."""
    return Dims(len(spec.features), len(spec.dynamic), len(spec.attributes), spec.length, scaling.flux_scale)


def save(folder: Path, trained: Trained, *, options: dict, plugin: str | None = None) -> None:
    """Write a model into `folder`; `plugin` is the file of `tamrl.models` behind it, by default the one of its name."""
    folder.mkdir(parents=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.model.state_dict().items()}
    (folder / WEIGHTS).write_bytes(pack(state))  # a full disk is then an OSError
    content = {
        "model": trained.name,
        "plugin": plugin or trained.name,
        "options": options,
        "inputs": trained.spec.to_json(),
        "scaling": trained.scaling.to_json(),
        "dims": asdict(dims(trained.spec, trained.scaling)),
        "fold": trained.fold,
        "member": trained.member,
        "about": trained.about,
        "weights": sha256(folder / WEIGHTS),
    }
    write_json(folder / SPEC, content)


def load(folder: str | Path) -> Trained:
    """Read a model back.

    Raises
    ------
    ContractError
        If a file is missing, the weights are no safetensors file, differ from what `spec.json` promises, or do not fit.
    """
    folder = Path(folder)
    _require(folder)
    todo = "delete the folder and train again"
    with border.reading("the description of a model cannot be read", where=folder / SPEC, error=ContractError, todo=todo):
        content = read_json(folder / SPEC)
        if sha256(folder / WEIGHTS) != content["weights"]:
            raise ContractError("the weights differ from their checksum", where=folder / WEIGHTS, todo=todo)
        spec, scaling = Spec.from_json(content["inputs"]), Scaling.from_json(content["scaling"])
        model = _built(content, dims(spec, scaling), folder)
        about = content["about"] | {"digest": config_digest(content)}
        return Trained(model, content["model"], spec, scaling, content["fold"], content["member"], about)


def _built(content: dict[str, Any], sizes: Dims, folder: Path) -> Any:
    """The model with its weights, whose shapes are compared before memory is taken for a model of the size that is said."""
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ContractError(
            "the weights are no safetensors file",
            where=folder / WEIGHTS,
            found=error,
            todo="train again; other formats are refused",
        ) from None
    plugin = registry.load(registry.MODELS, content["plugin"])
    options = plugin.Options(**content["options"])
    with torch.device("meta"):
        model = plugin.build(sizes, options)
    if isinstance(model, torch.nn.Module):
        _fit({name: tuple(v.shape) for name, v in model.state_dict().items()}, state, folder)
        model = plugin.build(sizes, options)
    model.load_state_dict(state)
    if isinstance(model, torch.nn.Module):
        model.eval()
    return model


def _fit(wanted: dict[str, tuple[int, ...]], state: dict[str, torch.Tensor], folder: Path) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if odd := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        said = f"{odd[0]}: {found.get(odd[0])} instead of {wanted.get(odd[0])}"
        raise ContractError("the weights do not fit the model", where=folder, found=said, todo="train again")


def load_ensemble(folders: list[str]) -> list[Trained]:
    """Read models that belong together.

    Raises
    ------
    ContractError
        If they are not of one model, configuration, seed, set of samples and of libraries, or if one of them is there twice.
    """
    members = [load(folder) for folder in folders]
    kin = [(m.name, m.spec, m.about["kin"]) for m in members]
    strangers = [folder for folder, own in zip(folders, kin, strict=True) if own != kin[0]]
    if strangers:
        raise ContractError(
            "members of an ensemble must come from one configuration, one set of samples and one set of libraries",
            where=folders[0],
            found=f"trained otherwise: {', '.join(map(str, strangers[:5]))}",
            todo="train them all again",
        )
    if len({(m.fold, m.member) for m in members}) < len(members):
        raise ContractError("a member is there twice", where=folders[0], found=sorted((m.fold, m.member) for m in members))
    if len(sets := sorted({m.about.get("instructions", "unknown") for m in members})) > 1:
        LOG.warning("members were trained on different instruction sets, so that their last bits differ: %s", "; ".join(sets))
    return members


def _require(folder: Path) -> None:
    missing = [name for name in (SPEC, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise ContractError(
            f"a trained model lacks {' and '.join(missing)}",
            where=folder,
            found=sorted(p.name for p in folder.glob("*")),
            todo="run the rule train_model",
        )

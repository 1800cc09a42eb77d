"""`spec.json` of a trained model: all that is needed to build it, to make its inputs, and to know how it was trained."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator

from tamrl import registry
from tamrl.documents import Document, DocumentPart
from tamrl.files import write_json
from tamrl.options import Strict
from tamrl.plugins import Dims, ModelCapabilities, Predictor
from tamrl.provenance import config_digest
from tamrl.samples.dataset import InputSpec
from tamrl.samples.standardise import Standardisation
from tamrl.sections.models import Optimisation
from tamrl.training.history import History


def model_dims(inputs: InputSpec, standardisation: Standardisation) -> Dims:
    """Sizes of a model for these inputs."""
    sizes = len(inputs.features), len(inputs.dynamic), len(inputs.attributes), inputs.length
    return Dims(*sizes, scale=standardisation.flux_scale)


class TrainingRecord(DocumentPart):
    """How a member was trained."""

    kin: str
    """Digest of configuration, seed, samples, splits and libraries; equal for members that may form an ensemble."""
    sites: tuple[str, ...]
    """Towers in training."""
    held_back: tuple[str, ...] = ()
    """Those of them that chose the best weights."""
    sum_sites: tuple[str, ...] = ()
    """Places whose mean fluxes over periods were in training."""
    settings: Optimisation = Optimisation()
    samples: str = ""
    """SHA-256 of the samples, as `splits` of the table of splits."""
    splits: str = ""
    sums: tuple[str, ...] = ()
    """Of samples and folds of the places of sums, where the model learns from them."""
    alternatives: tuple[str, ...] = ()
    """Of the alternatives to the towers' chosen fluxes, where members draw some."""
    drawn: dict[str, str] = Field(default_factory=dict)
    """Label of the alternative of each tower that did not train with its chosen fluxes."""
    seed: int = 0
    """Of the member, derived from that of the run."""
    run_seed: int = 0
    code: str = ""
    """Digest of the code behind the training."""
    software: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that shape the weights."""
    instructions: str = "unknown"
    """Instruction set of the processor."""
    history: History | None = None
    """Losses of a network; null for models that train themselves."""


class ModelSpec(Document):
    """Contract of `spec.json`."""

    content: ClassVar[str] = "the description of a model"

    name: str
    """Of the model, which may be a variant of its plug-in."""
    plugin: str
    options: SerializeAsAny[Strict]
    inputs: InputSpec
    standardisation: Standardisation
    fold: str
    member: str
    training: TrainingRecord
    weights: str | None = None
    """SHA-256 of the weights, once they are written."""

    @field_validator("options", mode="plain")
    @classmethod
    def _of_plugin(cls, value: Any, info: ValidationInfo) -> Strict:
        """Options are those of the plug-in."""
        options = registry.load_model_plugin(info.data["plugin"]).Options
        return value if isinstance(value, options) else options.model_validate(value)

    def write(self, path: str | Path) -> None:
        """Write the description with its nulls: an option that is null may have another default."""
        write_json(path, self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """Digest of the weights and of their meaning."""
        return config_digest(self.model_dump(mode="json"))

    @property
    def inputs_key(self) -> str:
        """Equal for models that can share one set of inputs."""
        return config_digest(self.model_dump(mode="json", include={"inputs", "standardisation"}))

    @property
    def capabilities(self) -> ModelCapabilities:
        """What the model can do."""
        return registry.load_model_plugin(self.plugin).capabilities(self.options)

    def build(self) -> Predictor:
        """The model, untrained."""
        dims = model_dims(self.inputs, self.standardisation)
        return registry.load_model_plugin(self.plugin).build(dims, self.options)

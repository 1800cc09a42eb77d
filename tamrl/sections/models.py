"""Sections of the configuration, what learns and predicts: splits, training, inference."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tamrl import escaping
from tamrl.options import Alignment, Strict
from tamrl.sections.types import Name, Share, WithPlugins


class Splits(Strict):
    """How towers are held out: always whole groups of neighbouring towers."""

    scheme: Literal["kfold", "koppen", "warm", "temporal", "sites"] = "kfold"
    """`kfold`: folds even in IGBP classes. `koppen`: folds even in climates. `warm`: the warmest towers are held out, the
    coldest train. `temporal`: the last steps of each group are held out. `sites`: the towers of a list are."""
    folds: Annotated[int, Field(ge=2, le=1000)] = 3
    """Number of folds of `kfold` and `koppen`."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share that `warm` (of the towers) and `temporal` (of a group's measured steps) hold out."""
    distance_km: Annotated[float, Field(ge=0, le=20_100)] = 30.0
    """Towers closer than this belong to one group."""
    test_sites: str | None = None
    """File with one site id a line, held out by `sites`."""

    @property
    def fold_names(self) -> tuple[str, ...]:
        """Folds that hold towers out; `all`, which holds none out, is no fold."""
        return tuple(str(k) for k in range(self.folds)) if self.scheme in ("kfold", "koppen") else ("test",)

    @model_validator(mode="after")
    def _file(self) -> "Splits":
        if self.scheme == "sites" and not self.test_sites:
            raise ValueError("scheme: sites needs test_sites: FILE")
        return self


class Optimisation(Strict):
    """How the weights of one network are found."""

    sequence: Annotated[int, Field(ge=2, le=100_000)] = 365
    """Steps of a training sequence that are scored."""
    spinup: Annotated[int, Field(ge=0, le=100_000)] = 60
    """Steps before those that only fill the memory."""
    batch: Annotated[int, Field(ge=1, le=10_000_000)] = 16
    """Sequences per step."""
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 600
    """Optimiser steps at most."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 4e-3
    """Peak of the schedule."""
    schedule: Literal["one_cycle", "step"] = "one_cycle"
    """`one_cycle`: the learning rate rises and falls once (Smith & Topin 2019, doi 10.1117/12.2520589). `step`: it is halved nine
    times, after each tenth of the training or of each of its stages (arXiv 2603.09974)."""
    loss: Literal["huber", "laplace", "squared"] = "huber"
    """What the residual of a scaled flux costs. `laplace` is for networks that estimate their own error (TAM-RL, whose default it
    is); the others then take `huber`."""
    weighting: Literal["sampling", "loss"] = "sampling"
    """What each tower counts. `sampling`: it is drawn by the root of its record length (see `class_weights` too), resampled in
    each member. `loss`: all steps are drawn alike, and cost the inverse frequencies of the IGBP class and of the Köppen class of
    their tower (arXiv 2603.09974)."""
    patience: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Checks without a better validation loss after which a training ends; null: none. A network is checked twelve times in the
    second half of its training."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-2
    validation: Share = 0.1
    """Share of the training groups that choose the best weights."""
    class_weights: bool = True
    """Weigh sites by the inverse root frequency of their IGBP class."""
    input_noise: Annotated[float, Field(ge=0, le=100)] = 0.05
    """Standard deviation of noise added to scaled inputs while training."""
    forgiven: Share = 0.0
    """Share of the mean residual of a training sequence that costs a network nothing: what a tower has of its own and no driver
    tells then disturbs less what its days say of the response to the drivers. TAM-RL has another default."""
    align: Alignment = "none"
    """Penalty on hidden states that are distributed differently from tower to tower, see `training.alignment`."""
    align_weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Weight of that penalty."""
    sums_weight: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Weight of the loss on mean fluxes over periods (`towers.sums`) beside that of the single steps; 0 does without them. Only
    networks that carry their memory along learn from them."""
    sums_batch: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Sums per step."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["exact", "fast"] = "exact"
    """`fast` compiles networks and trains them in bfloat16 on a GPU; on a processor it changes nothing."""

    def adjusted(self, options: Strict) -> "Optimisation":
        """These settings, but for those that the options of a model set: keys of the same name that are not null."""
        changed = {key: value for key, value in options if key in Optimisation.model_fields and value is not None}
        return Optimisation(**{key: getattr(self, key) for key in Optimisation.model_fields} | changed)


class TrainedModels(Optimisation, WithPlugins):
    """Training of the models. Each plug-in may have a section of its own with its options."""

    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("tamrl", "lightgbm")
    """Plug-ins, and variants of them."""
    variants: dict[Name, Any] = Field(default_factory=dict)
    """Plug-ins once more with other options, `NAME: {model: PLUGIN, option: value}`. A variant starts from the plug-in's own
    defaults, never from the plug-in's section here, and draws the same towers in each member as the plug-in does."""
    members: Annotated[int, Field(ge=1, le=1000)] = 5
    """Members of an ensemble: independent seeds and resampled towers."""

    def plugin(self, name: str) -> str:
        """The plug-in behind a model, which may be a variant."""
        return self.variants[name].model if name in self.variants else name

    def options(self, name: str) -> dict[str, Any]:
        """Options of a model, which may be a variant, as plain values."""
        return {key: value for key, value in self._of_model(name).model_dump(mode="json").items() if key != "model"}

    def optimisation(self, name: str) -> Optimisation:
        """Training of a model, which may be a variant, with its own keys."""
        return self.adjusted(self._of_model(name))

    def _of_model(self, name: str) -> Strict:
        options: Strict = self.variants[name] if name in self.variants else self.plugin_options(name)
        return options


class Batches(Strict):
    """How many places are predicted at once, and where."""

    batch: Annotated[int, Field(ge=1, le=10_000_000)] = 2048
    """Cells whose inputs are made at once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Engine(Batches):
    """How the maps are predicted."""

    spinup: Annotated[int, Field(ge=0, le=100_000)] = 90
    """Steps before the mapped year that only fill the memory; what twice as many would change stands in the manifest of each
    map. Steps before those still enter running means."""
    memory: Literal["spinup", "carried"] = "spinup"
    """`spinup`: every year stands alone, after `spinup` steps of its own past. `carried`: the memory goes on from year to year
    since the cube begins, put down at the end of each mapped year: half the work, one year after the other."""
    numerics: Literal["exact", "fast"] = "exact"
    """`fast`: recurrent layers in bfloat16; the difference is measured and stands in the manifest of each map."""


class Inference(Engine):
    """Prediction over the globe."""

    model: str = "tamrl"
    """The model that makes the maps."""
    jobs: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Jobs a map is divided into, for clusters; each computes its tiles side by side on its own cores."""
    nodes: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Nodes of one allocation that share the tiles of a map through Dask; the other way to use many machines."""
    launcher: str = (
        "srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --cpus-per-task={threads} --cpu-bind=none --kill-on-bad-exit=0"
    )
    """What starts a worker on each of the nodes; `mpirun` of a site does too."""

    @field_validator("launcher")
    @classmethod
    def _words(cls, value: str) -> str:
        escaping.split_command(value, nodes=2, threads=1)
        return value

    @model_validator(mode="after")
    def _one_way(self) -> "Inference":
        if self.nodes > 1 and self.jobs > 1:
            raise ValueError(f"nodes ({self.nodes}) and jobs ({self.jobs}) are two ways to divide a map; set one of them to 1")
        return self

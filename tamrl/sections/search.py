"""Sections of the configuration, how settings of models are searched, and what a search has chosen."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from tamrl.options import Strict
from tamrl.sections.types import Name

Fold = Annotated[int, Field(ge=0, le=999)]
Folds = Annotated[tuple[Fold, ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=2, le=100)]
Seed = Annotated[int, Field(ge=0, le=4_294_967_295)]
Bound = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)] | Annotated[float, Field(ge=-1e9, le=1e9)]


class Range(Strict):
    """A range of numbers; whole ones if both ends are."""

    low: Bound
    high: Bound
    log: bool = False
    """Draw evenly in the logarithm."""

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithm needs a low above 0, found {self.low}")
        return self

    @property
    def integral(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = Annotated[tuple[Any, ...], Field(min_length=1)]
Space = dict[Name, Choices | Range]


class SearchBudget(Strict):
    """What every model is given alike."""

    settings: Count = 6
    """Settings of each model: the first is that of the configuration, the others are drawn."""
    folds: Folds = (0,)
    """Folds of the run's split that are held out, by number."""
    failed: dict[Name, str] = Field(default_factory=dict)
    """Settings whose training ended with an error: `NAME: reason`. They are not trained again and are shown as failed."""


class Search(SearchBudget):
    """A search of settings, the same for every model: one member of each setting is trained and scored at held-out towers.

    The towers are held out by the `seed` of the run, which must differ from that of the runs that use what is chosen.
    """

    seed: Seed = 1
    """Draws the settings."""
    models: Annotated[dict[Name, Space], Field(min_length=1)]
    """Plug-ins or variants: `NAME: {option: [value, ...] or {low: , high: , log: }}`."""


class SearchRecord(Strict):
    """How the settings of a model were chosen."""

    settings: Count
    """Settings that were compared."""
    seed: Seed
    """Of the split that held the towers out."""
    folds: Folds
    """Folds that were held out."""
    chosen: Annotated[int, Field(ge=0, le=99)]
    """The setting that was chosen; 0 is the one before the search."""


class Setting(Strict):
    """One setting of a model."""

    model: Name
    """Plug-in or variant."""
    number: int
    """0 is the setting of the configuration."""
    plugin: str
    searched: dict[str, Any]
    """Values of the options that are searched."""
    options: dict[str, Any]
    """All options of the plug-in."""

    @property
    def name(self) -> str:
        """Name of the variant that is trained."""
        return f"{self.model}_s{self.number:02d}"

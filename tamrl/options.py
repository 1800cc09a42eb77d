"""The strict base of every configuration section and of every plug-in's options."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tamrl.web.addresses import holds_login


class Strict(BaseModel):
    """Frozen; unknown keys, values of the wrong type and numbers that are not finite are refused; defaults are checked too.

    Every number has a least and a greatest value: what is far beyond use would fill the machine or never end.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @field_validator("*")
    @classmethod
    def _no_login(cls, value: object) -> object:
        """Refuse an address with a login: the configuration is copied into records, logs and archives."""
        if any(isinstance(part, str) and holds_login(part) for part in (value if isinstance(value, list | tuple) else [value])):
            raise ValueError("the address holds a login: take it out and put it into ~/.netrc, which is read for https")
        return value


class Schedule(Strict):
    """Options of networks: keys of the section `training` that a model wants otherwise; null takes the section's."""

    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = None
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = None
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] | None = None
    class_weights: bool | None = None
    forgiven: Annotated[float, Field(ge=0, le=1)] | None = None


class Recurrent(Schedule):
    """Options that all recurrent models have."""

    hidden: Annotated[int, Field(ge=1, le=16_384)] = 64
    """Width of the LSTM."""
    layers: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    windows: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = ()
    """Days over which running means of the drivers join the inputs."""


class Boosting(Strict):
    """Options that all boosted trees have."""

    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.05
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the features each tree may use."""
    row_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Share of the rows each tree sees."""
    rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100_000
    """Rows drawn at random where there are more."""

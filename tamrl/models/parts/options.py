"""Options that models of a family share."""

from typing import Annotated, Literal

from pydantic import Field

from tamrl.options import Alignment, Strict

Width = Annotated[int, Field(ge=1, le=16_384)]
Days = Annotated[int, Field(ge=1, le=10_000)]
Layers = Annotated[int, Field(ge=1, le=64)]
Context = Annotated[int, Field(ge=2, le=100_000)]
Rate = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1)]
Rows = Annotated[int, Field(ge=1, le=1_000_000_000)]
Count = Annotated[int, Field(ge=1, le=256)]
Trees = Annotated[int, Field(ge=1, le=100_000)]


class Schedule(Strict):
    """Options of networks: keys of the section `training` that a model wants otherwise; null takes the section's."""

    sequence: Annotated[int, Field(ge=1, le=100_000)] | None = None
    spinup: Annotated[int, Field(ge=0, le=100_000)] | None = None
    batch: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    learning_rate: Rate | None = None
    validation: Part | None = None
    class_weights: bool | None = None
    forgiven: Share | None = None
    schedule: Literal["one_cycle", "step"] | None = None
    weighting: Literal["sampling", "loss"] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=10)] | None = None
    input_noise: Annotated[float, Field(ge=0, le=100)] | None = None
    patience: Annotated[int, Field(ge=1, le=1000)] | None = None
    align: Alignment | None = None
    align_weight: Annotated[float, Field(ge=0, le=1000)] | None = None


class Recurrent(Schedule):
    """Options of all recurrent models."""

    hidden: Width = 64
    """Width of the LSTM."""
    layers: Layers = 1
    streams: Count = 1
    """Networks in each member that start from weights of their own, learn side by side and are averaged."""
    dropout: Part = 0.2
    windows: tuple[Days, ...] = ()
    """Days over which running means of the drivers join the inputs."""


class Boosting(Strict):
    """Options of all boosted trees."""

    learning_rate: Rate = 0.05
    feature_share: Positive = 0.5
    """Share of the features each tree may use."""
    row_share: Positive = 0.7
    """Share of the rows each tree sees."""
    rows: Rows = 100_000
    """Rows drawn at random where there are more."""
    bags: Count = 1
    """Ensembles of trees in each member, with rows, features and resampled towers of their own, that are averaged."""
    cycle: Literal["none", "statistics"] = "statistics"
    """What trees read of the site's mean seasonal cycle of drivers, which TAM-RL reads in full: nothing, or mean, range,
    standard deviation and first harmonic of each driver."""

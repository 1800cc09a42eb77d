"""Sections of the configuration, what comes out: maps, evaluation, atlas, adaptation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tamrl import registry
from tamrl.calendar import Step
from tamrl.errors import near
from tamrl.options import Strict
from tamrl.sections.inputs import SumTable
from tamrl.sections.types import Share


class MapFormat(Strict):
    """How fluxes are written."""

    units: Literal["gC m-2 d-1", "kg m-2 s-1"] = "gC m-2 d-1"
    vegetated_only: bool = True
    """Multiply by the vegetated share of the cell's land, so that deserts and ice carry no flux."""
    compression: Annotated[int, Field(ge=0, le=9)] = 1
    significant_bits: Annotated[int, Field(ge=4, le=23)] | None = 13
    """Bits kept of the fraction of each value (13: relative error below 6.1e-5); null keeps all. NEE stays RECO - GPP."""
    attribution: dict[str, str] = Field(default_factory=dict)
    """Global attributes of every file by ACDD 1.3: `creator_name`, `creator_email`, `institution`, `project`, ..."""


class Maps(MapFormat):
    """The products."""

    min_land_fraction: Share = 0.02
    """Cells with less land are missing."""
    members: bool = True
    """Write the members too."""
    products: tuple[str, ...] = ()
    """Further products: files of `tamrl/maps/products`, written to `maps/<product>/`."""
    periods: tuple[Literal["monthly", "annual", "8day", "seasonal"], ...] = ("monthly", "annual", "seasonal")
    """Means over calendar months, years or eight days, written to `maps/<period>/`; `seasonal` is the mean seasonal cycle of
    several mapped years, with its variation between them."""
    exports: tuple[Literal["geotiff", "zarr"], ...] = ()
    """The monthly means as Cloud-Optimised GeoTIFF with styles for QGIS, the main maps as Zarr; both with a STAC catalogue."""

    @field_validator("products")
    @classmethod
    def _there(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        further = [n for n in registry.names(registry.PRODUCTS) if n not in ("ensemble", "members")]
        for name in value:
            if name not in further:
                raise ValueError(f"no further product named {name!r}; {near(name, further)}")
        return value


class ReferenceMaps(Strict):
    """Gridded fluxes to compare the maps with: the truth of a virtual world, or another product."""

    label: str = "truth"
    path: str = "{results}/inputs/truth/{flux}_{label}.nc"
    """`{flux}` and `{label}` are filled in."""


BEST = "best"
"""As a rival: the best of those models that are no variant of the maps' model."""


class Target(Strict):
    """By how many percent the median RMSE of the maps' model is to lie below that of a rival; null: no target."""

    rival: str
    """A model of `training.models`; one that is not trained is shown as not evaluated. With `measure: way` also `best`: the best
    of all that are no variant of the maps' model."""
    measure: Literal["change", "way"] = "change"
    """`way`: percentages are the least share of the way from the rival's error to that of `ceiling`."""
    ceiling: Literal["own_season", "adapted"] = "own_season"
    """For `way`: the mean seasonal cycle of the tower's own fluxes in other years, or the model adapted with the longest window
    of `adaptation`."""
    gpp: Annotated[float, Field(ge=0, lt=100)] | None = None
    reco: Annotated[float, Field(ge=0, lt=100)] | None = None
    nee: Annotated[float, Field(ge=0, lt=100)] | None = None
    tail: bool = False
    """Whether the 90th percentile of the towers must be lower too."""

    @model_validator(mode="after")
    def _best(self) -> "Target":
        if self.rival == BEST and self.measure != "way":
            raise ValueError("rival: best needs measure: way")
        return self


class Evaluation(Strict):
    """Scores at held-out towers and the report."""

    members: Annotated[int, Field(ge=1, le=1000)] | None = 2
    """Members trained per fold; null takes `training.members`."""
    drivers: Annotated[tuple[Literal["grid", "tower"], ...], Field(min_length=1)] = ("grid",)
    """Inputs at held-out towers: what the map has, what the tower measured, or both."""
    qc: Share = 0.8
    """Steps with a lower NEE quality are not scored."""
    independent: SumTable | None = None
    """A file of yearly sums of towers (or one with `columns` and `units`, as `towers.sums`), which judge the map; places that
    trained it are judged by the models of the fold that held them out, or left out."""
    targets: tuple[Target, ...] = ()
    """Targets at held-out towers; report and summary say which are met."""
    reference: ReferenceMaps | None = ReferenceMaps()
    title: str = "A virtual Earth"
    """Headline of the report."""

    @field_validator("independent", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class ScoringProtocol(Strict):
    """How the models of a run are scored at held-out towers."""

    scheme: str
    """How towers are held out: `splits.scheme`."""
    qc: Share
    """Steps with a lower NEE quality, or none, are predicted but neither scored nor calibrated on."""
    map_model: str
    """Model of the maps, which the others are compared with and whose calibration is written."""
    step: Step
    targets: tuple[Target, ...]
    rivals: tuple[str, ...] = ()
    """Models that are no variant of the maps' model; the best of them is what the share of the way starts from."""
    gridded: bool
    """Whether the run has gridded drivers; without them all inputs are the towers' own, and the split is the scheme."""
    virtual: bool
    """Whether the inputs are simulated (`tamrl.simulated`); the tables of scores then say so."""


class RunIdentity(Strict):
    """Origin of the files of a run, which each of them states; a change of it makes them again."""

    run: str
    config_digest: str
    """Digest of the keys that shape the numbers of the maps."""
    virtual: bool = False
    """Whether the inputs are simulated (`tamrl.simulated`)."""


class RunDescription(RunIdentity):
    """Description of a run in its report, summary and atlas."""

    title: str
    step: Step
    labels: tuple[str, ...]
    """Years of the maps, or `climatology`."""
    map_model: str
    qc: Share
    """Steps with a lower NEE quality are not scored."""
    reference: str | None
    """Name of the gridded reference, where there is one."""
    networks: tuple[str, ...]
    choices: tuple[str, ...]
    compared: dict[str, str] = Field(default_factory=dict)
    """Products of others that the maps are compared with: title by name."""
    region: str | None = None
    """What a regional run maps, in words."""


class Atlas(Strict):
    """The atlas: a folder with the maps, towers and budgets to look at in a browser, without a server."""

    quantum: Annotated[float, Field(gt=0, le=0.1)] = 0.004
    """gC m-2 d-1: fluxes are shown as whole multiples of it, so off by half of it at most."""


class Adaptation(Strict):
    """Few-shot: models of held-out towers are adapted with a few months of their fluxes and scored on what remains."""

    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("tamrl", "ctlstm", "lightgbm")
    """The first is compared with the others; where a model has a code of the site, the code is adjusted and the decoder stays,
    other networks are fine-tuned, trees are continued."""
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=1200)], ...], Field(min_length=1)] = (1, 3, 12, 24)
    starts: Annotated[tuple[Literal["summer", "record"], ...], Field(min_length=1)] = ("summer", "record")
    """The months begin with the first summer month that was measured, or with the record, whatever its season."""
    light: bool = False
    """Fine-tune the weights of models with a code, too; both ways are then rows of the table."""
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 40
    """Gradient steps."""
    code_rate: Annotated[float, Field(gt=0, le=100)] = 0.2
    """Learning rate of the code, in standard deviations of the towers' codes."""
    weight_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Learning rate of the weights."""
    per_month: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    """Independent measurements that a month of fluxes is worth, against one that the drivers' code is worth."""
    gain: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Standard deviation of the logarithm of a site's own factors on GPP and RECO beside its code; 0 leaves it at zero."""
    gain_season: Annotated[float, Field(ge=0, le=100)] = 0.3
    """The same of the amplitudes with which these logarithms swing over the year."""
    anchor: Annotated[float, Field(ge=0, le=1e6)] = 0.1
    """How strongly weights are held to those trained, over the number of months."""
    trees: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Further trees."""
    tree_rate: Annotated[float, Field(gt=0, le=10)] = 0.05
    """Their learning rate."""
    min_steps: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Towers with fewer scored steps left are not scored."""

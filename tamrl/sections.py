"""The sections of the configuration: frozen, strict, typed; defaults stand here and nowhere else.

Options of plug-ins (networks, sources, models) stand in the plug-in's own file, class `Options`; `tamrl.config` puts both
together.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tamrl import registry, variables
from tamrl.errors import ConfigError, near
from tamrl.grid import Grid as GlobalGrid
from tamrl.options import Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Year = Annotated[int, Field(ge=1850, le=2200)]
Share = Annotated[float, Field(ge=0, le=1)]


class Time(Strict):
    """The time axis of the run."""

    step: Literal["day", "month"] = "day"
    """Length of a step."""
    years: tuple[Year, ...] = (2010, 2011, 2012)
    """Years of the gridded drivers, consecutive; empty where the sources hold a climatology only."""
    map_years: tuple[Year, ...] = (2012,)
    """Years to map; empty for one mean year (`climatology`)."""

    @model_validator(mode="after")
    def _check(self) -> "Time":
        if list(self.years) != list(range(min(self.years, default=0), min(self.years, default=0) + len(self.years))):
            raise ValueError(f"years must be consecutive, found {list(self.years)}")
        if outside := set(self.map_years) - set(self.years):
            raise ValueError(f"map_years {sorted(outside)} lie outside years {list(self.years)}")
        if not self.map_years and self.step == "day":
            raise ValueError("a climatology (map_years: []) needs step: month")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """What the files of the maps are called after."""
        return tuple(str(y) for y in self.map_years) or ("climatology",)


class Grid(Strict):
    """The grid of the maps."""

    resolution: Annotated[float, Field(gt=0, le=30)] = 1.0
    """Degrees; a divisor of 180."""
    tile: Annotated[int, Field(ge=1)] = 30
    """Cells per side of a tile; any size gives the same maps."""

    @field_validator("resolution")
    @classmethod
    def _divides(cls, value: float) -> float:
        try:
            GlobalGrid(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value


class Twin(Strict):
    """The virtual Earth: raw files of a world whose fluxes are known."""

    towers: Annotated[int, Field(ge=1, le=1000)] = 120
    """Number of towers."""
    spinup_years: Annotated[int, Field(ge=1)] = 1
    """Years simulated before the first one written, so that vegetation and soil forget their start."""
    modis_ratio: Annotated[int, Field(ge=1, le=20)] = 5
    """Satellite pixels per cell side."""
    era5_format: Literal["netcdf", "grib", "zarr"] = "netcdf"
    """Weather as files of the Climate Data Store (source cds_era5), or as the public store of hours (arco_era5)."""
    modis_format: Literal["netcdf", "hdf4"] = "netcdf"
    """Composites as NetCDF-4, or as HDF4 like the original."""
    noise: Annotated[float, Field(ge=0)] = 1.0
    """Measurement noise of towers relative to real ones (Richardson et al. 2006, doi 10.1016/j.agrformet.2006.01.007)."""


class Quality(Strict):
    """Which tower records to trust."""

    nee_qc: Share = 0.8
    """Smallest share of measured or well-filled half hours in a step."""
    min_steps: Annotated[int, Field(ge=1)] = 60
    """Towers with fewer good steps are left out."""
    min_months: Annotated[int, Field(ge=1, le=12)] = 1
    """Towers whose good steps lie in fewer of the twelve months are left out."""
    managed: Literal["keep", "drop"] = "drop"
    """Towers that do not stand for their class (irrigated, flooded, ...), from metadata and `towers.managed`."""
    tests: tuple[
        Literal[
            "valid_range", "nee_qc", "flat", "spikes", "residual", "energy_balance", "radiation", "time_shift", "water", "months"
        ],
        ...,
    ] = ("valid_range", "nee_qc", "flat", "spikes", "residual", "radiation", "time_shift", "water", "months")
    """The tests that are on; `energy_balance` is not by default, as a poor closure says little of the carbon fluxes."""
    residual: Annotated[float, Field(gt=0)] = 3.0
    """gC m-2 d-1: GPP and RECO go where NEE is further than this from RECO - GPP."""
    closure: tuple[float, float] = (0.5, 1.5)
    """Years of a tower go whose (LE + H) / (NETRAD - G) lies outside."""
    max_shift: Annotated[float, Field(gt=0)] = 0.8
    """Hours: towers go whose radiation is at least this much off the sun (a wrong UTC offset); seen in half hours only."""


class Towers(Strict):
    """Tower networks. Each network named in `networks` may have a section of its own with its options."""

    networks: Annotated[tuple[str, ...], Field(min_length=1)] = ("fluxnet2015", "fluxnet")
    """Networks to read, newest processing last: where two hold the same tower, the later wins."""
    partitioning: Literal["NT", "DT"] = "NT"
    """Night-time (Reichstein et al. 2005) or day-time (Lasslop et al. 2010) partitioning of GPP and RECO."""
    ustar: Literal["REF", "USTAR50"] = "REF"
    """Threshold of friction velocity of the fluxes: the reference of ONEFlux, or the median of its distribution."""
    strict: bool = False
    """Stop at the first archive that cannot be read, instead of setting it aside with its reason (`quality.csv`)."""
    exclude: tuple[str, ...] = ()
    """Site ids to leave out."""
    managed: dict[str, str] = Field(default_factory=dict)
    """Site id: reason. Adds to what the networks' metadata say of management."""
    quality: Quality = Quality()


class DriverVariables(Strict):
    """What the cube holds; names of `config/variables.yaml`."""

    dynamic: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "air_temperature",
        "vapour_pressure_deficit",
        "shortwave_radiation",
        "precipitation",
        "evi",
        "ndvi",
        "potential_radiation",
        "day_length",
    )
    static: tuple[str, ...] = ("igbp_fraction", "koppen_fraction", "elevation")

    @model_validator(mode="after")
    def _known(self) -> "DriverVariables":
        for role, names in (("dynamic", self.dynamic), ("static", self.static)):
            for name in names:
                try:
                    found = variables.get(name).role
                except ConfigError as error:
                    raise ValueError(str(error)) from None
                if found != role:
                    raise ValueError(f"{name} is {found}, not {role}")
        return self


class Drivers(Strict):
    """Gridded drivers. Each source named in `sources` may have a section of its own with its options."""

    sources: tuple[str, ...] = ("cds_era5", "modis", "static")
    """Sources to read; a variable is taken from the first that has it, or derived. None: models live on what towers measured,
    are scored, and no map is made."""
    variables: DriverVariables = DriverVariables()
    max_distance_km: Annotated[float, Field(ge=0)] = 150.0
    """A tower on a sea cell takes the nearest land cell within this distance, else it is left out."""
    subsets: str | None = None
    """Folder of MODIS subsets around towers (one subfolder each), with which the gridded vegetation is compared."""
    co2: str | None = None
    """CSV of global annual means of CO2 with the columns year and ppm, for the driver `co2`."""


class Samples(Strict):
    """What the models see."""

    drivers: Literal["grid", "tower"] = "grid"
    """Train on collocated grid drivers, or on those measured at the tower."""
    dynamic: tuple[str, ...] | None = None
    """Dynamic variables; null takes all of `drivers.variables`."""
    static: tuple[str, ...] | None = None
    """Static variables; null takes all of `drivers.variables`."""
    filled: tuple[str, ...] = ()
    """Dynamic variables that may be missing: the step takes the site's own mean seasonal cycle and is trained on, predicted and
    scored (vegetation before the satellites). A step that misses any other variable is missing."""


class Splits(Strict):
    """How towers are held out: always whole groups of neighbouring towers."""

    scheme: Literal["kfold", "koppen", "warm", "temporal", "sites"] = "kfold"
    """`kfold`: folds even in IGBP classes. `koppen`: folds even in climates. `warm`: the warmest towers are held out, the
    coldest train. `temporal`: the last steps of each group are held out. `sites`: the towers of a list are."""
    folds: Annotated[int, Field(ge=2)] = 3
    """Number of folds of `kfold` and `koppen`."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share that `warm` (of the towers) and `temporal` (of a group's measured steps) hold out."""
    distance_km: Annotated[float, Field(ge=0)] = 30.0
    """Towers closer than this belong to one group."""
    test_sites: str | None = None
    """File with one site id a line, held out by `sites`."""

    @model_validator(mode="after")
    def _file(self) -> "Splits":
        if self.scheme == "sites" and not self.test_sites:
            raise ValueError("scheme: sites needs test_sites: FILE")
        return self


class Training(Strict):
    """Training of the models. Each plug-in may have a section of its own with its options."""

    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("tamrl", "lightgbm")
    """Plug-ins, and variants of them."""
    variants: dict[Name, Any] = Field(default_factory=dict)
    """Plug-ins once more with other options, `NAME: {model: PLUGIN, option: value}`. A variant starts from the plug-in's own
    defaults, never from the plug-in's section here, and draws the same towers in each member as the plug-in does."""
    members: Annotated[int, Field(ge=1)] = 5
    """Members of an ensemble: independent seeds and resampled towers."""
    sequence: Annotated[int, Field(ge=2)] = 365
    """Steps of a training sequence that are scored."""
    spinup: Annotated[int, Field(ge=0)] = 60
    """Steps before those that only fill the memory."""
    batch: Annotated[int, Field(ge=1)] = 32
    """Sequences per step."""
    steps: Annotated[int, Field(ge=1)] = 250
    """Optimiser steps at most."""
    learning_rate: Annotated[float, Field(gt=0)] = 4e-3
    """Peak of the one-cycle schedule (Smith & Topin 2019, doi 10.1117/12.2520589)."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    validation: Share = 0.1
    """Share of the training groups that choose the best weights."""
    class_weights: bool = True
    """Weigh sites by the inverse root frequency of their IGBP class."""
    input_noise: Annotated[float, Field(ge=0)] = 0.05
    """Standard deviation of noise added to scaled inputs while training."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["exact", "fast"] = "exact"
    """`fast` compiles networks and trains them in bfloat16 on a GPU; on a processor it changes nothing."""

    def plugin(self, name: str) -> str:
        """The plug-in behind a model, which may be a variant."""
        return self.variants[name].model if name in self.variants else name

    def options(self, name: str) -> dict[str, Any]:
        """Options of a model, which may be a variant, as plain values."""
        if name not in self.variants:
            return getattr(self, name).model_dump(mode="json")
        return {k: v for k, v in self.variants[name].model_dump(mode="json").items() if k != "model"}


class Inference(Strict):
    """Prediction over the globe."""

    model: str = "tamrl"
    """The model that makes the maps."""
    batch: Annotated[int, Field(ge=1)] = 2048
    """Cells whose inputs are made at once."""
    spinup: Annotated[int, Field(ge=0)] = 365
    """Steps before the mapped year that only fill the memory."""
    memory: Literal["spinup", "carried"] = "spinup"
    """`spinup`: every year stands alone, after `spinup` steps of its own past. `carried`: the memory goes on from year to year
    since the cube begins, put down at the end of each mapped year: half the work, one year after the other."""
    numerics: Literal["exact", "fast"] = "exact"
    """`fast`: recurrent layers in bfloat16; the difference is measured and stands in the manifest of each map."""
    jobs: Annotated[int, Field(ge=1)] = 1
    """Jobs a map is divided into, for clusters; each computes its tiles side by side on its own cores."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Maps(Strict):
    """The products."""

    units: Literal["gC m-2 d-1", "kg m-2 s-1"] = "gC m-2 d-1"
    vegetated_only: bool = True
    """Multiply by the vegetated share of the cell's land, so that deserts and ice carry no flux."""
    min_land_fraction: Share = 0.02
    """Cells with less land are missing."""
    members: bool = True
    """Write the members too."""
    products: tuple[str, ...] = ()
    """Further products: files of `tamrl/maps/products`, written to `maps/<product>/`."""
    compression: Annotated[int, Field(ge=0, le=9)] = 1
    significant_bits: Annotated[int, Field(ge=4, le=23)] | None = 13
    """Bits kept of the fraction of each value (13: relative error below 6.1e-5); null keeps all. NEE stays RECO - GPP."""
    attribution: dict[str, str] = Field(default_factory=dict)
    """Global attributes of every file by ACDD 1.3: `creator_name`, `creator_email`, `institution`, `project`, ..."""
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


class Reference(Strict):
    """Gridded fluxes to compare the maps with: the truth of a virtual world, or another product."""

    label: str = "truth"
    path: str = "{results}/inputs/truth/{flux}_{label}.nc"
    """`{flux}` and `{label}` are filled in."""


class Target(Strict):
    """By how many percent the median RMSE of the maps' model is to lie below that of a rival; null: no target."""

    rival: str
    """A model of `training.models`; one that is not trained is told as not evaluated."""
    gpp: Annotated[float, Field(ge=0, lt=100)] | None = None
    reco: Annotated[float, Field(ge=0, lt=100)] | None = None
    nee: Annotated[float, Field(ge=0, lt=100)] | None = None
    tail: bool = False
    """Whether the 90th percentile of the towers must be lower too."""


class Evaluation(Strict):
    """Scores at held-out towers and the report."""

    members: Annotated[int, Field(ge=1)] | None = 2
    """Members trained per fold; null takes `training.members`."""
    drivers: Annotated[tuple[Literal["grid", "tower"], ...], Field(min_length=1)] = ("grid",)
    """Inputs at held-out towers: what the map has, what the tower measured, or both."""
    qc: Share = 0.8
    """Steps with a lower NEE quality are not scored."""
    targets: tuple[Target, ...] = ()
    """Targets at held-out towers; report and summary say which are met."""
    reference: Reference | None = Reference()
    title: str = "A virtual Earth"
    """Headline of the report."""


class Atlas(Strict):
    """The atlas: a folder with the maps, towers and budgets to look at in a browser, without a server."""

    quantum: Annotated[float, Field(gt=0, le=0.1)] = 0.004
    """gC m-2 d-1: fluxes are shown as whole multiples of it, so off by half of it at most."""


class Adaptation(Strict):
    """Few-shot: models of held-out towers are adapted with a few months of their fluxes and scored on what remains."""

    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("tamrl", "ctlstm", "lightgbm")
    """The first is compared with the others; where a model has a code of the site, the code is adjusted and the decoder stays,
    other networks are fine-tuned, trees are continued."""
    months: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 3, 12, 24)
    starts: Annotated[tuple[Literal["summer", "record"], ...], Field(min_length=1)] = ("summer", "record")
    """The months begin with the first summer month that was measured, or with the record, whatever its season."""
    light: bool = False
    """Fine-tune the weights of models with a code, too."""
    steps: Annotated[int, Field(ge=1)] = 40
    """Gradient steps."""
    code_rate: Annotated[float, Field(gt=0)] = 0.2
    """Learning rate of the code, in standard deviations of the towers' codes."""
    weight_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of the weights."""
    per_month: Annotated[float, Field(gt=0)] = 10.0
    """Independent measurements that a month of fluxes is worth, against one that the drivers' code is worth."""
    gain: Annotated[float, Field(ge=0)] = 0.3
    """Standard deviation of the logarithm of a site's own factors on GPP and RECO beside its code; 0 leaves them at one."""
    anchor: Annotated[float, Field(ge=0)] = 0.1
    """How strongly weights are held to those trained, over the number of months."""
    trees: Annotated[int, Field(ge=1)] = 20
    """Further trees."""
    tree_rate: Annotated[float, Field(gt=0)] = 0.05
    """Their learning rate."""
    min_steps: Annotated[int, Field(ge=1)] = 60
    """Towers with fewer scored steps left are not scored."""


class Config(Strict):
    """All of it."""

    run: Name = "default"
    """Name of the run and of its folder under `results/`."""
    seed: Annotated[int, Field(ge=0)] = 1
    time: Time = Time()
    grid: Grid = Grid()
    twin: Twin | None = Twin()
    towers: Towers = Towers()
    drivers: Drivers = Drivers()
    samples: Samples = Samples()
    splits: Splits = Splits()
    training: Training = Training()
    inference: Inference = Inference()
    maps: Maps = Maps()
    evaluation: Evaluation = Evaluation()
    atlas: Atlas | None = Atlas()
    """null: no atlas. Its program is built once, which needs the npm registry."""
    adaptation: Adaptation | None = None
    """Set it (`{}` for the defaults) to adapt models to held-out towers instead of making maps."""
    choices: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Defensible alternatives: name: {section: {key: value}} laid over towers, samples, splits, training or maps."""

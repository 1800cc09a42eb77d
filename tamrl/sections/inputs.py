"""Sections of the configuration, what is read: time, grid, towers, drivers, samples."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tamrl import calendar, variables
from tamrl.alternatives import Kind
from tamrl.calendar import TimeAxis
from tamrl.errors import ConfigError
from tamrl.grid import Grid
from tamrl.options import Strict
from tamrl.polygons import kinds
from tamrl.sections.types import Share, WithPlugins, Year

Degrees = Annotated[float, Field(ge=-360, le=360)]


class Years(Strict):
    """Steps of whole years."""

    step: calendar.Step = "day"
    """Length of a step."""
    years: tuple[Year, ...] = (2010, 2011, 2012)
    """Years of the gridded drivers, consecutive; empty where the sources hold a climatology only."""


class DriverTime(Years):
    """The time axis of the gridded drivers."""

    until: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None = None
    """Last month (yyyy-mm) of the gridded drivers, where the last of `years` is not over; moved on, only new months are made."""

    @property
    def axis(self) -> TimeAxis:
        """The steps."""
        return TimeAxis.of_years(self.step, self.years, self.until)


class Time(DriverTime):
    """The time axis of the run."""

    map_years: tuple[Year, ...] = (2012,)
    """Years to map, whole ones only; empty for one mean year (`climatology`)."""

    @model_validator(mode="after")
    def _check(self) -> "Time":
        if list(self.years) != list(range(min(self.years, default=0), min(self.years, default=0) + len(self.years))):
            raise ValueError(f"years must be consecutive, found {list(self.years)}")
        if outside := set(self.map_years) - set(self.years):
            raise ValueError(f"map_years {sorted(outside)} lie outside years {list(self.years)}")
        self._check_until()
        if not self.map_years and self.step == "day":
            raise ValueError("a climatology (map_years: []) needs step: month")
        return self

    def _check_until(self) -> None:
        if self.until is None:
            return
        if not self.years:
            raise ValueError("a climatology (years: []) has no last month; set until: null")
        if int(self.until[:4]) != self.years[-1]:
            raise ValueError(f"until {self.until} is no month of the last of years, {self.years[-1]}")
        if self.unfinished in self.map_years:
            conflict = f"map_years names {self.unfinished}, which ends with {self.until}"
            raise ValueError(f"only whole years are mapped; {conflict}: take it out, or move until on to December")

    @property
    def unfinished(self) -> int | None:
        """The last year, where `until` ends it before December."""
        return self.years[-1] if self.until and not self.until.endswith("-12") else None

    @property
    def labels(self) -> tuple[str, ...]:
        """What the files of the maps are called after."""
        return tuple(str(y) for y in self.map_years) or (calendar.CLIMATOLOGY,)


class MapGrid(Strict):
    """The grid of the maps."""

    resolution: Annotated[float, Field(ge=0.05, le=30)] = 1.0
    """Degrees, 0.05 or more: a divisor of 1 such as 0.05, 0.1, 0.25 or 0.5, or a coarser divisor of 180."""
    bounds: tuple[Degrees, Degrees, Degrees, Degrees] | str | None = None
    """What to map (docs/regional.md): null for the globe, a box [west, south, east, north] in degrees, or a file of polygons:
    GeoJSON or a shapefile (.shp, or a .zip with its parts). A cell belongs to it by its centre."""
    countries: tuple[str, ...] = ()
    """Countries to map, by English name or ISO code, such as [Germany, FRA]; with `bounds`, what lies in both."""
    tile: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Cells per side of a tile; any size gives the same maps."""

    @field_validator("resolution")
    @classmethod
    def _divides(cls, value: float) -> float:
        per_degree = 1.0 / value
        if value < 1 and abs(per_degree - round(per_degree)) > 1e-9:
            raise ValueError(
                f"a grid of {value}° does not divide a degree; take 1 over a whole number up to 20, such as 0.05, 0.1 or 0.25"
            )
        try:
            Grid(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("countries", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        """Refuse what YAML makes of the code of Norway."""
        if isinstance(value, list | tuple) and False in value:
            raise ValueError("YAML takes NO for false: write 'NO' in quotes, NOR or Norway")
        return value

    @property
    def regional(self) -> bool:
        """Whether a part of the globe is mapped alone."""
        return self.bounds is not None or bool(self.countries)

    @model_validator(mode="after")
    def _bounded(self) -> "MapGrid":
        if isinstance(self.bounds, str) and not kinds.is_read(self.bounds):
            accepted = f"a box [west, south, east, north] nor {kinds.ACCEPTED}"
            raise ValueError(f"bounds {self.bounds!r} is neither {accepted}; countries have their own key, grid.countries")
        if isinstance(self.bounds, tuple):
            try:
                Grid.within(self.bounds, self.resolution)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self


class Equations(Strict):
    """Equations of the vegetation of a virtual Earth; worlds that differ in them test intervals against unlike truths."""

    light: Literal["hyperbola", "exponential", "linear"] = "hyperbola"
    """How GPP saturates with absorbed light."""
    stress: Literal["product", "least"] = "product"
    """Whether cold, dry air and dry soil reduce GPP by their product, or by the strongest alone (law of the minimum)."""
    decay: Literal["lloyd_taylor", "q10"] = "lloyd_taylor"
    """Answer of heterotrophic respiration to soil temperature: Lloyd & Taylor 1994, or a factor of two every 10 K."""
    traits: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Spread of the hidden traits of places, relative to the standard world."""


class SimulatedWorld(Strict):
    """What is simulated."""

    towers: Annotated[int, Field(ge=1, le=1000)] = 120
    """Number of towers."""
    spinup_years: Annotated[int, Field(ge=1, le=1000)] = 1
    """Years simulated before the first one written, so that vegetation and soil forget their start."""
    modis_ratio: Annotated[int, Field(ge=1, le=20)] = 5
    """Satellite pixels per cell side."""
    equations: Equations = Equations()


class Twin(SimulatedWorld):
    """The virtual Earth: raw files of a world whose fluxes are known."""

    era5_format: Literal["netcdf", "grib", "zarr"] = "netcdf"
    """Weather as files of the Climate Data Store (source cds_era5), or as the public store of hours (arco_era5)."""
    modis_format: Literal["netcdf", "hdf4"] = "netcdf"
    """Composites as NetCDF-4, or as HDF4 like the original."""
    noise: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Measurement noise of towers relative to real ones (Richardson et al. 2006, doi 10.1016/j.agrformet.2006.01.007)."""


class Quality(Strict):
    """Which tower records to trust."""

    nee_qc: Share = 0.8
    """Smallest share of measured or well-filled half hours in a step."""
    min_steps: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Towers with fewer good steps are left out."""
    min_months: Annotated[int, Field(ge=1, le=12)] = 1
    """Towers whose good steps lie in fewer of the twelve months are left out."""
    managed: Literal["keep", "drop"] = "drop"
    """Towers that do not stand for their class (irrigated, flooded, ...), from metadata and `towers.managed`."""
    tests: tuple[
        Literal[
            "valid_range",
            "nee_qc",
            "flat",
            "spikes",
            "residual",
            "energy_balance",
            "radiation",
            "time_shift",
            "water",
            "months",
            "seasons",
        ],
        ...,
    ] = ("valid_range", "nee_qc", "flat", "spikes", "residual", "radiation", "time_shift", "water", "months", "seasons")
    """Tests to run. `energy_balance` is off by default, because a poor closure says little about the carbon fluxes."""
    residual: Annotated[float, Field(gt=0, le=1e6)] = 3.0
    """gC m-2 d-1: GPP and RECO go where NEE is further than this from RECO - GPP."""
    closure: tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0, le=100)]] = (0.5, 1.5)
    """Years of a tower go whose (LE + H) / (NETRAD - G) lies outside."""
    max_shift: Annotated[float, Field(gt=0, le=24)] = 0.8
    """Hours: towers go whose radiation is at least this much off the sun (a wrong UTC offset); seen in half hours only."""


class Reading(Strict):
    """Which of the fluxes that an archive holds are read."""

    partitioning: Literal["NT", "DT"] = "NT"
    """Night-time (Reichstein et al. 2005) or day-time (Lasslop et al. 2010) partitioning of GPP and RECO."""
    ustar: Literal["REF", "USTAR50"] = "REF"
    """Threshold of friction velocity of the fluxes: the reference of ONEFlux, or the median of its distribution."""
    alternatives: tuple[Kind, ...] = ()
    """What each member of an ensemble draws anew: the `partitioning`, one for all towers as its errors are alike at all, and the
    percentile over thresholds of friction velocity (`ustar`), one for each tower. Towers without alternatives train with the
    fluxes chosen above; scores and intervals are tested on those at all towers."""
    strict: bool = False
    """Stop at the first archive that cannot be read, instead of setting it aside with its reason (`quality.csv`)."""


class Screening(Strict):
    """Which towers and records are used."""

    exclude: tuple[str, ...] = ()
    """Site ids to leave out."""
    managed: dict[str, str] = Field(default_factory=dict)
    """Site id: reason. Adds to what the networks' metadata say of management."""
    quality: Quality = Quality()


class SumColumns(Strict):
    """Columns of a table of sums; null for what it lacks. Defaults fit the yearly medians of the FLUXNET shuttle."""

    site: str = "site_id"
    lat: str = "location_lat"
    lon: str = "location_long"
    igbp: str | None = "igbp_class"
    first: str | None = None
    """First and last year (yyyy) or month (yyyy-mm) of the period; a row without both is a mean year (`climatology`)."""
    last: str | None = None
    gpp: str | None = "gpp_median"
    reco: str | None = "ter_median"
    nee: str | None = None
    """Net ecosystem exchange, positive upwards; a table has either this or `nep`."""
    nep: str | None = "nep_median"
    """Net ecosystem production, the negative of NEE."""
    gpp_years: str | None = "n_years_gpp"
    """Number of good years behind each flux, its weight; null: one year."""
    reco_years: str | None = "n_years_ter"
    nee_years: str | None = "n_years_nee"

    @model_validator(mode="after")
    def _complete(self) -> "SumColumns":
        if self.nee and self.nep:
            raise ValueError("nee and nep are the same flux with opposite signs; name one of them and set the other to null")
        if not (self.gpp or self.reco or self.nee or self.nep):
            raise ValueError("name a column of at least one of gpp, reco, nee and nep")
        if bool(self.first) != bool(self.last):
            raise ValueError("first and last belong together; name both or none")
        return self


class SumTable(Strict):
    """Mean fluxes over a period at places whose single steps are not known, such as yearly values of towers."""

    path: str
    """CSV, one row a place and period."""
    columns: SumColumns = SumColumns()
    units: str = "gC m-2 yr-1"
    """Unit of the fluxes, an amount of carbon per area and time."""
    min_years: Annotated[float, Field(ge=0, le=1000)] = 2.0
    """Fluxes with fewer good years behind them are left out."""


class TowerNetworks(Reading, Screening, WithPlugins):
    """Tower networks. Each network named in `networks` may have a section of its own with its options."""

    networks: Annotated[tuple[str, ...], Field(min_length=1)] = ("fluxnet2015", "fluxnet")
    """Networks to read, newest processing last: where two hold the same tower, the later wins."""
    sums: SumTable | None = None
    """A table of mean fluxes over periods at further places: models are scored there, and with `training.sums_weight` networks
    learn from those that no fold holds out."""


class DriverVariables(Strict):
    """What the cube holds; names of `tamrl/data/variables.yaml`."""

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
                    known_role = variables.get(name).role
                except ConfigError as error:
                    raise ValueError(str(error)) from None
                if known_role != role:
                    raise ValueError(f"{name} is {known_role}, not {role}")
        return self


class DriverSources(WithPlugins):
    """Gridded drivers. Each source named in `sources` may have a section of its own with its options."""

    sources: tuple[str, ...] = ("cds_era5", "modis", "static")
    """Sources to read; a variable is taken from the first that has it, or derived. None: models live on what towers measured,
    are scored, and no map is made."""
    variables: DriverVariables = DriverVariables()
    max_distance_km: Annotated[float, Field(ge=0, le=20_100)] = 150.0
    """A tower on a sea cell takes the nearest land cell within this distance, else it is left out."""
    variable_jobs: bool = False
    """Make each dynamic variable of the cube in a job of its own, for clusters: what fails is made again alone."""
    subsets: str | None = None
    """Folder of MODIS subsets around towers (one subfolder each), with which the gridded vegetation is compared."""
    co2: str | None = None
    """CSV of global annual means of CO2 with the columns year and ppm, for the driver `co2`."""


class Features(Strict):
    """Names of the variables that models see."""

    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    filled: tuple[str, ...] = ()


class Samples(Strict):
    """What the models see."""

    drivers: Literal["grid", "tower", "both"] = "grid"
    """Train on collocated grid drivers, on those measured at the tower, or on each tower with the ones and with the others."""
    dynamic: tuple[str, ...] | None = None
    """Dynamic variables; null takes all of `drivers.variables`."""
    static: tuple[str, ...] | None = None
    """Static variables; null takes all of `drivers.variables`."""
    filled: tuple[str, ...] = ()
    """Dynamic variables that may be missing: the step takes the site's own mean seasonal cycle and is trained on, predicted and
    scored (vegetation before the satellites). A step that misses any other variable is missing."""

    @property
    def origins(self) -> tuple[Literal["grid", "tower"], ...]:
        """Drivers of the samples that train; the first ones stand for the towers where they are described once."""
        return ("grid", "tower") if self.drivers == "both" else (self.drivers,)

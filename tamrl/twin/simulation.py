"""Time in the virtual Earth: days of weather drive the tiles of all land cells and the towers, month by month."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from tamrl.twin import sky
from tamrl.twin.earth import Earth
from tamrl.twin.ecosystem import Air, Ecosystem, Tiles, greenness
from tamrl.twin.lattice import centres
from tamrl.twin.noise import generator
from tamrl.twin.weather import Day, Weather

COMPOSITE_DAYS = 16
WEATHER = ("t2m", "d2m", "ssrd", "tp")
COMPOSITE = ("evi", "ndvi", "snow", "overcast")
TOWER = ("gpp", "reco", "celsius", "vpd", "shortwave", "rain", "potential")


@dataclass(frozen=True)
class Month:
    """A simulated month."""

    year: int
    month: int
    nodes: dict[str, np.ndarray]
    """Dict of arrays (day, latitude, longitude), the variables of `Day`."""
    cells: dict[str, np.ndarray]
    """Dict of arrays (day, cell), gpp and reco per area of the cell's land, gC m-2 d-1."""
    towers: dict[str, np.ndarray]
    """Dict of arrays (day, tower), `TOWER`: fluxes, and weather at the tower in degrees Celsius, hPa, W m-2 and mm."""


@dataclass
class Composites:
    """Sums over the days of each 16-day window, which begins anew each year."""

    sums: dict[str, np.ndarray] = field(default_factory=dict)
    days: int = 0

    def add(self, day: date, values: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """Add a day; returns the means of the window on its last day: evi, ndvi, snow (tile,) and overcast (cell,)."""
        self.sums = {n: v.astype("float32") + self.sums.get(n, 0) for n, v in values.items()}
        self.days += 1
        if day.timetuple().tm_yday % COMPOSITE_DAYS and (day.month, day.day) != (12, 31):
            return None
        means = {n: v / np.float32(self.days) for n, v in self.sums.items()}
        self.sums, self.days = {}, 0
        return means


def composite_dates(years: list[int]) -> list[tuple[date, date]]:
    """First and last day of every composite of `years`: days 1, 17, ... 353 of the year."""
    dates = []
    for year in years:
        first = date(year, 1, 1).toordinal()
        last = date(year, 12, 31).toordinal()
        ends = [*range(first + COMPOSITE_DAYS - 1, last, COMPOSITE_DAYS), last]
        starts = [first + COMPOSITE_DAYS * k for k in range(len(ends))]
        dates += [(date.fromordinal(a), date.fromordinal(b)) for a, b in zip(starts, ends, strict=True)]
    return dates


class Simulation:
    """Runs an Earth through `spinup_years` and then `years`.

    After use, `composites` holds what a satellite would have measured: dicts of (tile,) and (cell,) arrays, one per window of
    `composite_dates(years)`; they are taken out by the caller as they are finished.
    """

    def __init__(self, earth: Earth, *, years: list[int], spinup_years: int):
        self.earth, self.years = earth, years
        self.first = date(years[0] - spinup_years, 1, 1)
        days, calm = ((date(year, 1, 1) - self.first).days for year in (years[-1] + 1, years[0]))
        self.weather = Weather(earth.climate, earth.nodes, first=self.first, days=days, calm=calm, seed=earth.seed)
        self.composites: list[dict[str, np.ndarray]] = []
        self._window = Composites()
        start = centres(earth.climate.temperature(1)).ravel()[earth.mosaic.cell].astype("float32")
        zero = np.zeros_like(start)
        cold = Air(start, zero, zero, zero)
        self._offsets = tower_offsets(earth)
        self.tiles = Ecosystem(land_tiles(earth), _air_at(cold, earth.mosaic.tile_cell), earth.equations)
        near = _air_at(cold, earth.mosaic.tile_cell[earth.towers.tile])
        self.towers = Ecosystem(tiles_of_towers(earth), near, earth.equations)

    def months(self) -> Iterator[Month]:
        """Live through all months; those of the spin-up are not yielded."""
        for year in range(self.first.year, self.years[-1] + 1):
            if year in (self.years[0] - 1, self.years[0]):  # the last year of the spin-up sets the pools
                self.tiles.settle()
                self.towers.settle()
            for month in range(1, 13):
                finished = self._month(year, month)
                if year >= self.years[0]:
                    yield finished

    def _month(self, year: int, month: int) -> Month:
        length = calendar.monthrange(year, month)[1]
        start = date(year, month, 1)
        weather = self.weather.month((start - self.first).days, length)
        cells, towers = zip(*(self._day(day, start.replace(day=k)) for k, day in enumerate(weather, 1)), strict=True)
        return Month(
            year,
            month,
            {n: np.stack([getattr(d, n) for d in weather]) for n in WEATHER},
            {n: np.stack(v) for n, v in zip(("gpp", "reco"), zip(*cells, strict=True), strict=True)},
            {n: np.stack(v).astype("float32") for n, v in zip(TOWER, zip(*towers, strict=True), strict=True)},
        )

    def _day(self, day: Day, today: date) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        earth, parts = self.earth, self.earth.mosaic
        day_of_year = today.timetuple().tm_yday
        air = cell_air(day, parts.cell)
        gpp, reco = self.tiles.step(_air_at(air, parts.tile_cell), day_of_year)
        warmer, drier, brighter, wetter = self._offsets
        near = _air_at(air, parts.tile_cell[earth.towers.tile])
        local = Air(near.celsius + warmer, near.vpd * drier, near.shortwave * brighter, near.rain * wetter)
        tower_gpp, tower_reco = self.towers.step(local, day_of_year)
        if today.year >= self.years[0]:
            self._look(air, today)
        potential = sky.extraterrestrial_radiation(earth.towers.lat, day_of_year)
        seen = (tower_gpp, tower_reco, local.celsius, local.vpd, local.shortwave, local.rain, potential)
        return (parts.mean(gpp), parts.mean(reco)), seen

    def _look(self, air: Air, today: date) -> None:
        evi, ndvi = greenness(self.tiles.state, self.tiles.tiles.kind)
        potential = sky.extraterrestrial_radiation(self.earth.cell_lat, today.timetuple().tm_yday)
        clear = np.where(potential > 30, air.shortwave / (0.75 * np.maximum(potential, 30)), 0.5)
        snow = self.tiles.state.snow > 5
        composite = self._window.add(today, {"evi": evi, "ndvi": ndvi, "snow": snow, "overcast": np.clip(1 - clear, 0, 1)})
        if composite:
            self.composites.append(composite)


def cell_air(day: Day, cell: np.ndarray) -> Air:
    """Weather at the land cells: means of four nodes; VPD from the means of temperature and dew point."""
    t, d, sw, p = (centres(getattr(day, n)).ravel()[cell] for n in WEATHER)
    celsius = t - np.float32(sky.KELVIN)
    return Air(celsius, sky.vapour_deficit(t, d), sw / np.float32(86400), p * np.float32(1000))


def _air_at(air: Air, index: np.ndarray) -> Air:
    return Air(air.celsius[index], air.vpd[index], air.shortwave[index], air.rain[index])


def land_tiles(earth: Earth) -> Tiles:
    """Tiles of all land cells."""
    parts = earth.mosaic
    wet = centres(earth.climate.mean_rain()).ravel()[parts.cell]
    soil = np.clip(wet / 4, 0.02, 0.9).astype("float32")[parts.tile_cell]
    lat = earth.cell_lat.astype("float32")[parts.tile_cell]
    return Tiles(lat, parts.tile_kind, earth.vigour, earth.age, np.zeros(soil.size, bool), soil)


def tiles_of_towers(earth: Earth) -> Tiles:
    """The towers' tiles, with a little of their factor in the hidden traits and irrigation where it is."""
    every, at, rng = land_tiles(earth), earth.towers.tile, generator(earth.seed, "tower traits")
    factor = np.exp(0.07 * rng.standard_normal((2, at.size))).astype("float32")
    vigour, age = every.vigour[at] * factor[0], every.age[at] * factor[1]
    return Tiles(every.lat[at], every.kind[at], vigour, age, earth.towers.irrigated, every.soil[at])


def tower_offsets(earth: Earth) -> tuple[np.ndarray, ...]:
    """How the weather of a tower differs from its cell's: K added to temperature, factors on VPD, shortwave and rain."""
    rng, size = generator(earth.seed, "tower weather"), earth.towers.tile.size
    warmer = 0.5 * rng.standard_normal(size)
    drier, brighter, wetter = (np.exp(s * rng.standard_normal(size)) for s in (0.06, 0.03, 0.10))
    return tuple(v.astype("float32") for v in (warmer, drier, brighter, wetter))

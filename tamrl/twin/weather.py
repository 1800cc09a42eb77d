"""Daily weather at the nodes: the mean climate disturbed by random fields with memory.

Four fields drive it, each smooth in space and first-order autoregressive in time: storms (days), heat waves and cold
spells (a week), and wet or dry and warm or cool seasons (months), which make drought years. Clouds, humidity and
temperature follow the same storms, and dry soil makes days hotter and drier.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.special import ndtr

from tamrl.arrays import Floats
from tamrl.twin import sky
from tamrl.twin.climate import Climate
from tamrl.twin.lattice import Bilinear, WeatherLattice
from tamrl.twin.noise import WaveField, autoregressive, generator

FIELDS = {"storm": (480, 200, 1.2), "heat": (900, 96, 4.0), "wet": (1300, 64, 60.0), "warm": (1600, 64, 45.0)}
"""Name: correlation length (km), number of waves, memory (days)."""

SLOW = ("wet", "warm")
"""The seasonal anomalies among them."""

SPREAD = 1.0
"""Standard deviation of the logarithm of rain on wet days."""

NOISE_RESOLUTION = 1.0
"""Finer nodes take the fields from nodes of this distance, degrees: much finer than their shortest length."""

STEPS = {"t2m": 1 / 64, "d2m": 1 / 64, "ssrd": 512.0, "tp": 2.0**-20}
"""Smallest step of stored values (K, K, J m-2, m), as the packing of GRIB has one."""


@dataclass(frozen=True)
class Day:
    """Weather of one day at the nodes, (latitude, longitude) float32, in ERA5's units."""

    t2m: np.ndarray
    """Daily mean 2 m temperature, K."""
    d2m: np.ndarray
    """Daily mean 2 m dew point, K."""
    ssrd: np.ndarray
    """Shortwave at the surface, sum of the day, J m-2."""
    tp: np.ndarray
    """Precipitation, sum of the day, m."""


class Weather:
    """A run of days, asked for in order.

    Parameters
    ----------
    climate : mean climate at the nodes, (latitude, longitude)
    first, days : first day and number of days that will be asked for
    calm : days at the start (the spin-up) whose seasonal anomalies are damped, so that pools settle on usual weather
    """

    def __init__(self, climate: Climate, nodes: WeatherLattice, *, first: date, days: int, calm: int, seed: int):
        self.climate, self.first, self.days = climate, first, days
        coarse = WeatherLattice(max(nodes.resolution, NOISE_RESOLUTION))
        self._finer = None if coarse == nodes else Bilinear.between(coarse, lat=nodes.lat, lon=nodes.lon)
        self._shape = coarse.shape
        self._series: dict[str, np.ndarray] = {}
        self._basis: dict[str, np.ndarray] = {}
        for name, (scale, count, memory) in FIELDS.items():
            rng = generator(seed, f"weather {name}")
            waves = WaveField.draw(rng, scale_km=scale, count=count)
            self._series[name] = autoregressive(rng, steps=days, size=waves.size, memory=memory)
            if name in SLOW:
                self._series[name][:calm] *= np.float32(0.3)
            lat, lon = np.meshgrid(coarse.lat, coarse.lon, indexing="ij")
            self._basis[name] = waves.basis(lat=lat, lon=lon).T.copy()
        self._yearly_rain = climate.mean_rain()
        self._recent = self._yearly_rain.copy()
        self._spread = np.interp(np.abs(climate.lat), [0, 15, 30, 45, 60, 90], [0.7, 1.0, 2.2, 3.2, 4.0, 4.2])
        self._spread = (self._spread * (0.7 + 0.6 * climate.inland)).astype("float32")

    def month(self, start: int, length: int) -> list[Day]:
        """Weather of the days `start` to `start + length - 1`, counted from the first; call in order."""
        fields = {n: self._series[n][start : start + length] @ self._basis[n] for n in FIELDS}
        return [self._day(start + k, {n: f[k].reshape(self._shape) for n, f in fields.items()}) for k in range(length)]

    def _day(self, index: int, fields: dict[str, np.ndarray]) -> Day:
        if self._finer:
            fields = {n: self._finer(f) for n, f in fields.items()}
        day_of_year = (self.first + timedelta(days=index)).timetuple().tm_yday
        climate, summer = self.climate, self.climate.summer(day_of_year)
        mean_rain = climate.rain(day_of_year)
        rain = rainfall(mean_rain, storm=fields["storm"], wet=fields["wet"])
        usual = 0.12 + 0.62 * (1 - np.exp(-mean_rain / 2.2))
        cloud = np.clip(usual + 0.24 * fields["storm"] + 0.05 * fields["wet"], 0.0, 1.0)
        moist = np.tanh(0.8 * (self._recent / (self._yearly_rain + 0.1) - 1))
        celsius = climate.temperature(day_of_year) + self._spread * (1 - 0.25 * summer) * fields["heat"]
        celsius += 1.0 * fields["warm"] - summer * (2.5 * (cloud - usual) + 0.8 * moist)
        humidity = humid(mean_rain, celsius, inland=climate.inland, moist=moist, clouding=cloud - usual)
        self._recent += (rain - self._recent) / 20
        kelvin = (celsius + sky.KELVIN).astype("float32")
        potential = sky.extraterrestrial_radiation(climate.lat[:, :1], day_of_year).astype("float32")
        shortwave = sky.clear_sky_radiation(potential, climate.elevation) * sky.cloud_transmission(cloud)
        dew = sky.dew_point(kelvin, humidity)
        values = {"t2m": kelvin, "d2m": dew, "ssrd": shortwave * 86400, "tp": rain / 1000}
        return Day(**{n: (np.round(v / STEPS[n]) * STEPS[n]).astype("float32") for n, v in values.items()})


def rainfall(mean: Floats, *, storm: Floats, wet: Floats) -> Floats:
    """Rain of a day, mm, whose expectation over storms is the mean rain (mm d-1) times the season's factor.

    Rain falls where the storm field z exceeds a threshold z0 that falls with the mean; the amount is proportional to
    exp(s z) - exp(s z0), a shifted log-normal, divided by its expectation exp(s²/2) Φ(s - z0) - exp(s z0) Φ(-z0).
    """
    threshold = np.clip(1.0 - 0.2 * mean, -0.3, 1.0)
    expected = np.exp(SPREAD**2 / 2) * ndtr(SPREAD - threshold) - np.exp(SPREAD * threshold) * ndtr(-threshold)
    amount = np.maximum(np.exp(SPREAD * storm) - np.exp(SPREAD * threshold), 0.0) / expected
    return np.asarray(np.minimum(mean * np.exp(0.22 * wet - 0.0242) * amount, 250.0))


def humid(mean_rain: Floats, celsius: Floats, *, inland: Floats, moist: Floats, clouding: Floats) -> Floats:
    """Relative humidity 0.08-1 from the climate's rain (mm d-1), temperature, distance from the sea, recent rain and cloud.

    Parameters
    ----------
    mean_rain : of the climate, mm d-1
    celsius : air temperature, degC
    inland : distance from the sea, 0 to 1
    moist : recent rain against that of the year, -1 to 1
    clouding : cloudiness less its mean
    """
    land = 0.30 + 0.52 * mean_rain / (mean_rain + 1.6) + 0.18 / (1 + np.exp((celsius - 2) / 5))
    sea = np.exp(-5 * inland)
    return np.asarray(np.clip(sea * 0.80 + (1 - sea) * land + 0.09 * moist + 0.25 * clouding, 0.08, 0.995))

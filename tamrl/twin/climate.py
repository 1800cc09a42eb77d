"""The mean climate: temperature and rain of an average year at any node and day.

Temperature follows latitude, height and distance from the sea. Rain follows an equatorial belt, part of which moves with
the sun and the monsoons, dry subtropics, storms of the middle latitudes and summer showers inland; a table of named regions makes
deserts and rain forests where circulation alone would not. Numbers are round values after climatological atlases
(Hartmann 2016, Global Physical Climatology, doi 10.1016/C2009-0-00030-0), not fits.
"""

from dataclasses import dataclass, field

import numpy as np

from tamrl.arrays import Floats

LATITUDES = np.arange(0, 91, 10)
MEAN_NORTH = np.array([26.3, 26.8, 24.5, 20.0, 13.8, 7.5, 1.0, -8.0, -15.0, -18.0])
MEAN_SOUTH = np.array([26.3, 25.5, 22.8, 18.5, 12.5, 6.0, -1.0, -11.0, -22.0, -28.0])
INLAND = np.array([0.0, 1.0, 2.5, 1.5, -1.5, -6.0, -10.0, -9.0, -5.0, 0.0])
"""Change of the yearly mean far from the sea, K."""
SWING_SEA = np.array([0.7, 1.0, 2.5, 4.5, 6.0, 5.5, 6.0, 9.0, 13.0, 14.0])
SWING_LAND = np.array([0.9, 1.8, 6.5, 10.5, 13.5, 16.5, 21.5, 22.0, 18.0, 16.0])
LAPSE_RATE = 5.5
"""K per km of height."""

BELT_LON = np.array([-180, -100, -75, -55, -20, 10, 30, 45, 75, 105, 130, 150, 180])
BELT_NORTH = np.array([9, 15, 8, 6, 11, 12, 11, 9, 23, 25, 21, 12, 9])
BELT_SOUTH = np.array([-3, -2, -9, -15, -2, -5, -15, -13, -5, -7, -14, -12, -3])
"""Northernmost (late July) and southernmost (late January) centre of the tropical rain belt by longitude."""

# name, lat, lon, extent north-south and east-west in degrees, factor on rain, rain added in summer (mm/d)
REGIONS = (
    ("Western Sahara", 24, -5, 7, 15, 0.04, 0.0),
    ("Eastern Sahara", 25, 25, 7, 15, 0.03, 0.0),
    ("Sahel", 15, 8, 3.5, 24, 0.55, 0.0),
    ("Arabia", 24, 46, 8, 10, 0.08, 0.0),
    ("Iran and Turan", 34, 58, 7, 9, 0.30, 0.0),
    ("Karakum and Kyzylkum", 42, 60, 5, 8, 0.35, 0.0),
    ("Taklamakan", 40, 84, 4, 9, 0.10, 0.0),
    ("Gobi", 42, 102, 5, 9, 0.25, 0.0),
    ("Tibet", 34, 86, 4, 9, 0.35, 0.0),
    ("Thar", 28, 69, 4, 5, 0.20, 0.0),
    ("Horn of Africa", 6, 46, 8, 6, 0.30, 0.0),
    ("Kenya", 0, 38, 5, 4, 0.60, 0.0),
    ("Namib and Kalahari", -24, 17, 7, 6, 0.28, 0.0),
    ("Australian interior", -26, 130, 7, 14, 0.36, 0.0),
    ("Northern Australia", -14, 133, 4, 12, 1.00, 0.5),
    ("Atacama", -22, -71, 9, 4, 0.04, 0.0),
    ("Peruvian coast", -9, -80, 6, 3, 0.15, 0.0),
    ("Patagonia", -46, -69, 7, 3, 0.25, 0.0),
    ("Gran Chaco", -23, -63, 5, 4, 0.70, 0.0),
    ("North-eastern Brazil", -8, -39, 5, 4, 0.40, 0.0),
    ("Great Basin", 39, -116, 5, 4, 0.35, 0.0),
    ("Sonora and Chihuahua", 30, -109, 5, 7, 0.30, 0.3),
    ("Baja and Mojave", 33, -115, 4, 4, 0.25, 0.0),
    ("High Plains", 41, -104, 9, 5, 0.60, 0.3),
    ("Canadian Arctic", 74, -100, 8, 30, 0.50, 0.0),
    ("South-eastern United States", 33, -85, 6, 9, 1.10, 2.6),
    ("Midwest", 41, -88, 5, 9, 1.00, 1.0),
    ("Southern China", 27, 112, 6, 9, 1.10, 3.0),
    ("Korea and Japan", 36, 134, 5, 9, 1.10, 2.8),
    ("Manchuria", 46, 127, 5, 7, 1.00, 1.0),
    ("La Plata", -30, -55, 6, 6, 1.00, 2.6),
    ("Cerrado", -16, -51, 6, 8, 1.00, 2.0),
    ("South-eastern Brazil", -23, -47, 5, 5, 1.00, 1.8),
    ("Mediterranean", 37, 15, 5, 22, 0.60, 0.0),
    ("California", 36, -121, 5, 3, 0.60, 0.0),
    ("Eastern Australia", -30, 152, 9, 3, 1.00, 1.6),
    ("Natal", -29, 31, 5, 3, 1.00, 1.8),
    ("Eastern Madagascar", -18, 49, 6, 2, 1.30, 2.0),
    ("Western Amazon", -3, -68, 7, 8, 1.35, 0.0),
    ("Congo Basin", 0, 22, 5, 8, 1.15, 0.0),
    ("Malay Archipelago", 0, 115, 9, 18, 1.45, 0.0),
    ("Western Ghats and Bengal", 20, 90, 6, 5, 1.20, 1.0),
    ("North-western Europe", 54, 2, 8, 10, 1.20, 0.0),
    ("Pacific North-West", 51, -127, 7, 5, 1.60, 0.0),
    ("Southern Chile", -44, -74, 6, 2, 1.80, 0.0),
    ("Western New Zealand", -43, 170, 4, 4, 1.50, 0.0),
    ("Congo to Angola coast", -12, 13, 5, 3, 0.50, 0.0),
)


@dataclass(frozen=True)
class _Cycle:
    """The yearly cycle at points, float32 of their shape."""

    mean: Floats
    swing: Floats
    lag: Floats
    hemisphere: Floats
    belt_north: Floats
    belt_south: Floats
    factor: Floats
    added: Floats


@dataclass(frozen=True)
class Climate:
    """Mean climate at points; all fields share one shape."""

    lat: np.ndarray
    lon: np.ndarray
    """Degrees."""
    elevation: np.ndarray
    """In m, 0 at sea."""
    inland: np.ndarray
    """0-1, `tamrl.twin.geography.continentality`."""
    _cycle: "_Cycle" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        a, c = np.abs(self.lat), self.inland
        zonal = np.where(self.lat >= 0, np.interp(a, LATITUDES, MEAN_NORTH), np.interp(a, LATITUDES, MEAN_SOUTH))
        mean = zonal + (c - 0.45) * np.interp(a, LATITUDES, INLAND) - LAPSE_RATE * self.elevation / 1000
        swing = (1 - c) * np.interp(a, LATITUDES, SWING_SEA) + c * np.interp(a, LATITUDES, SWING_LAND)
        belt = [np.interp((self.lon + 180) % 360 - 180, BELT_LON, b) for b in (BELT_NORTH, BELT_SOUTH)]
        factor, added = _regions(self.lat, self.lon)
        hemisphere = np.where(self.lat >= 0, 1.0, -1.0)
        parts = (mean, swing * hemisphere, 228 - 26 * c, hemisphere, *belt, factor, added)
        object.__setattr__(self, "_cycle", _Cycle(*(np.asarray(part, "float32") for part in parts)))

    def summer(self, day_of_year: float) -> Floats:
        """Season as -1 (mid-winter) to 1 (mid-summer), in step with the sun."""
        return self._cycle.hemisphere * np.float32(np.cos(2 * np.pi * (day_of_year - 196) / 365.25))

    def temperature(self, day_of_year: float) -> Floats:
        """Mean temperature of the day, degrees Celsius."""
        phase = np.float32(2 * np.pi / 365.25) * (np.float32(day_of_year) - self._cycle.lag)
        return np.asarray(self._cycle.mean + self._cycle.swing * np.cos(phase))

    def rain(self, day_of_year: float) -> Floats:
        """Mean rain of the day, mm d-1."""
        summer = self.summer(day_of_year)
        north = np.float32(0.5 + 0.5 * np.cos(2 * np.pi * (day_of_year - 208) / 365.25))
        centre = self._cycle.belt_south + (self._cycle.belt_north - self._cycle.belt_south) * north
        belt = 6.8 * np.exp(-(((self.lat - centre) / 8.5) ** 2)) + 3.2 * np.exp(-((self.lat / 8.0) ** 2))
        distance = np.abs(self.lat)
        storms = 3.3 * (1 - 0.15 * summer) * (1 - 0.65 * self.inland) * np.exp(-(((distance - 48 - 5 * summer) / 13) ** 2))
        warm = np.maximum(summer, 0)
        showers = 2.5 * self.inland * warm * np.exp(-(((distance - 52) / 15) ** 2))
        added = self._cycle.added * (0.35 + 0.65 * warm)
        cold = 0.12 + 0.88 / (1 + np.exp(-(self._cycle.mean + self._cycle.swing * summer * self._cycle.hemisphere + 8) / 6))
        lift = 1 + 0.25 * np.minimum(self.elevation / 1500, 1.5)
        return np.asarray(((0.25 + belt + storms + showers) * self._cycle.factor + added) * cold * lift)

    def mean_rain(self) -> Floats:
        """Mean rain of the year, mm d-1, from the middle of each month."""
        return np.asarray(sum(self.rain(day) for day in range(15, 365, 30)) / 12)


def _regions(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor on rain and summer rain added (mm d-1) by the named regions."""
    factor, added = np.ones(np.shape(lat)), np.zeros(np.shape(lat))
    for _, centre_lat, centre_lon, high, wide, times, plus in REGIONS:
        east = (lon - centre_lon + 180) % 360 - 180
        near = np.exp(-((((lat - centre_lat) / high) ** 2 + (east / wide) ** 2) ** 2))
        factor = factor * times**near
        added = added + plus * near
    return factor, added


def monthly_climate(climate: Climate) -> tuple[np.ndarray, np.ndarray]:
    """Temperature (degrees Celsius) and rain (mm d-1) in the middle of the twelve months, each (12, ...)."""
    days = 15.2 + 30.44 * np.arange(12)
    return np.stack([climate.temperature(d) for d in days]), np.stack([climate.rain(d) for d in days])

"""Sun, vapour and evaporation: textbook relations of the virtual weather.

Allen et al. 1998 is FAO Irrigation and Drainage Paper 56 ("FAO56", ISBN 92-5-104219-5); its equation numbers are given.
"""

import numpy as np

from tamrl.arrays import Floats

SOLAR_CONSTANT = 1367.0
"""W m-2, as in FAO56."""

LATENT_HEAT = 2.45e6
"""J kg-1, as in FAO56."""

KELVIN = 273.15


def _angles(lat: np.ndarray, day_of_year: float) -> tuple[np.ndarray, float, np.ndarray]:
    angle = 2 * np.pi * day_of_year / 365.0
    declination = 0.409 * np.sin(angle - 1.39)
    phi = np.deg2rad(np.clip(np.asarray(lat, "float64"), -89.99, 89.99))  # at a pole the tangent has no sign
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    return phi, declination, sunset


def extraterrestrial_radiation(lat: Floats, day_of_year: float) -> Floats:
    """Daily mean shortwave at the top of the atmosphere, W m-2, shape of `lat` (degrees); FAO56 eq. 21-25."""
    phi, declination, sunset = _angles(lat, day_of_year)
    distance = 1 + 0.033 * np.cos(2 * np.pi * day_of_year / 365.0)
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(np.maximum(SOLAR_CONSTANT * distance / np.pi * height, 0.0))


def daylight_hours(lat: np.ndarray, day_of_year: float) -> np.ndarray:
    """Hours of daylight, shape of `lat` (degrees); FAO56 eq. 34."""
    return 24 / np.pi * _angles(lat, day_of_year)[2]


def clear_sky_radiation(potential: Floats, elevation: Floats) -> Floats:
    """Shortwave under a cloudless sky, W m-2, from `potential` (W m-2) and `elevation` (m); FAO56 eq. 37."""
    return potential * (0.75 + 2e-5 * np.maximum(elevation, 0))


def cloud_transmission(cloud: np.ndarray) -> np.ndarray:
    """Share of clear-sky radiation under a cloud cover of 0-1 (Kasten & Czeplak 1980, doi 10.1016/0038-092X(80)90391-6)."""
    return 1 - 0.75 * cloud**3.4


def saturation_pressure(temperature: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure, hPa, at `temperature` in K; Tetens' formula as in FAO56 eq. 11."""
    t = temperature - KELVIN
    return 6.108 * np.exp(17.27 * t / (t + 237.3))


def dew_point(temperature: Floats, humidity: Floats) -> Floats:
    """Dew point in K from `temperature` in K and relative `humidity` 0-1: the inverse of `saturation_pressure`."""
    t = temperature - KELVIN
    x = np.log(humidity) + 17.27 * t / (t + 237.3)
    return KELVIN + 237.3 * x / (17.27 - x)


def vapour_deficit(temperature: Floats, dew: Floats) -> Floats:
    """VPD in hPa from temperature and dew point in K, at least 0."""
    return np.asarray(np.maximum(saturation_pressure(temperature) - saturation_pressure(dew), 0.0))


def potential_evaporation(temperature: np.ndarray, shortwave: np.ndarray) -> np.ndarray:
    """Potential evaporation, mm d-1, at `temperature` (K) and `shortwave` (W m-2).

    Priestley & Taylor 1972, doi 10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2, at sea-level pressure; net radiation is
    0.66 of shortwave less 20 W m-2, a plain stand-in for the longwave balance of this world.
    """
    t = temperature - KELVIN
    slope = 4098 * 0.1 * saturation_pressure(temperature) / (t + 237.3) ** 2
    net = np.maximum(0.66 * shortwave - 20.0, 0.0)
    return 1.26 * slope / (slope + 0.0665) * net * (86400 / LATENT_HEAT)

"""The sun above a place: its position, the length of the day and the radiation at the top of the atmosphere.

Two approximations of the sun's position stand side by side. `almanac_sun` follows the date and is right to 0.01°; drivers are
computed with it. `spencer_sun` follows the day of the year alone and is up to half a degree off at the equinoxes; the quality
test of measured radiation uses it. The test's bound would move by up to 1 % with the other one, and records near it would pass or
fail differently, so results would change.
"""

from typing import NamedTuple

import numpy as np

SOLAR_CONSTANT = 1361.0
"""W m-2 (Kopp & Lean 2011, doi 10.1029/2010GL045777)."""


class SunPosition(NamedTuple):
    """Declination in radians, and distance of the sun in astronomical units."""

    declination: np.ndarray
    distance: np.ndarray


def almanac_sun(days: np.ndarray) -> SunPosition:
    """Position of the sun at 12:00 UTC of dates (datetime64[D], any shape).

    The Astronomical Almanac's approximation, 0.01° for 1950 to 2050 (Michalsky 1988, doi 10.1016/0038-092X(88)90045-X).
    """
    n = (days.astype("datetime64[D]") - np.datetime64("2000-01-01")).astype("float64")
    anomaly = np.deg2rad(357.528 + 0.9856003 * n)
    longitude = np.deg2rad(280.460 + 0.9856474 * n + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.deg2rad(23.439 - 4e-7 * n)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return SunPosition(np.arcsin(np.sin(obliquity) * np.sin(longitude)), distance)


def spencer_sun(day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Declination in radians, and the inverse square of the distance (astronomical units), by the day of the year, 1 to 366.

    Spencer's series, as given by Iqbal (1983, doi 10.1016/B978-0-12-373750-2.X5001-0, eqs 1.2.1 and 1.3.1).
    """
    angle = 2 * np.pi * (np.asarray(day, float) - 1) / 365
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle)
        + 0.00148 * np.sin(3 * angle)
    )
    return declination, 1.00011 + 0.034221 * np.cos(angle) + 0.00128 * np.sin(angle) + 0.000719 * np.cos(2 * angle)


def potential_radiation_at_towers(*, lat: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Daily mean shortwave radiation (W m-2) at the top of the atmosphere, to 1 % (Iqbal 1983, eq. 4.2.20).

    `lat` is in degrees north, `day` is the day of the year, 1 to 366; both have the same shape.
    """
    declination, nearness = spencer_sun(day)
    phi = np.deg2rad(np.clip(lat, -89.99, 89.99))
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    radiation: np.ndarray = SOLAR_CONSTANT / np.pi * nearness * np.maximum(height, 0)
    return radiation


def sunset_angle(lat: np.ndarray, declination: np.ndarray) -> np.ndarray:
    """Hour angle of sunset in radians, 0 in polar night and π in polar day (FAO 56, equation 25).

    From `lat` (lat), degrees north, and `declination` (time), radians, to (time, lat).
    """
    angle: np.ndarray = np.arccos(np.clip(-np.tan(np.deg2rad(lat))[None] * np.tan(declination)[:, None], -1, 1))
    return angle


def potential_radiation(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Daily mean shortwave radiation at the top of the atmosphere, W m-2 (Allen et al. 1998, FAO 56, equation 21).

    From `lat` (lat), degrees north, and dates `days` (time), datetime64[D], to (time, lat).
    """
    delta, distance = almanac_sun(days)
    angle, phi = sunset_angle(lat, delta), np.deg2rad(lat)[None]
    sin, cos = np.sin(phi) * np.sin(delta)[:, None], np.cos(phi) * np.cos(delta)[:, None]
    overhead = SOLAR_CONSTANT / distance[:, None] ** 2
    radiation: np.ndarray = np.maximum(overhead / np.pi * (angle * sin + cos * np.sin(angle)), 0.0)
    return radiation


def day_length(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Hours between sunrise and sunset of the sun's centre, refraction left out (FAO 56, equation 34): (time, lat)."""
    hours: np.ndarray = 24.0 / np.pi * sunset_angle(lat, almanac_sun(days).declination)
    return hours

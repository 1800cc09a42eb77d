"""Radiation at the top of the atmosphere, for tests of what towers measure."""

import numpy as np

SOLAR_CONSTANT = 1361.0
"""W m-2 (Kopp & Lean 2011, doi 10.1029/2010GL045777)."""


def daily_potential(*, lat: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Daily mean radiation (W m-2) on a horizontal plane at the top of the atmosphere.

    Declination and distance of the sun by Spencer's series, as given by Iqbal (1983, doi 10.1016/B978-0-12-373750-2.X5001-0,
    eqs 1.2.1, 1.3.1 and 4.2.20), to 1 %.

    Parameters
    ----------
    lat : degrees north
    day : day of the year, 1 to 366; same shape
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
    distance = 1.00011 + 0.034221 * np.cos(angle) + 0.00128 * np.sin(angle) + 0.000719 * np.cos(2 * angle)
    phi = np.deg2rad(np.clip(lat, -89.99, 89.99))
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1, 1))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return SOLAR_CONSTANT / np.pi * distance * np.maximum(height, 0)

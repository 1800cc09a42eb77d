"""Water vapour in the air: saturation, vapour pressure deficit and relative humidity, from air temperature and dew point.

The virtual Earth keeps a formula of its own (`tamrl.twin.sky`), so that its truth does not rest on the code that it tests.
"""

import numpy as np


def saturation_vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Saturation vapour pressure over water in hPa, from K (Bolton 1980, doi 10.1175/1520-0493(1980)108<1046:TCOEPT>2.0.CO;2).

    Equation 10: e = 6.112 exp(17.67 t / (t + 243.5)), t in °C; within 0.1 % from -30 to 35 °C. Over water also below
    freezing, as dew point is reported.
    """
    celsius = temperature - temperature.dtype.type(273.15)
    pressure: np.ndarray = (6.112 * np.exp(17.67 * celsius / (celsius + 243.5))).astype(temperature.dtype)
    return pressure


def vapour_pressure_deficit(*, saturation_vapour_pressure: np.ndarray, vapour_pressure: np.ndarray) -> np.ndarray:
    """Vapour pressure deficit in hPa from saturation and actual vapour pressure in hPa (same shape); never below zero.

    Where the pressures were computed from mean temperatures of a step, it is biased low, because saturation pressure is convex in
    temperature (Jensen): for a daily range of 10 K by about 0.5 hPa at 20 °C. Monthly means add to that.
    """
    deficit = saturation_vapour_pressure - vapour_pressure
    positive: np.ndarray = np.maximum(deficit, deficit.dtype.type(0))
    return positive


def relative_humidity(*, air_temperature: np.ndarray, dew_point_temperature: np.ndarray) -> np.ndarray:
    """Relative humidity over water, 0 to 1, from air temperature and dew point in K; dew point above temperature counts as 1."""
    share = saturation_vapour_pressure(dew_point_temperature) / saturation_vapour_pressure(air_temperature)
    bounded: np.ndarray = np.minimum(share, share.dtype.type(1))
    return bounded

"""What a tower records of the truth: random errors, gaps, gap filling and partitioning with its own faults."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter1d

from tamrl import carbon
from tamrl.arrays import Floats
from tamrl.twin import sky

WEATHER = {"TA": "celsius", "SW_IN": "shortwave", "VPD": "vpd", "P": "rain"}


QUANTILES = {"16": -1.0, "84": 1.0}
"""Standard deviations of the percentiles over thresholds of friction velocity that a tower may state."""

_NIGHT = 0.05
"""Standard deviation of the share by which RECO depends on the threshold, for the errors of real towers."""


@dataclass(frozen=True)
class Outages:
    """When instruments failed, bool (day,)."""

    filled: np.ndarray
    """Fluxes were gap-filled from neighbouring days."""
    lost: np.ndarray
    """Too long to fill: fluxes are missing, weather comes from reanalysis."""


def error_scale(nee: Floats, noise: float) -> Floats:
    """Standard deviation of the random error of daily NEE, gC m-2 d-1: it grows with the flux.

    Linear as in Richardson et al. 2006 (doi 10.1016/j.agrformet.2006.01.007), with numbers for daily means.
    """
    return noise * (0.20 + 0.08 * np.abs(nee))


def outages(days: int, rng: np.random.Generator) -> Outages:
    """Draw spells of about a week that cover a fifth of the time, and now and then a lost season."""
    filled, state = np.zeros(days, bool), False
    for day, chance in enumerate(rng.random(days)):
        state = chance > 1 / 7 if state else chance < 0.035
        filled[day] = state
    lost = np.zeros(days, bool)
    if rng.random() < 0.35:
        lost[: rng.integers(10, 120)] = True
    if rng.random() < 0.30:
        start = rng.integers(0, max(days - 30, 1))
        lost[start : start + rng.integers(20, 90)] = True
    return Outages(filled & ~lost, lost)


def record(truth: dict[str, np.ndarray], *, elevation: float, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    """The daily record of a tower under FLUXNET's names and units: a DataFrame with one row a day; missing is NaN.

    Parameters
    ----------
    truth : dict of arrays (day,), gpp and reco (gC m-2 d-1), celsius, vpd (hPa), shortwave and potential (W m-2), rain (mm d-1)
    elevation : m
    noise : errors relative to those of real towers
    """
    failed = outages(truth["gpp"].size, rng)
    return pd.DataFrame({**_weather(truth, failed, elevation, noise, rng), **_fluxes(truth, failed, noise, rng)})


def _weather(
    truth: dict[str, np.ndarray], failed: Outages, elevation: float, noise: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    size = truth["gpp"].size
    error = noise * rng.standard_normal((4, size))
    quality = np.where(failed.lost, 0.0, np.where(rng.random(size) < 0.05, rng.random(size), 1.0))
    columns = {
        "TA_F": truth["celsius"] + 0.3 * error[0],
        "SW_IN_F": np.minimum(truth["shortwave"] * (1 + 0.03 * error[1]), truth["potential"]),
        "VPD_F": truth["vpd"] * np.exp(0.05 * error[2]),
        "P_F": truth["rain"] * np.exp(0.10 * error[3]),
        "WS_F": rng.gamma(4.0, 0.7, size),
        "PA_F": 101.3 * np.exp(-elevation / 8300) + 0.6 * rng.standard_normal(size),
    }
    columns["P_F"] = np.where(columns["P_F"] < 0.1, 0.0, columns["P_F"])
    columns = {n: np.maximum(v, 0.0) if n != "TA_F" else v for n, v in columns.items()}
    era = {f"{n}_ERA": truth[key] for n, key in WEATHER.items()}
    flags = {f"{n}_F_QC": quality.round(6) for n in (*WEATHER, "WS", "PA")}
    return {**columns, **era, **flags, "SW_IN_POT": truth["potential"], **_extras(columns, failed)}


def _extras(weather: dict[str, np.ndarray], failed: Outages) -> dict[str, np.ndarray]:
    """Columns that only some sites have: light, radiation balance and soil temperature."""

    def gone(values: np.ndarray) -> np.ndarray:
        return np.where(failed.lost, np.nan, values)

    emitted = 5.67e-8 * (weather["TA_F"] + sky.KELVIN) ** 4
    return {
        "PPFD_IN": gone(weather["SW_IN_F"] * 2.05),
        "NETRAD": gone(0.70 * weather["SW_IN_F"] - 35),
        "LW_IN_F": 0.80 * emitted,
        "TS_F_MDS_1": gone(uniform_filter1d(weather["TA_F"], 9, mode="nearest", origin=4)),
        "USTAR": gone(0.1 + 0.08 * weather["WS_F"]),
    }


def _fluxes(truth: dict[str, np.ndarray], failed: Outages, noise: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """NEE with double-exponential errors, and two partitionings that share its errors in their own ways."""
    gpp, reco = truth["gpp"].astype(float), truth["reco"].astype(float)
    nee = carbon.nee(gpp=gpp, reco=reco)
    spread = error_scale(nee, noise)
    measured = nee + rng.laplace(0, 1, nee.size) * spread / np.sqrt(2)
    measured = np.where(failed.filled, uniform_filter1d(nee, 15, mode="nearest") + 0.5 * spread * rng.standard_normal(), measured)
    share = np.where(failed.filled, rng.uniform(0, 0.5, nee.size), 1 - rng.exponential(0.04, nee.size))
    bias = 1 + noise * np.array([0.04, 0.05, 0.06]) * rng.standard_normal(3)
    drift = uniform_filter1d(rng.standard_normal((3, nee.size)), 7, axis=1) * 0.12 * noise
    reco_night = np.maximum(reco * bias[0] * (1 + drift[0]), 0.0)
    columns = {
        "NEE_VUT_REF": measured,
        "NEE_VUT_REF_QC": np.clip(share, 0, 1).round(6),
        "NEE_VUT_REF_RANDUNC": spread,
        "RECO_NT_VUT_REF": reco_night,
        "GPP_NT_VUT_REF": reco_night - measured + 0.02 * noise * rng.standard_normal(nee.size),
        "RECO_DT_VUT_REF": np.maximum(reco * bias[1] * (1 + drift[1]), 0.0),
        "GPP_DT_VUT_REF": np.maximum(gpp * bias[2] * (1 + drift[2]), 0.0),
    }
    columns |= _percentiles(columns, noise)
    return {n: np.where(failed.lost, np.nan, v) for n, v in columns.items()}


def _percentiles(columns: dict[str, np.ndarray], noise: float) -> dict[str, np.ndarray]:
    """The fluxes at percentiles of the threshold: a higher one leaves out calm nights, so that all fluxes are larger."""
    percentiles = {}
    for name, away in QUANTILES.items():
        share = _NIGHT * noise * away
        percentiles[f"NEE_VUT_{name}"] = columns["NEE_VUT_REF"] + 0.6 * share * columns["RECO_NT_VUT_REF"]
        for method in ("NT", "DT"):
            reco = columns[f"RECO_{method}_VUT_REF"]
            percentiles[f"RECO_{method}_VUT_{name}"] = reco * (1 + share)
            percentiles[f"GPP_{method}_VUT_{name}"] = columns[f"GPP_{method}_VUT_REF"] + 0.4 * share * reco
    return percentiles

"""Scores of a run against a product: means, errors, seasonal cycle, variation between years and trends, by region."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from tamrl.calendar import MONTHS
from tamrl.reference.pairs import Pair, month_weights
from tamrl.reference.regions import ComparedRegions

MIN_IAV = 5
MIN_TREND = 10
"""Years that a variation between years and a trend need."""

SEASONAL = 0.05
"""gC m-2 d-1: a seasonal cycle of a smaller amplitude has no phase."""

YEARS_PER_DECADE = 10.0


def score_pair(pair: Pair, regions: ComparedRegions, *, product: str) -> pd.DataFrame:
    """Scores of every region (`tables.COMPARED_SCORES`).

    Parameters
    ----------
    pair : run and product
    regions : over the cells of the pair
    product : its name in the table
    """
    weight = regions.area / regions.area.sum(1, keepdims=True)
    moments = _moments(pair, weight)
    series = RegionSeries.of(pair, weight)
    frame = pd.DataFrame({"kind": regions.kinds, "region": regions.names})
    for position, (name, value) in enumerate({"product": product, "quantity": pair.quantity, "flux": pair.flux}.items()):
        frame.insert(position, name, value)
    frame = frame.assign(first=pair.years[0], last=pair.years[-1], cells=(regions.area > 0).sum(1), area_m2=regions.area.sum(1))
    return frame.assign(**moments, **series.seasons(), **series.between_years(pair.years))


def _moments(pair: Pair, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Means, errors and correlation over months and cells (region)."""
    product = pair.product.mean(0, keepdims=True) if pair.climatology else pair.product
    days = month_weights() / len(product)
    sums = np.zeros((5, pair.area.size))
    for run, other in zip(pair.run, product, strict=True):  # a year at a time
        o, p = run.astype("float64"), other.astype("float64")
        sums += np.stack([days @ part for part in (o, p, o * o, p * p, o * p)])
    mean_o, mean_p, oo, pp, op = (weight @ sums.T).T
    var_o, var_p = (np.maximum(square - mean**2, 0.0) for square, mean in ((oo, mean_o), (pp, mean_p)))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where((var_o > 0) & (var_p > 0), (op - mean_o * mean_p) / np.sqrt(var_o * var_p), np.nan)
    return {
        "run_mean": mean_o,
        "product_mean": mean_p,
        "bias": mean_o - mean_p,
        "rmse": np.sqrt(np.maximum(oo - 2 * op + pp, 0.0)),
        "run_std": np.sqrt(var_o),
        "product_std": np.sqrt(var_p),
        "correlation": np.clip(correlation, -1.0, 1.0),
    }


@dataclass(frozen=True, eq=False)
class RegionSeries:
    """Monthly means of regions."""

    run: np.ndarray
    """Array (region, year, month); one year of a climatology."""
    product: np.ndarray

    @classmethod
    def of(cls, pair: Pair, weight: np.ndarray) -> "RegionSeries":
        """Sums over the cells times `weight` (region, cell): means where it sums to 1, totals where it is an area."""
        run, product = (np.einsum("rc,ymc->rym", weight, part, optimize=True) for part in (pair.run, pair.product))
        return cls(run, product)

    def seasons(self) -> dict[str, np.ndarray]:
        """Amplitude and phase of the mean seasonal cycles (region)."""
        a, b = harmonic(self.run.mean(1)), harmonic(self.product.mean(1))
        return {"run_amplitude": np.abs(a), "product_amplitude": np.abs(b), "phase_difference": phase_difference(a, b)}

    def between_years(self, years: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Variation between years and trends (region); those of a run with one mean year are missing."""
        days = month_weights()
        run, product = self.run @ days, self.product @ days
        missing = np.full(len(product), np.nan)
        both = run.shape == product.shape
        slope_p, rest_p = _trend(product, years)
        slope_o, rest_o = _trend(run, years) if both else (missing, np.full(product.shape, np.nan))
        varies, trends = len(years) >= MIN_IAV, len(years) >= MIN_TREND
        free = max(len(years) - 2, 1)
        iav_o, iav_p = (np.sqrt((rest**2).sum(1) / free) for rest in (rest_o, rest_p))
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (rest_o * rest_p).sum(1) / np.sqrt((rest_o**2).sum(1) * (rest_p**2).sum(1))
        return {
            "run_iav": iav_o if varies else missing,
            "product_iav": iav_p if varies else missing,
            "iav_correlation": np.clip(r, -1.0, 1.0) if varies else missing,
            "run_trend": slope_o * YEARS_PER_DECADE if trends else missing,
            "product_trend": slope_p * YEARS_PER_DECADE if trends else missing,
        }


def harmonic(cycle: np.ndarray) -> np.ndarray:
    """First harmonic of mean years (..., month): the amplitude times exp(-2πi t/12), where t is the time of the maximum."""
    turn = np.exp(-2j * np.pi * (np.arange(MONTHS) + 0.5) / MONTHS)
    return np.asarray(cycle.astype("float64") @ turn * 2 / MONTHS)


def phase_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Months by which the maximum of `a` is later than that of `b` (`harmonic`), from -6 to 6; NaN without seasons."""
    months = np.angle(b * np.conj(a)) * MONTHS / (2 * np.pi)
    return np.where((np.abs(a) >= SEASONAL) & (np.abs(b) >= SEASONAL), months, np.nan)


def _trend(annual: np.ndarray, years: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Slope per year (region) and residuals (region, year) of straight lines."""
    time = np.array(years, dtype=float) - np.mean(years)
    centred = annual - annual.mean(1, keepdims=True)
    square = (time**2).sum()
    slope = centred @ time / square if square > 0 else np.zeros(len(annual))
    return slope, centred - slope[:, None] * time


def mean_cycles(pair: Pair, regions: ComparedRegions, *, product: str) -> pd.DataFrame:
    """Mean seasonal cycles of the globe, bands and climates (`tables.COMPARED_CYCLES`).

    Parameters
    ----------
    pair, regions, product : as for `score_pair`
    """
    series = RegionSeries.of(pair, regions.area / regions.area.sum(1, keepdims=True))
    keys = {"product": product, "quantity": pair.quantity, "flux": pair.flux}
    rows = [
        keys
        | {
            "region": name,
            "month": month + 1,
            "run": series.run[k, :, month].mean(),
            "product_flux": series.product[k, :, month].mean(),
        }
        for k, (kind, name) in enumerate(zip(regions.kinds, regions.names, strict=True))
        if kind != "class"
        for month in range(MONTHS)
    ]
    return pd.DataFrame(rows)


def cell_maps(pair: Pair) -> xr.Dataset:
    """Maps (lat, lon) of the means, the bias, the RMSE of months, and the amplitude and phase of the mean year, float32."""
    product = pair.product.mean(0, keepdims=True) if pair.climatology else pair.product
    days = month_weights()
    run_mean, other_mean = (np.einsum("m,ymc->c", days, part) / len(part) for part in (pair.run, product))
    a, b = harmonic(pair.run.mean(0).T), harmonic(product.mean(0).T)
    rmse = np.sqrt(np.einsum("m,ymc->c", days, (pair.run - product) ** 2) / len(product))
    fields = {"run_mean": run_mean, "product_mean": other_mean, "bias": run_mean - other_mean, "rmse": rmse}
    fields |= {"run_amplitude": np.abs(a), "product_amplitude": np.abs(b), "phase_difference": phase_difference(a, b)}
    coords = {"lat": pair.grid.lat, "lon": pair.grid.lon}
    ds = xr.Dataset(coords=coords)
    for name, values in fields.items():
        full = np.full(pair.grid.shape, np.nan, dtype="float32")
        full[pair.cells] = values
        unit = "months" if name == "phase_difference" else "gC m-2 d-1"
        ds[f"{pair.quantity}_{name}"] = xr.DataArray(full, dims=("lat", "lon"), attrs={"units": unit})
    ds["lat"].attrs, ds["lon"].attrs = {"units": "degrees_north"}, {"units": "degrees_east"}
    return ds

"""Contracts of the tables of comparisons."""

import pandera.pandas as pa

from tamrl.carbon import FLUXES
from tamrl.reference.layouts import QUANTITIES

_real = pa.Column(float, nullable=True, coerce=True)
_count = pa.Column(int, pa.Check.ge(0), coerce=True)
_positive = pa.Column(float, pa.Check.ge(0), coerce=True)
_keys = {
    "product": pa.Column(str),
    "quantity": pa.Column(str, pa.Check.isin(QUANTITIES)),
    "flux": pa.Column(str, pa.Check.isin(FLUXES)),
}

COMPARED_SCORES = pa.DataFrameSchema(
    _keys
    | {"kind": pa.Column(str, pa.Check.isin(("globe", "band", "class", "climate"))), "region": pa.Column(str)}
    | {"first": _count, "last": _count, "cells": _count, "area_m2": _positive}
    | dict.fromkeys(("run_mean", "product_mean", "bias", "rmse", "run_std", "product_std", "correlation"), _real)
    | dict.fromkeys(("run_amplitude", "product_amplitude", "phase_difference"), _real)
    | dict.fromkeys(("run_iav", "product_iav", "iav_correlation", "run_trend", "product_trend"), _real),
    strict=True,
    name="compared_scores",
)
"""`comparison/{product}/scores.csv`: months and cells of a region, weighted by land area and days; gC m-2 d-1. Bias is run minus
product. Amplitude and phase are those of the first harmonic of the region's mean year (phase in months, positive where the run is
later). `iav` is the standard deviation of detrended annual means, a trend is gC m-2 d-1 per decade; missing of too few years."""

COMPARED_CYCLES = pa.DataFrameSchema(
    _keys
    | {"region": pa.Column(str), "month": pa.Column(int, pa.Check.in_range(1, 12), coerce=True)}
    | {"run": _real, "product_flux": _real},
    strict=True,
    name="compared_cycles",
)
"""`comparison/{product}/cycles.csv`: mean seasonal cycle of a region, gC m-2 d-1."""

COMPARED_TOTALS = pa.DataFrameSchema(
    _keys
    | {"year": pa.Column(str), "region": pa.Column(str)}
    | dict.fromkeys(("run_total", "run_std", "run_q05", "run_q95", "product_total"), _real)
    | dict.fromkeys(("run_compared", "product_compared", "compared_share"), _real)
    | {"inside": pa.Column(float, pa.Check.isin((0.0, 1.0)), nullable=True, coerce=True)},
    strict=True,
    name="compared_totals",
)
"""`comparison/{product}/totals.csv`: PgC yr-1. `product_total` is of the product's own cells, whatever land they cover.

`run_compared` and `product_compared` are of the compared cells, which hold `compared_share` of the run's land. `inside` is 1
where the product, with the run's flux on the land that is not compared, lies in the run's 90 % interval; it is missing where less
than `reduce.COVERED` of the land is compared. A table of totals has no cells: the three are missing, and `inside` is of
`product_total`."""

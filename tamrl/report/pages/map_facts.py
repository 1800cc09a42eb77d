"""What the figures of maps and totals show, in numbers: for readers who cannot see them."""

from calendar import month_name
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tamrl import classes
from tamrl.report.figures import maps, reference
from tamrl.report.figures.budgets import mean_budgets
from tamrl.report.results import Applicability
from tamrl.report.style import BAND_NAMES, FLUX_NAMES, FLUX_UNITS, covered_note, format_number, format_total, signed_number
from tamrl.report.sums import FieldSums, FluxSums

Fluxes = Mapping[str, FluxSums]


def joined(parts: Mapping[str, str]) -> str:
    """One sentence with a clause for each flux."""
    return f"{'; '.join(f'{name} {parts[flux]}' for flux, name in FLUX_NAMES.items() if flux in parts)}."


def _land_mean(sums: FluxSums, values: np.ndarray) -> float:
    """Mean over the land with a value, weighted by area; `values` (lat, lon)."""
    cells = sums.land.take(values)
    known = np.isfinite(cells)
    return float(np.average(cells[known], weights=sums.land.area[known])) if known.any() else np.nan


def _bands(sums: FluxSums, quantity: FieldSums) -> dict[str, float]:
    """Mean over the year by latitude band."""
    return {BAND_NAMES[band]: float(np.nanmean(quantity.cycle(*edges))) for band, edges in sums.bands().items()}


def flux_maps(fluxes: Fluxes) -> str:
    """Means over the land, and the band with the largest and smallest mean."""
    parts = {}
    for flux, sums in fluxes.items():
        bands = _bands(sums, sums.mean)
        high, low = max(bands, key=bands.__getitem__), min(bands, key=bands.__getitem__)
        mean, spread = (format_number(_land_mean(sums, q.mean())) for q in (sums.mean, sums.std))
        ends = f"highest in {high} ({format_number(bands[high])}), lowest in {low} ({format_number(bands[low])})"
        parts[flux] = f"{mean} {FLUX_UNITS} over the land, {ends}, uncertainty of one {sums.step} {spread}"
    return joined(parts)


def member_spread(fluxes: Fluxes) -> str:
    """Mean and largest spread of the members."""
    spreads = {flux: sums.member_spread() for flux, sums in fluxes.items()}
    return joined(
        {
            flux: f"{format_number(_land_mean(fluxes[flux], values))} {FLUX_UNITS} over the land, at most {np.nanmax(values):.2f}"
            for flux, values in spreads.items()
        }
    )


def applicability(area: Applicability) -> str:
    """Shares inside."""
    tropics = area.share(23.5)
    of_tropics = f", {100 * tropics:.0f} % of that between 23.5° S and 23.5° N" if np.isfinite(tropics) else ""
    return f"{100 * area.share():.0f} % of the land lies inside{of_tropics}."


def seasonal_cycles(fluxes: Fluxes) -> str:
    """The band whose season is largest, and how long the reference lies in the band of the members."""
    parts = {}
    for flux, sums in fluxes.items():
        cycles = {band: sums.mean.cycle(*edges) for band, edges in sums.bands().items()}
        band = max(cycles, key=lambda name: float(np.ptp(cycles[name])))
        low, high = (format_number(float(f(cycles[band]))) for f in (np.nanmin, np.nanmax))
        shares = {name: maps.band_share(sums, edges) for name, edges in sums.bands().items()}
        known = {name: share for name, share in shares.items() if share is not None}
        inside = ""
        if known:
            worst = min(known, key=known.__getitem__)
            inside = (
                f", reference in the members' band least often in {BAND_NAMES[worst]} ({100 * known[worst]:.0f} % of the year)"
            )
        parts[flux] = f"has its largest season in {BAND_NAMES[band]}, from {low} to {high} {FLUX_UNITS}{inside}"
    return joined(parts)


def latitude_time(fluxes: Fluxes) -> str:
    """Where and when each flux is largest."""
    parts = {}
    for flux, sums in fluxes.items():
        values = sums.mean.hovmoeller()  # (bin, lat)
        when, row = np.unravel_index(np.nanargmax(values), values.shape)
        lat, month = sums.land.lat[row], month_name[1 + int(when * 12 / len(values))]
        parts[flux] = f"largest at {abs(lat):.0f}° {'S' if lat < 0 else 'N'} in {month} ({format_number(values[when, row])})"
    return joined(parts)


def reference_errors(fluxes: Fluxes) -> str:
    """Mean error, the range of 90 % of the land, and the coverage."""
    parts = {}
    for flux, sums in fluxes.items():
        error = sums.compared.error()
        low, high = np.nanquantile(error, [0.05, 0.95])
        inside = 100 * sums.compared.shares()[1]
        ends = f"{signed_number(low)} to {signed_number(high)} in 90 % of the cells"
        parts[flux] = f"is off by {signed_number(_land_mean(sums, error))} {FLUX_UNITS} on average, {ends}, {inside:.0f} % inside"
    return joined(parts)


def reference_scatter(fluxes: Fluxes) -> str:
    """NSE, RMSE and bias of the cells."""
    parts = {}
    for flux, sums in fluxes.items():
        nse, rmse, bias = reference.weighted_scores(*reference.compared_cells(sums))
        parts[flux] = f"NSE {format_number(nse)}, RMSE {rmse:.2f}, bias {signed_number(bias)} {FLUX_UNITS}"
    return joined(parts)


def reference_budgets(fluxes: Fluxes, label: str) -> str:
    """Totals of all mapped land."""
    parts = {}
    for flux, sums in fluxes.items():
        ours, theirs = (
            format_total(sums.common_totals(part)[sums.land.name], sums.land.name)
            for part in (sums.compared.estimate, sums.compared.mean)
        )
        parts[flux] = f"{ours} PgC yr⁻¹, {label} {theirs}{covered_note(sums.covered()[sums.land.name])}"
    return joined(parts)


def reference_coverage(fluxes: Fluxes, label: str) -> str:
    """Shares below, inside and above the interval."""
    shares = {flux: 100 * sums.compared.shares() for flux, sums in fluxes.items()}
    return f"Percent with the {label} below, inside and above: " + joined(
        {flux: ", ".join(f"{share:.1f}" for share in values) for flux, values in shares.items()}
    )


def truth_coverage(table: pd.DataFrame) -> str:
    """The lowest and highest coverage of each flux, calibrated and of the members alone."""
    parts = {}
    for flux in FLUX_NAMES:
        rows = table[table["flux"] == flux]
        texts = []
        for kind, part in sorted(rows.groupby("intervals"), key=lambda item: item[0] != "calibrated"):
            low, high = part.loc[part["coverage"].idxmin()], part.loc[part["coverage"].idxmax()]
            ends = f"{100 * low['coverage']:.0f} % ({low['scale']}) to {100 * high['coverage']:.0f} % ({high['scale']})"
            texts.append(f"{kind} {ends}")
        parts[flux] = ", ".join(texts)
    return joined(parts)


def totals(table: pd.DataFrame) -> str:
    """Totals of all mapped land with their intervals, and the band with the largest."""
    parts = {}
    for flux, rows in mean_budgets(table).groupby("flux", sort=False):
        by_region = rows.set_index("region")
        every = classes.name_of_all(by_region.index)
        total, bands = by_region.loc[every], by_region.loc[[name for name in by_region.index if name in BAND_NAMES]]
        largest = bands["mean"].abs().idxmax() if len(bands) else None
        most = f", most in {BAND_NAMES[largest]} ({format_total(bands.loc[largest, 'mean'], every)})" if largest else ""
        ends = f"{format_total(total['q05'], every)} to {format_total(total['q95'], every)}"
        parts[str(flux)] = f"{format_total(total['mean'], every)} PgC yr⁻¹ ({ends}){most}"
    return joined(parts)


def choices(table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> str:
    """The range of the totals over the choices."""
    rows = pd.concat(
        [mean_budgets(part).assign(choice=name) for name, part in {"this run": table, **others}.items()], ignore_index=True
    )
    every = classes.name_of_all(rows["region"])
    parts = {}
    for flux, part in rows[rows["region"] == every].groupby("flux", sort=False):
        low, high = part.loc[part["mean"].idxmin()], part.loc[part["mean"].idxmax()]
        ends = f"{format_total(low['mean'], every)} ({low['choice']}) to {format_total(high['mean'], every)} ({high['choice']})"
        parts[str(flux)] = f"from {ends} PgC yr⁻¹"
    return joined(parts)

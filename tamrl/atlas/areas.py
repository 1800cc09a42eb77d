"""Fluxes of regions in each month for the page of the atlas."""

from typing import Any

import numpy as np
import pandas as pd

from tamrl import carbon
from tamrl.atlas.cells import BLOCK
from tamrl.atlas.fields import FluxMaps
from tamrl.atlas.stations import json_number
from tamrl.carbon import FLUXES
from tamrl.maps.budgets.regions import Regions, region_kind
from tamrl.maps.land import Land
from tamrl.maps.outlines import SREX
from tamrl.reduce import COVERED

ReferenceTotals = dict[str, dict[str, dict[str, list[list[float | None] | None]]]]
"""By label, region and flux, for the year and the twelve months: totals of reference and estimate (PgC) over the cells and months
that have both, and which share of the land and time with an estimate these are; None where there are none."""


def reference_totals(maps: FluxMaps, land: Land) -> ReferenceTotals:
    """Sum the reference over the regions of the atlas; of land-cover classes a gridded flux does not tell the part.

    Returns an empty dictionary if the run has no reference.
    """
    totals: ReferenceTotals = {}
    for label in maps.labels if maps.has_reference else ():
        of_label: dict[str, dict[str, list[list[float | None] | None]]] = {}
        for flux in FLUXES:
            for name, sums in _sum_reference(*maps.compared_months(flux, label), land).items():
                of_label.setdefault(name, {})[flux] = [_compared(step) for step in (sums.sum(1), *sums.T)]
        totals[label] = of_label
    return totals


def _sum_reference(reference: np.ndarray, estimate: np.ndarray, land: Land) -> dict[str, np.ndarray]:
    """Sums (4, month) of each region: reference and estimate, g, over the land with both, that land, and the land with estimates.

    Parameters
    ----------
    reference, estimate : arrays (month, lat, lon), gC m-2
    land : of the cells
    """
    sums = np.zeros(())
    names: tuple[str, ...] = ()
    for top in range(0, len(land.lat), BLOCK):
        rows = slice(top, top + BLOCK)
        regions = Regions.of_atlas(land.rows(rows))
        both, mapped = np.isfinite(reference[:, rows]), np.isfinite(estimate[:, rows])
        fields = [np.where(both, part[:, rows], 0.0) for part in (reference, estimate)] + [both, mapped]
        sums, names = sums + np.stack([np.einsum("myx,ryx->rm", part, regions.land) for part in fields], axis=1), regions.names
    return {name: of_region for name, of_region in zip(names, sums, strict=True) if region_kind(name) != "class"}


def _compared(sums: np.ndarray) -> list[float | None] | None:
    reference, estimate, both, mapped = sums.tolist()
    grams = carbon.GRAMS_PER_PETAGRAM
    return [json_number(v, 6) for v in (reference / grams, estimate / grams, both / mapped)] if both else None


def regions_to_json(regions: pd.DataFrame, reference: ReferenceTotals) -> dict[str, Any]:
    """Return a table by `contracts.REGIONS` in the form that the page reads, with kinds, outlines and land area (m2).

    `totals` is {label: {region: {flux: [[mean, std, q05, q95] of the year and of the months]}}}, PgC, None where missing.
    """
    totals: dict[str, Any] = {}
    for row in regions.to_dict("records"):
        by_region = totals.setdefault(row["year"], {}).setdefault(row["region"], {})
        months = by_region.setdefault(row["flux"], [None] * 13)
        months[row["month"]] = [json_number(row[k], 6) for k in ("mean", "std", "q05", "q95")]
    area = regions[regions["month"] == 0].groupby("region", sort=False)["area_m2"].mean()
    return {
        "totals": totals,
        "reference": reference,
        "covered": COVERED,
        "kinds": dict(zip(regions["region"], regions["kind"], strict=True)),
        "outlines": {code: {"name": region.name, "rings": [region.ring]} for code, region in SREX.items()},
        "area": {name: json_number(value, 0) for name, value in area.items()},
    }

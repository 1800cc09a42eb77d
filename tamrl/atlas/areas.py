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

ReferenceTotals = dict[str, dict[str, dict[str, list[float | None]]]]
"""PgC of the year and of the twelve months by label, region and flux."""


def reference_totals(maps: FluxMaps, land: Land) -> ReferenceTotals:
    """Sum the reference over the regions of the atlas; of land-cover classes a gridded flux does not tell the part.

    Returns an empty dictionary if the run has no reference.
    """
    totals: ReferenceTotals = {}
    for label in maps.labels if maps.has_reference else ():
        masses = {flux: maps.reference_months(flux, label) for flux in FLUXES}
        sums = dict.fromkeys(FLUXES, np.zeros(()))
        names: tuple[str, ...] = ()
        for top in range(0, len(land.lat), BLOCK):
            rows = slice(top, top + BLOCK)
            regions = Regions.of_atlas(land.rows(rows))
            names = regions.names
            for flux, mass in masses.items():
                sums[flux] = sums[flux] + np.einsum("myx,ryx->rm", np.nan_to_num(mass[:, rows]), regions.land)
        by_region = totals.setdefault(label, {})
        for k, name in enumerate(names):
            if region_kind(name) != "class":
                months = {flux: total[k] / carbon.GRAMS_PER_PETAGRAM for flux, total in sums.items()}
                by_region[name] = {f: [json_number(v, 6) for v in (line.sum(), *line)] for f, line in months.items()}
    return totals


def regions_to_json(regions: pd.DataFrame, truth: ReferenceTotals) -> dict[str, Any]:
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
        "truth": truth,
        "kinds": dict(zip(regions["region"], regions["kind"], strict=True)),
        "outlines": {code: {"name": region.name, "rings": [region.ring]} for code, region in SREX.items()},
        "area": {name: json_number(value, 0) for name, value in area.items()},
    }

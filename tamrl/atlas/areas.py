"""Fluxes of regions in each month for the page of the atlas."""

from typing import Any

import pandas as pd

from tamrl.atlas.stations import json_number
from tamrl.maps.budgets.regions import SREX


def regions_to_json(regions: pd.DataFrame) -> dict[str, Any]:
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
        "kinds": dict(zip(regions["region"], regions["kind"], strict=True)),
        "outlines": {code: {"name": region.name, "ring": region.ring} for code, region in SREX.items()},
        "area": {name: json_number(value, 0) for name, value in area.items()},
    }

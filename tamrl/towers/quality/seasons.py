"""Refuse a network whose covariates do not stand in their months, by `tamrl.seasons`."""

import logging

import pandas as pd

from tamrl.errors import InputError
from tamrl.seasons import compare_seasons

_log = logging.getLogger(__name__)


def check_networks(years: pd.DataFrame, networks: pd.Series) -> None:
    """Check the seasons of each network (`networks` by site) from the output of `mean_years`, as `check_seasons`; log them."""
    for network, part in years.groupby(years.index.get_level_values("site").map(networks)):
        table = check_seasons(part, where=f"network {network}")
        if len(table):
            _log.info("%s: seasons of covariates against their partners\n%s", network, table.to_string(index=False))
        for row in table[table["fault"] != ""].itertuples():
            _log.warning("%s: %s has an unusual season (correlation with %s %.2f)", network, row.covariate, row.partner, row.r)


def check_seasons(years: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return `compare_seasons`; raise `InputError` if a known rearrangement of a covariate restores its season."""
    table = compare_seasons(years)
    for row in table[table["r_restored"].notna()].itertuples():
        pair = f"median seasonal correlation with {row.partner} over {row.towers} towers"
        raise InputError(
            f"{row.covariate} does not stand in its months: {row.fault}",
            where=where,
            found=f"{pair} {row.r:.2f}, expected at least {row.least:.2f}; {row.r_restored:.2f} once this is undone",
            todo="put the column right, or leave `seasons` out of towers.quality.tests if the season is real",
        )
    return table

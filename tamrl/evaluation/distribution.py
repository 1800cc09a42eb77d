"""How scores are spread over towers: median, quartiles and 90th percentile, of all towers and by class, climate and tropics.

A median hides the towers where a model fails; the tropics and evergreen broadleaf forest are where all of them do.
"""

import pandas as pd

TROPICS = 23.5
"""Degrees of latitude."""

KEYS = ["model", "split", "flux", "scale"]
LEVELS = {"q25": 0.25, "median": 0.5, "q75": 0.75, "p90": 0.9}


def summary(table: pd.DataFrame, towers: pd.DataFrame, *, scores: tuple[str, ...]) -> pd.DataFrame:
    """Quantiles over towers.

    Parameters
    ----------
    table : DataFrame
        One row a model, split, flux, scale and site with igbp, koppen and the columns `scores`.
    towers : table of `contracts.SITES`
    scores : names of the scores to summarise

    Returns
    -------
    DataFrame by `contracts.SCORES`: `kind` is all, igbp, koppen or latitude (whose one group is `tropics`), `towers` those
    with a value. The 90th percentile is of the score itself: the towers where an error is large.
    """
    tropical = set(towers["site"][towers["lat"].abs() < TROPICS])
    table = table.assign(all="all", latitude=table["site"].map(lambda site: "tropics" if site in tropical else None))
    parts = []
    for kind in ("all", "igbp", "koppen", "latitude"):
        long = table.dropna(subset=kind).melt([*KEYS, kind], list(scores), var_name="score").dropna(subset="value")
        groups = long.groupby([*KEYS, kind, "score"], observed=True)["value"]
        found = pd.DataFrame({"towers": groups.size()} | {name: groups.quantile(q) for name, q in LEVELS.items()})
        parts.append(found.reset_index().rename(columns={kind: "group"}).assign(kind=kind))
    columns = [*KEYS, "kind", "group", "score", "towers", *LEVELS]
    return pd.concat(parts, ignore_index=True)[columns]

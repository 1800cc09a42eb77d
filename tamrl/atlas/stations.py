"""The towers of the atlas: positions, scores while held out, and records."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

QUANTUM = 0.01
"""gC m-2 d-1 of the records of towers."""

SCORES = ("rmse", "bias", "r2", "nse")
EPOCH = pd.Timestamp("1970-01-01")


def _text(value: object) -> str | None:
    """Return a cell of a table, None if it is missing."""
    return None if value is None or value != value or value == "" else str(value)


def json_number(value: float, digits: int = 4) -> float | None:
    """Return a rounded number for JSON, None if it is missing."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def tower_index(towers: pd.DataFrame, metrics: pd.DataFrame, unlike: pd.DataFrame, *, scale: str) -> list[dict[str, Any]]:
    """Return one entry per tower, with its held-out scores as {split: {model: {flux: {score: number}}}}.

    Parameters
    ----------
    towers, metrics, unlike : tables by `contracts.SITES`, `METRICS` and `DISSIMILARITY`
    scale : the time scale of the scores, a step of the maps
    """
    scores = _scores(metrics[metrics["scale"] == scale])
    far = dict(zip(unlike["site"], unlike["dissimilarity"], strict=True))
    entries = []
    for row in towers.sort_values("site").to_dict("records"):
        entry: dict[str, Any] = {
            name: _text(row.get(name)) for name in ("site", "network", "igbp", "koppen", "first", "last", "doi")
        }
        entry |= {name: json_number(row.get(name, math.nan)) for name in ("lat", "lon", "elevation")}
        entry["dissimilarity"] = json_number(far.get(row["site"], math.nan))
        entries.append(entry | {"scores": scores.get(row["site"], {})})
    return entries


def _scores(metrics: pd.DataFrame) -> dict[str, dict[str, Any]]:
    scores: dict[str, dict[str, Any]] = {}
    for row in metrics.to_dict("records"):
        by_flux = scores.setdefault(row["site"], {}).setdefault(row["split"], {}).setdefault(row["model"], {})
        by_flux[row["flux"]] = {"n": int(row["n"])} | {name: json_number(row[name]) for name in SCORES}
    return scores


def tower_records(predictions: pd.DataFrame, *, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each site with its records: days since 1970, observed, and predicted by every model; bounds only of `model`.

    Numbers are whole multiples of `QUANTUM`, None if missing.
    """
    for site, rows in predictions.groupby("site", observed=True, sort=True):
        dates = np.sort(rows["date"].unique())
        fluxes = {str(flux): _flux(part, dates, model) for flux, part in rows.groupby("flux", observed=True)}
        yield (
            str(site),
            {"quantum": QUANTUM, "days": ((dates - np.datetime64(EPOCH)) // np.timedelta64(1, "D")).tolist()}
            | {"fluxes": fluxes},
        )


def _flux(rows: pd.DataFrame, dates: np.ndarray, model: str) -> dict[str, Any]:
    """Return the records of one flux on `dates`."""
    splits = {}
    for split, part in rows.groupby("split", observed=True):
        models = {}
        for name, group in part.groupby("model", observed=True):
            line = group.drop_duplicates("date").set_index("date").reindex(dates)
            models[str(name)] = {"p": _ints(line["predicted"])}
            if name == model:
                models[str(name)] |= {"lo": _ints(line["q05"]), "hi": _ints(line["q95"])}
        splits[str(split)] = models
    observed = rows.drop_duplicates("date").set_index("date").reindex(dates)
    return {"observed": _ints(observed["observed"]), "splits": splits}


def _ints(values: pd.Series) -> list[int | None]:
    steps = np.rint(values.to_numpy("f8") / QUANTUM)
    return [None if np.isnan(v) else int(v) for v in steps]

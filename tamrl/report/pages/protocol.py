"""What stands before and beside the scores: what was tuned where, where drivers come from, and published numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from tamrl import registry
from tamrl.carbon import FLUXES
from tamrl.intake import document
from tamrl.markdown import markdown_table
from tamrl.options import Strict
from tamrl.report.style import format_number
from tamrl.run_record import Provenance

FILE = Path(__file__).parents[2] / "data/published.yaml"

REANALYSIS = "_ERA"
"""End of the names of columns of FLUXNET that hold reanalysis in place of a measurement."""

MONTHLY = "mm_"
"""Start of the names of columns of the public tables that repeat a monthly mean on each day."""

SATELLITE = ("evi", "ndvi", "lai", "fapar", "nirv", "kndvi", "lswi")
"""Drivers that no tower measures."""

WAYS = {"step": "repeated on each day", "line": "joined by lines", "smooth": "joined by a smooth curve"}


class PublishedScore(Strict):
    """Errors of a published model for one flux, gC m-2 d-1: RMSE over sites (median, 90th percentile), median NSE."""

    model: str
    flux: Literal["gpp", "reco", "nee"]
    rmse: float
    p90: float
    nse: float


class PublishedBenchmark(Strict):
    """A published benchmark at unseen sites, and what differs from other protocols."""

    name: str
    source: str
    sites: str
    years: str
    inputs: str
    fluxes: str
    quality: str
    members: str
    scores: tuple[PublishedScore, ...]


def read_published() -> tuple[PublishedBenchmark, ...]:
    """Read `tamrl/data/published.yaml`."""
    return tuple(PublishedBenchmark.model_validate(item) for item in document.read_document(FILE)["benchmarks"])


def published_blocks(metrics: pd.DataFrame, model: str) -> list[str]:
    """Published numbers beside those of this run, with what differs; `metrics` by `contracts.METRICS`, daily, one split."""
    parts = metrics[metrics["model"] == model].groupby("flux")
    ours = {flux: (r["rmse"].median(), r["rmse"].quantile(0.9), r["nse"].median()) for flux, r in parts}
    rows = [["this run", model, *_cells(ours)]]
    benchmarks = read_published()
    for benchmark in benchmarks:
        for name in dict.fromkeys(score.model for score in benchmark.scores):
            values = {s.flux: (s.rmse, s.p90, s.nse) for s in benchmark.scores if s.model == name}
            rows.append([benchmark.name, name, *_cells(values)])
    notes = [
        f"* {b.name} ({b.source}): sites: {b.sites}; years: {b.years}; inputs: {b.inputs}; fluxes: {b.fluxes}; "
        f"quality: {b.quality}; {b.members}."
        for b in benchmarks
    ]
    text = (
        "Median RMSE / its 90th percentile (gC m⁻² d⁻¹) / median NSE over unseen sites, by day. Sites, years, inputs and quality "
        "differ, so that differences between the parts of this table are not differences of models:"
    )
    head = ["benchmark", "model", *(flux.upper() for flux in FLUXES)]
    return ["## Published numbers", text, markdown_table(head, rows), "\n".join(notes)]


def _cells(values: Mapping[Any, tuple[float, float, float]]) -> list[str]:
    return [" / ".join(map(format_number, values[flux])) if flux in values else "–" for flux in FLUXES]


def tuning_blocks(record: Provenance) -> list[str]:
    """What was tuned where, and how many networks each model has: a table of the models of the run."""
    config = record.config
    training, searched = config["training"], config.get("searched") or {}
    members = config["evaluation"]["members"] or training["members"]
    rows = []
    for name in training["models"]:
        # How many networks, or ensembles of trees, one member averages follows from the options of the plug-in.
        variant = (training.get("variants") or {}).get(name)
        plugin = registry.load_model_plugin(variant["model"] if variant else name)
        keys = {key: value for key, value in (variant or training.get(name) or {}).items() if key != "model"}
        options = plugin.Options.model_validate(keys)
        networks = getattr(options, "bags", plugin.capabilities(options).cost.streams)
        found_in = searched.get(name)
        where = (
            f"split of seed {found_in['seed']}, folds {', '.join(map(str, found_in['folds']))}" if found_in else "not recorded"
        )
        settings = found_in["settings"] if found_in else "–"
        rows.append([f"`{name}`", settings, where, networks, members])
    text = f"Settings and networks of each model; scores are of the split of seed {record.seed}:"
    head = ["model", "settings searched", "searched on", "networks or ensembles of trees per member", "members per fold"]
    return [text, markdown_table(head, rows)]


def driver_origins(record: Provenance) -> str:
    """Where the drivers at towers come from, as far as the columns of a table of towers tell."""
    table = (record.config.get("towers") or {}).get("table") or {}
    columns, monthly = table.get("columns") or {}, table.get("monthly") or {}
    if "table" not in ((record.config.get("towers") or {}).get("networks") or ()):
        return "inputs `tower` are the towers' own where their networks give them"
    dynamic = record.config["drivers"]["variables"]["dynamic"]
    origins = {name: _origin_of(name, columns.get(name), monthly.get(name)) for name in dynamic}
    parts = [f"{text}: {', '.join(n for n in origins if origins[n] == text)}" for text in dict.fromkeys(origins.values())]
    return f"inputs `tower` are those of the table of towers ({'; '.join(parts)})"


def _origin_of(name: str, column: str | None, monthly: str | None) -> str:
    if column is None:
        return "from place and date"
    source = "reanalysis" if column.upper().endswith(REANALYSIS) else "satellite composite" if name in SATELLITE else "tower"
    way = monthly or ("step" if column.startswith(MONTHLY) else None)
    return f"monthly {source} {WAYS[way]}" if way else source

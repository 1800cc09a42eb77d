"""Stage of the report of a run without grids: models side by side at held-out towers, as `scores.html` and `scores/`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import LEVEL
from tamrl.evaluation.report import budgets, contents, improvement, rivals, scores, stage, tables, texts
from tamrl.evaluation.report.material import Scored
from tamrl.evaluation.report.page import Note, Page, Section, Tile
from tamrl.evaluation.report.style import FLUX_LONG, FLUX_UNITS


def write_scores(
    *,
    predictions: str,
    metrics: str,
    calibration: str,
    scores: str,
    comparisons: str,
    reliability: str,
    dissimilarity: str,
    towers: str,
    quality: str,
    template: str,
    report: str,
    figures: str,
    title: str,
    run: str,
    step: str,
    map_model: str,
    qc: float,
    benchmarks: str,
    config_digest: str,
    code: str,
) -> None:
    """Write the report of a run without grids: one HTML file that needs nothing else, and its figures as PNG.

    Parameters
    ----------
    predictions ... quality, benchmarks : paths as in `docs/architecture.md`
    template, report, figures : paths of the page without its contents, and of the outputs
    map_model : the model whose rivals the others are

    Raises
    ------
    ContractError
        If a table breaks its contract.
    """
    found = stage.read_tables(predictions, metrics, calibration, towers, quality)
    found |= stage.read_comparisons(scores, comparisons, reliability, dissimilarity)
    m = Scored(title=title, run=run, step=step, map_model=map_model, qc=qc, **_measured(found))
    m.benchmarks = stage.read_benchmarks(Path(benchmarks))
    m.provenance = stage.described({}, config_digest, code)
    stage.write(page(m, date=f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC"), report, figures, template=Path(template))


def _measured(found: dict[str, Any]) -> dict[str, Any]:
    """Without grids all inputs are those of the towers: the column `split` says so, as it does where both kinds are scored."""
    tables_of = {
        k: v.assign(split=v["split"] + ":tower") for k, v in found.items() if isinstance(v, pd.DataFrame) and "split" in v
    }
    about = found["calibration"]
    return found | tables_of | {"calibration": about | {"split": f"{about['split']}:tower"}}


def page(m: Scored, *, date: str) -> Page:
    """The whole report."""
    models = m.metrics["model"].nunique()
    lead = texts.LEAD_SCORES.format(models=models, towers=m.metrics_of(m.split)["site"].nunique(), model=m.map_model)
    facts = [(name, value) for name, value in m.provenance.items() if "digest" in name or name == "revision"]
    sections = [models_section(m), towers_section(m), contents.uncertainty_section(m), quality_section(m)]
    sections += [contents.tables_section(m), contents.provenance_section(m)]
    return Page(m.title, m.run, date, lead, facts, tiles(m), sections)


def tiles(m: Scored) -> list[Tile]:
    """Error of the model with its interval, per flux, and the tested coverage."""
    ours = m.metrics_of(m.split)
    found = []
    for flux in FLUXES:
        values = ours.loc[(ours["flux"] == flux) & (ours["scale"] == m.step), "rmse"].to_numpy()
        middle, tail = (rivals.quantile(values, level).text() for level in (0.5, 0.9))
        detail = f"{m.map_model}; 90th percentile of towers {tail}"
        found.append(Tile(f"{FLUX_LONG[flux]}: median RMSE of a tower", middle, FLUX_UNITS, detail, flux))
    return [*found, contents.coverage_tile(m)]


def models_section(m: Scored) -> Section:
    """Models side by side."""
    metrics = m.metrics[m.metrics["split"] == m.split]
    about = {"step": m.step, "percent": 100 * LEVEL}
    gains = improvement.changes(m.comparisons, scale=m.step, map_model=m.map_model)
    differences = scores.differences(metrics, map_model=m.map_model)
    by_group = rivals.by_group(metrics, m.towers, scale=m.step, map_model=m.map_model)
    section = Section("models", "Models: errors at unseen towers")
    section.items += [
        contents.shown("model_errors", rivals.errors(metrics, scale=m.step, map_model=m.map_model), qc=m.qc, **about),
        contents.shown("tower_changes", gains, **about) if gains else Note(texts.NO_RIVAL),
        *([contents.shown("model_groups", by_group, least=rivals.LEAST, **about)] if by_group else []),
        contents.shown("tower_scales", scores.scales(metrics, map_model=m.map_model)),
        *([contents.shown("tower_differences", differences, **about)] if differences else []),
    ]
    return section


def towers_section(m: Scored) -> Section:
    """Every tower."""
    section = Section("towers", f"Towers: every one of them, by {m.map_model}")
    section.items += contents.tower_figures(m)
    return section


def quality_section(m: Scored) -> Section:
    """What the quality tests took away."""
    left_out = tables.dropped_towers(m.quality)
    section = Section("quality", "Quality: what was taken away from the tower records, and why")
    section.items += [
        contents.shown("quality", budgets.quality(m.quality)),
        left_out if left_out.rows else Note(texts.NONE_LEFT_OUT),
    ]
    return section

"""The atlas at 0.25°: how large a year of months is, and how soon and how smoothly Chromium draws it from disk."""

import shutil
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from global_land_mask import globe
from playwright.sync_api import Page, sync_playwright

from tamrl.atlas import layers, pack
from tamrl.atlas.about import about_page
from tamrl.atlas.bundle import build_site
from tamrl.atlas.cells import ShownCells
from tamrl.atlas.chunks import write_layer, write_script
from tamrl.atlas.stage import render_page
from tamrl.grid import Grid
from tamrl.sections.results import RunDescription
from tamrl.uncertainty.calibration import Calibration
from tests.benchmarks.rows import row

SITE = Path(__file__).parents[2] / "tamrl/atlas/site"
FLUX_LAYERS = 12
"""Mean, spread and both bounds of three fluxes."""

STEPS = """async count => {
  const slider = document.getElementById("month"), { dataset } = document.documentElement, times = [];
  for (let k = 0; k < count; k++) {
    const start = performance.now(), before = dataset.drawn;
    slider.value = String(1 + (k % 12));
    slider.dispatchEvent(new Event("input"));
    while (dataset.drawn === before) await new Promise(requestAnimationFrame);
    times.push(performance.now() - start);
  }
  return times;
}"""
"""Moves the slider month by month, each time until the map shows it."""


def run() -> list[dict[str, Any]]:
    """Ratios to the limits that users feel: 60 MB a year, 2 s to the first picture, 30 pictures a second."""
    grid = Grid(0.25)
    lat, lon = np.meshgrid(grid.lat, grid.lon, indexing="ij")
    cells = ShownCells(grid, globe.is_land(lat, lon) & (lat > -60))
    season = np.cos(2 * np.pi * (np.arange(12)[:, None] - 6) / 12) * np.sign(cells.pick(lat))
    rough = np.random.default_rng(1).normal(scale=0.05, size=(12, cells.total))
    field = (6 * np.cos(np.deg2rad(cells.pick(lat))) * (1 + 0.8 * season) + rough).astype("f4")
    with tempfile.TemporaryDirectory() as folder:
        atlas = _write(Path(folder) / "atlas", cells, field)
        size = sum(f.stat().st_size for f in (atlas / "data/2012").rglob("*.js")) * FLUX_LAYERS / 1e6
        first, step = _watch(atlas)
    return [
        row("atlas: fluxes of a year at 0.25° / 60 MB", size / 60, "of the limit", 1.0, below=True),
        row("atlas: first picture from disk / 2 s", first / 2, "of the limit", 1.0, below=True),
        row("atlas: a step of the slider / 33 ms", step / 33, "of the limit", 1.0, below=True),
    ]


def _write(atlas: Path, cells: ShownCells, field: np.ndarray) -> Path:
    """An atlas of one layer."""
    build_site(sources=[str(p) for p in sorted(SITE.glob("*.*"))], site=str(atlas.parent / "site"))
    shutil.copytree(atlas.parent / "site", atlas)
    layer = layers.flux_layer("gpp", "mean", quantum=0.004, limits=(0.0, 12.0), reference=None)
    write_layer(atlas / "data/2012", layer, field, cells)
    index = {"run": "bench", "title": "Bench", "step": "month", "labels": ["2012"], "model": "tamrl", "reference": None}
    index |= {"grid": {"resolution": 0.25, "rows": 720, "columns": 1440}, "blocks": cells.to_json(), "towers": []}
    index |= {
        "cells": pack.pack_bits(cells.shown),
        "layers": [asdict(layer)],
        "palettes": layers.palettes(),
        "fluxes": layers.flux_styles(),
    }
    index |= {"threshold": None, "maps": [], "credits": [], "classes": {}}
    identity = RunDescription(
        run="bench",
        config_digest="",
        title="Bench",
        step="month",
        labels=("2012",),
        map_model="tamrl",
        qc=0.8,
        reference=None,
        networks=(),
        choices=(),
    )
    index["about"] = about_page({}, Calibration(split=""), identity, code="")
    write_script(atlas / "data/index.js", "index", index)
    write_script(atlas / "data/regions.js", "regions", {"totals": {}, "kinds": {}, "outlines": {}, "area": {}})
    (atlas / "index.html").write_text(render_page(identity), encoding="utf-8")
    return atlas


def _watch(atlas: Path) -> tuple[float, float]:
    """Seconds to the first whole picture, and the median of the milliseconds a month takes."""
    with sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page: Page = browser.new_page(viewport={"width": 1400, "height": 860})
        page.goto(f"file://{atlas}/index.html")
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
        first = page.evaluate("Number(document.documentElement.dataset.first)") / 1000
        times = page.evaluate(STEPS, 36)
        browser.close()
    return first, statistics.median(times)

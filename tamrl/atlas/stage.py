"""Stage of the atlas: the folder `atlas/` with a page, its program and its data."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from tamrl import classes, contracts, files, simulated, stores
from tamrl.atlas import layers, pack
from tamrl.atlas.about import about_page
from tamrl.atlas.areas import reference_totals, regions_to_json
from tamrl.atlas.chunks import write_layer, write_script
from tamrl.atlas.fields import FluxMaps
from tamrl.atlas.stations import tower_index, tower_records
from tamrl.atlas.sums import write_sums
from tamrl.calendar import CLIMATOLOGY
from tamrl.carbon import FLUXES
from tamrl.grid import Grid
from tamrl.layout import File, RunLayout
from tamrl.maps.land import Land, class_shares, describe_land
from tamrl.report.results import Applicability
from tamrl.sections.results import RunDescription
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("site") / "index.html"
VISIBLE, CLOSEST = 300.0, 20.0
"""Degrees of longitude that a map shows at zoom 1 with a margin, and the largest zoom at which it opens."""

CREDITS = (File.CITATIONS, File.ACKNOWLEDGEMENTS)
"""Files about the data, which are copied into the folder."""


@stage
def build_atlas(
    *,
    folder: str,
    site: str,
    atlas: str,
    description: RunDescription,
    quantum: float,
    code: str,
    vegetated_only: bool = True,
    reference: Sequence[str] = (),
) -> None:
    """Write the folder of the atlas.

    Parameters
    ----------
    folder : folder of the run, with the paths of `tamrl.layout`
    site : the built program (`bundle.build_site`)
    quantum : fluxes are stored as whole multiples of it, gC m-2 d-1
    code : digest of the code, which the page states
    vegetated_only : whether land without vegetation carries no flux
    reference : files of all fluxes and labels, in the order of `carbon.FLUXES` and of the labels; empty without a reference

    Raises `ContractError` if the files do not belong together.
    """
    layout, both = RunLayout.at(folder), list(product(FLUXES, description.labels))
    maps = {(flux, label): layout(File.MAP, flux=flux, label=label) for flux, label in both}
    compared = dict(zip(both, reference, strict=True)) if reference else {}
    flux_maps = FluxMaps(description.labels, step=description.step, maps=maps, reference=compared)
    reference_name = description.reference if reference else None
    with files.atomic(atlas) as part:
        shutil.copytree(site, part, copy_function=_copy, ignore=shutil.ignore_patterns(*files.FOREIGN))
        for path in map(layout, CREDITS):
            _copy(path, part)
        data, area = part / "data", Applicability.read(layout(File.APPLICABILITY))
        shown = [
            *_write_fluxes(data, flux_maps, quantum, reference_name),
            *_write_static(data, flux_maps, layout, area, vegetated_only=vegetated_only),
            *_write_drivers(data, flux_maps, layout),
        ]
        towers = _write_towers(data, layout, description)
        regions = contracts.read_csv(layout(File.REGIONS), contracts.REGIONS)
        write_script(data / "regions.js", "regions", regions_to_json(regions, reference_totals(flux_maps, _land(layout))))
        page = about_page(flux_maps.attributes, Calibration.read(layout(File.CALIBRATION)), description, code=code)
        sums = write_sums(data, layout, flux_maps.labels, flux_maps.cells, quantum=quantum, vegetated_only=vegetated_only)
        sources = {"towers": towers, "threshold": area.threshold, "maps": sorted(Path(path).name for path in maps.values())}
        head = _headings(description, reference_name) | _appearance(flux_maps, shown)
        write_script(data / "index.js", "index", head | sources | {"about": page, "sums": sums, "beside": _beside(layout)})
        (part / "index.html").write_text(render_page(description), encoding="utf-8")
        size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    _log.info("%d layers, %d cells, %d towers, %.1f MB", len(shown), flux_maps.cells.total, len(towers), size / 1e6)


def render_page(description: RunDescription) -> str:
    """Return the page of the atlas, which reads its data from scripts beside it."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    world = simulated.STATEMENT if description.virtual else None
    return template.render(title=description.title, run=description.run, world=world)


def _headings(description: RunDescription, reference: str | None) -> dict[str, Any]:
    """Return the texts of the index about the run."""
    return {
        "run": description.run,
        "title": description.title,
        "step": description.step,
        "labels": description.labels,
        "model": description.map_model,
        "reference": reference,
        "credits": [Path(file).name for file in CREDITS],
        simulated.COLUMN: simulated.STATEMENT if description.virtual else None,
    }


def _beside(layout: RunLayout) -> list[str]:
    """Return the runs that lie beside this one and have an atlas."""
    folder = Path(layout.folder).absolute()
    others = (path.parents[2] for path in folder.parent.glob("*/atlas/data/index.js"))
    return sorted(path.name for path in others if path != folder)


def _appearance(maps: FluxMaps, shown: Sequence[layers.Layer]) -> dict[str, Any]:
    """Return grid, blocks and layers, with their colours and names."""
    grid = maps.cells.grid
    rows, columns = grid.globe.shape
    return {
        "grid": {"resolution": grid.resolution, "rows": rows, "columns": columns},
        "home": _home(grid) if grid.window else None,
        "blocks": maps.cells.to_json(),
        "cells": pack.pack_bits(grid.on_globe(maps.cells.shown, fill=False)),
        "layers": [asdict(layer) for layer in shown],
        "palettes": layers.palettes(),
        "fluxes": layers.flux_styles(),
        "classes": {"igbp": classes.IGBP, "koppen": classes.KOPPEN},
    }


def _home(grid: Grid) -> dict[str, float]:
    """Return the place and the zoom at which a window fills the map."""
    (lat, tall), (lon, wide) = (
        (float(axis[[0, -1]].mean()), float(np.ptp(axis)) + grid.resolution) for axis in (grid.lat, grid.lon)
    )
    zoom = VISIBLE / max(wide, 2 * tall)
    return {"lat": lat, "lon": lon, "zoom": round(min(CLOSEST, max(1.0, zoom)), 2)}


def _write_fluxes(data: Path, maps: FluxMaps, quantum: float, reference: str | None) -> Iterator[layers.Layer]:
    """Write scripts of every flux, quantity and label; yield each layer once."""
    for flux in FLUXES:
        made: dict[str, layers.Layer] = {}
        for label in maps.labels:
            for quantity, values in maps.monthly_fields(flux, label):
                if quantity not in made:
                    if quantity in ("mean", "std"):
                        limits = layers.flux_limits(values, centred=flux == "nee" and quantity == "mean")
                    else:
                        limits = made["mean"].low, made["mean"].high
                    made[quantity] = layers.flux_layer(flux, quantity, quantum=quantum, limits=limits, reference=reference)
                write_layer(data / label, made[quantity], values, maps.cells)
        yield from made.values()


def _write_static(
    data: Path, maps: FluxMaps, layout: RunLayout, area: Applicability, *, vegetated_only: bool
) -> Iterator[layers.Layer]:
    """Write scripts of constant fields: applicability, classes, and the static variables of the cube; yield each layer."""
    drivers = stores.open_cube(layout(File.CUBE))
    shown = layers.applicability_layers(area.threshold)
    fields = [
        (shown["applicability"], maps.cells.pick(area.inside.astype("f4"))),
        (shown["dissimilarity"], maps.cells.pick(area.dissimilarity.astype("f4"))),
    ]
    for name, kinds in (("igbp", classes.IGBP), ("koppen", classes.KOPPEN)):
        if f"{name}_fraction" in drivers:
            share = maps.cells.pick(class_shares(drivers, name, kinds))
            fields.append((layers.class_layer(name, kinds), layers.dominant(share)))
    if "igbp_fraction" in drivers:
        share = describe_land(drivers, vegetated_only=vegetated_only).share.astype("f4")
        fields.append((layers.vegetated_layer(), maps.cells.pick(share)))
    for name in [str(n) for n in drivers if drivers[n].dims == ("lat", "lon") and n != "land_fraction"]:
        layer, values = layers.driver_layer(name, maps.cells.pick(drivers[name].values)[None], maps.cells.lat)
        fields.append((layer, values[0]))
    for layer, values in fields:
        write_layer(data / "static", layer, values[None], maps.cells)
        yield layer


def _write_drivers(data: Path, maps: FluxMaps, layout: RunLayout) -> Iterator[layers.Layer]:
    """Write scripts of the monthly means of the variables of the cube in the mapped years; yield each layer once."""
    drivers = stores.open_cube(layout(File.CUBE))
    for name in [str(n) for n in drivers if "time" in drivers[n].dims]:
        first: layers.Layer | None = None
        for label in maps.labels:
            within = drivers[name] if label == CLIMATOLOGY else drivers[name].sel(time=label)
            layer, values = layers.driver_layer(name, layers.by_month(within, maps.cells.pick), maps.cells.lat)
            first = first or layer
            write_layer(data / label, first, values, maps.cells)
        if first:
            yield first


def _write_towers(data: Path, layout: RunLayout, description: RunDescription) -> list[dict[str, Any]]:
    """Write one script per tower with its records; return the index of towers."""
    path = layout(File.TOWER_PREDICTIONS)
    table = contracts.check_table(pd.read_parquet(files.verified(path)), contracts.PREDICTIONS, where=path)
    for site, content in tower_records(table, model=description.map_model):
        write_script(data / "towers" / f"{site}.js", f"towers/{site}", content)
    return tower_index(
        contracts.read_csv(layout(File.TOWERS), contracts.SITES),
        contracts.read_csv(layout(File.SITE_METRICS), contracts.METRICS),
        contracts.read_csv(layout(File.DISSIMILARITY), contracts.DISSIMILARITY),
        scale=description.step,
    )


def _land(layout: RunLayout) -> Land:
    """Return the land of the cube, all of which counts."""
    return describe_land(stores.open_cube(layout(File.CUBE)), vegetated_only=False)


def _copy(source: str, target: str | Path) -> None:
    """Copy a file after a check of its seal."""
    shutil.copy(files.verified(source), target)

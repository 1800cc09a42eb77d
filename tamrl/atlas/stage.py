"""Stage of the atlas: the folder `atlas/` with a page, its program and its data."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import xarray as xr

from tamrl import classes, contracts, files, simulated, stores
from tamrl.atlas import areas, layers, origin, pack, stations
from tamrl.atlas.chunks import put, put_layer
from tamrl.atlas.world import World
from tamrl.carbon import FLUXES
from tamrl.workflow import stage

LOG = logging.getLogger(__name__)


@stage
def build_atlas(
    *,
    maps: Sequence[str],
    applicability: str,
    cube: str,
    regions: str,
    predictions: str,
    metrics: str,
    calibration: str,
    dissimilarity: str,
    towers: str,
    credits: Sequence[str],
    site: str,
    atlas: str,
    about: dict[str, Any],
    code: str,
    template: str = str(Path(__file__).with_name("site") / "index.html"),
    reference: Sequence[str] = (),
    virtual: bool = False,
) -> None:
    """Write the folder of the atlas.

    Parameters
    ----------
    maps, reference : lists of paths
        `{flux}_{label}.nc` of all fluxes and labels; `reference` may be empty.
    applicability, cube, regions, predictions, metrics, calibration, dissimilarity, towers : paths
        As in `docs/architecture.md`.
    credits, site, template : paths
        Files about the data that go along, the built program (`bundle.build_site`), and the page without its title.
    atlas : path of the folder
    about : dict
        `title`, `run`, `labels`, `step`, `model` of the maps, name of the `reference`, `quantum` (gC m-2 d-1, fluxes are stored
        as whole multiples of it) and `config_digest`.
    virtual : whether the inputs of the run were simulated (`tamrl.simulated`); every view says so then

    Raises `ContractError` if the files do not fit together.
    """
    about = about | {"reference": about["reference"] if reference else None, "code": code, "virtual": virtual}
    said = simulated.STATEMENT if virtual else None
    world = World(about["labels"], maps=maps, reference=reference)
    with files.atomic(atlas) as part:
        shutil.copytree(site, part, copy_function=_copy, ignore=shutil.ignore_patterns(*files.FOREIGN))
        for path in credits:
            _copy(path, part)
        shown = _layers(part / "data", world, about, applicability, cube)
        places = _stations(part / "data", predictions, (towers, metrics, dissimilarity), about)
        put(part / "data/regions.js", "regions", areas.plain(contracts.read_csv(regions, contracts.REGIONS)))
        index = {name: about[name] for name in ("run", "title", "step", "labels", "model", "reference")} | _form(world, shown)
        index |= {"towers": places, "threshold": _threshold(applicability), "credits": [Path(p).name for p in credits]}
        index |= {"maps": sorted(Path(p).name for p in maps), simulated.COLUMN: said}
        index["about"] = origin.describe(world.attributes, files.read_json(calibration), about)
        put(part / "data/index.js", "index", index)
        fields = {"title": about["title"], "run": about["run"], "world": said}
        (part / "index.html").write_text(_page(Path(template), **fields), encoding="utf-8")
        size = sum(f.stat().st_size for f in part.rglob("*") if f.is_file())
    LOG.info("%d layers, %d cells, %d towers, %.1f MB", len(shown), world.cells.total, len(places), size / 1e6)


def _layers(data: Path, world: World, about: dict[str, Any], applicability: str, cube: str) -> list[layers.Layer]:
    """Scripts of everything that a map can show."""
    fluxes = _fluxes(data, world, about["quantum"], about["reference"])
    return [*fluxes, *_land(data, world, applicability, cube), *_drivers(data, world, cube)]


def _form(world: World, shown: list[layers.Layer]) -> dict[str, Any]:
    """Grid, blocks and layers, and how they look."""
    rows = world.cells.shown.shape[0]
    return {
        "grid": {"resolution": world.cells.grid.resolution, "rows": rows, "columns": 2 * rows},
        "blocks": world.cells.plain(),
        "cells": pack.pack_bits(world.cells.shown),
        "layers": [layer.plain() for layer in shown],
        "palettes": layers.palettes(),
        "fluxes": layers.names(),
        "classes": {"igbp": classes.IGBP, "koppen": classes.KOPPEN},
    }


def _fluxes(data: Path, world: World, quantum: float, reference: str | None) -> Iterator[layers.Layer]:
    """Scripts of every flux, quantity and label; yields each layer once."""
    for flux in FLUXES:
        made: dict[str, layers.Layer] = {}
        for label in world.labels:
            for quantity, values in world.fluxes(flux, label):
                if quantity not in made:
                    own = quantity in ("mean", "std")
                    limits = layers.flux_limits(values, centred=flux == "nee" and quantity == "mean") if own else None
                    limits = limits or (made["mean"].low, made["mean"].high)
                    made[quantity] = layers.flux(flux, quantity, quantum=quantum, limits=limits, reference=reference)
                put_layer(data / label, made[quantity], values, world.cells)
        yield from made.values()


def _land(data: Path, world: World, applicability: str, cube: str) -> Iterator[layers.Layer]:
    """What does not change: applicability, classes, and the statics of the cube."""
    drivers, found = stores.open_cube(cube), []
    with xr.open_dataset(files.verified(applicability)) as ds:
        for name, layer in layers.trust(_threshold(applicability)).items():
            found.append((layer, world.cells.pick(ds[name].values.astype("f4"))))
    for name, kinds in (("igbp", classes.IGBP), ("koppen", classes.KOPPEN)):
        if f"{name}_fraction" in drivers:
            order = [list(drivers[name].values).index(kind) for kind in kinds]
            share = drivers[f"{name}_fraction"].transpose(name, "lat", "lon").values[order]
            found.append((layers.of_classes(name, kinds), layers.dominant(world.cells.pick(share))))
    for name in [str(n) for n in drivers if drivers[n].dims == ("lat", "lon") and n != "land_fraction"]:
        layer, values = layers.driver(name, world.cells.pick(drivers[name].values)[None])
        found.append((layer, values[0]))
    for layer, values in found:
        put_layer(data / "static", layer, values[None], world.cells)
        yield layer


def _drivers(data: Path, world: World, cube: str) -> Iterator[layers.Layer]:
    """Monthly means of the cube's variables in the mapped years; yields each layer once."""
    drivers = stores.open_cube(cube)
    for name in [str(n) for n in drivers if "time" in drivers[n].dims]:
        made = None
        for label in world.labels:
            within = drivers[name] if label == "climatology" else drivers[name].sel(time=label)
            layer, values = layers.driver(name, layers.by_month(within, world.cells.pick))
            made = made or layer
            put_layer(data / label, made, values, world.cells)
        yield made


def _stations(data: Path, predictions: str, tables: tuple[str, str, str], about: dict[str, Any]) -> list[dict[str, Any]]:
    """A script a tower with its records; returns the index of towers."""
    schemas = (contracts.SITES, contracts.METRICS, contracts.DISSIMILARITY)
    sites, metrics, unlike = (contracts.read_csv(path, schema) for path, schema in zip(tables, schemas, strict=True))
    table = contracts.table(pd.read_parquet(files.verified(predictions)), contracts.PREDICTIONS, where=predictions)
    for site, content in stations.records(table, model=about["model"]):
        put(data / "towers" / f"{site}.js", f"towers/{site}", content)
    return stations.index(sites, metrics, unlike, scale=about["step"])


def _threshold(applicability: str) -> float | None:
    with xr.open_dataset(files.verified(applicability)) as ds:
        found = ds["dissimilarity"].attrs.get("threshold")
    return None if found is None else float(found)


def _copy(source: str, target: str | Path) -> None:
    """One more of a file that is as it was sealed."""
    shutil.copy(files.verified(source), target)


def _page(template: Path, **fields: str | None) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render({"world": None} | fields)

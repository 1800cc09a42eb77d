"""Stage of the report: opens the files of a run, sums the maps block by block, and writes `report.html` and `figures/`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import carbon, contracts, files, landmask, provenance, units
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.intake import border, isolated
from tamrl.log import progress
from tamrl.report.fields import FluxSums, Land
from tamrl.report.pages import contents, html
from tamrl.report.pages.tables import measured
from tamrl.report.projection import basemap
from tamrl.report.results import Material
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

logger = logging.getLogger(__name__)

BLOCK = 16_000_000
"""Bytes of one field read at once."""


@stage
def write_report(
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
    report: str,
    figures: str,
    title: str,
    run: str,
    labels: Sequence[str],
    step: str,
    map_model: str,
    qc: float,
    benchmarks: str,
    config_digest: str,
    code: str,
    maps: Sequence[str] = (),
    members: Sequence[str] = (),
    reference: Sequence[str] = (),
    reference_name: str | None = None,
    applicability: str | None = None,
    budgets: str | None = None,
    choices: Sequence[str] = (),
    records: str | None = None,
    sites: Sequence[str] = (),
    drivers: str | Sequence[str] = (),
    atlas: str | None = None,
    template: str = str(Path(__file__).with_name("templates") / "report.html"),
    virtual: bool = False,
) -> None:
    """Write the report of a run: one HTML file that needs nothing else, and its figures as PNG.

    Parameters
    ----------
    predictions ... quality, benchmarks : paths
        As in `docs/architecture.md`; of `benchmarks`, what is not there is not told.
    template, report, figures : paths of the page without its contents (`templates/report.html`), and of the outputs
    maps, members, reference, choices : lists of paths
        `{flux}_{label}.nc` of all fluxes and labels, of which the second and third may be empty; `budgets.csv` of each choice.
    applicability, budgets : paths, given with `maps`
    records, sites, drivers, atlas : `towers/towers.parquet`, each network's sites, `drivers/comparison.csv` and the atlas
    virtual : whether the inputs of the run were simulated (`tamrl.simulated`); the head of the page says so then
    """
    places = {"maps": maps, "members": members, "reference": reference}
    summed = _sum_maps(list(labels), places, step) if maps else {"base": basemap(_land(), Grid(1.0))}
    tables = _read_tables(predictions, metrics, calibration, towers, quality)
    tables |= _read_comparisons(scores, comparisons, reliability, dissimilarity, drivers)
    about = {"title": title, "run": run, "labels": list(labels), "step": step, "map_model": map_model, "qc": qc}
    tables |= _read_budgets(budgets, choices) | _read_mask(applicability) if budgets and applicability else _without_grids(tables)
    material = Material(**about, virtual=virtual, **summed, **tables, reference=reference_name if reference else None)
    material.benchmarks = _read_benchmarks(Path(benchmarks))
    material.records, material.every = _read_stations(records, sites)
    material.provenance = _provenance(material.provenance, config_digest, code)
    _write(replace(contents.page(material, date=_now()), atlas=atlas), report, figures, template=Path(template))


def _now() -> str:
    return f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC"


def _sum_maps(labels: list[str], places: dict[str, Sequence[str]], step: str) -> dict[str, Any]:
    """Sums of all fluxes, the map beneath them, and what the first file says of itself, as `Material` names them."""
    with xr.open_dataset(files.verified(places["maps"][0])) as first:
        grid, lat, fraction, attributes = (
            Grid.from_dataset(first),
            first["lat"].values,
            first["land_fraction"].values,
            dict(first.attrs),
        )
        land = Land.of(lat=lat, land_fraction=fraction, cell_area=first["cell_area"].values)
    fluxes = {flux: _sum_flux(flux, labels, places, land, step) for flux in FLUXES}
    shown = np.isfinite(fluxes["gpp"].mean.mean(land))
    base = basemap(fraction, grid, shown)
    licence = attributes.get("license", "")
    return {"fluxes": fluxes, "base": base, "resolution": grid.resolution, "licence": licence, "provenance": attributes}


def _read_mask(applicability: str) -> dict[str, Any]:
    with xr.open_dataset(files.verified(applicability), mask_and_scale=True) as ds:
        threshold = ds["dissimilarity"].attrs.get("threshold")
        found = {"dissimilarity": ds["dissimilarity"].values, "inside": ds["applicability"].values}
    return found | {"threshold": None if threshold is None else float(threshold)}


def _land() -> np.ndarray:
    """Share of land, (lat, lon) of one degree: what a run without grids draws its towers on."""
    with landmask.mask_file().open("rb") as handle:
        return landmask.land_share(handle, 1.0)


def _read_budgets(budgets: str, choices: Sequence[str]) -> dict[str, Any]:
    return {
        "budgets": contracts.read_csv(budgets, contracts.BUDGETS),
        "choices": {Path(path).parent.name: contracts.read_csv(path, contracts.BUDGETS) for path in choices},
    }


def _without_grids(tables: dict[str, Any]) -> dict[str, Any]:
    named = ("predictions", "metrics", "scores", "comparisons", "reliability")
    return {name: measured(tables[name]) for name in named} | {"calibration": tables["calibration"].measured()}


def _read_tables(predictions: str, metrics: str, calibration: str, towers: str, quality: str) -> dict[str, Any]:
    return {
        "predictions": contracts.check_table(
            pd.read_parquet(files.verified(predictions)), contracts.PREDICTIONS, where=predictions
        ),
        "metrics": contracts.read_csv(metrics, contracts.METRICS),
        "calibration": Calibration.read(calibration),
        "towers": contracts.read_csv(towers, contracts.SITES),
        "quality": contracts.read_csv(quality, contracts.QUALITY),
    }


def _read_stations(records: str | None, sites: Sequence[str]) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Records of the towers kept, and all towers of the networks; nothing where they are not given."""
    if not (records and sites):
        return None, None
    every = pd.concat([contracts.read_csv(path, contracts.SITES) for path in sites], ignore_index=True)
    return contracts.check_table(pd.read_parquet(files.verified(records)), contracts.TOWERS, where=records), every


def _read_comparisons(
    scores: str, comparisons: str, reliability: str, dissimilarity: str, drivers: str | Sequence[str]
) -> dict[str, pd.DataFrame | None]:
    return {
        "scores": contracts.read_csv(scores, contracts.SCORES),
        "comparisons": contracts.read_csv(comparisons, contracts.COMPARISONS),
        "reliability": contracts.read_csv(reliability, contracts.RELIABILITY),
        "unlike": contracts.read_csv(dissimilarity, contracts.DISSIMILARITY),
        "comparison": contracts.read_csv(drivers, contracts.COMPARISON) if isinstance(drivers, str) else None,
    }


def _sum_flux(flux: str, labels: list[str], places: dict[str, Sequence[str]], land: Land, step: str) -> FluxSums:
    """All sums of one flux over all labels."""
    found = {kind: [_pick(paths, flux, label) for label in labels] if paths else [] for kind, paths in places.items()}
    count = 0
    for path in found["members"][:1]:
        with xr.open_dataset(files.verified(path)) as ds:
            count = ds.sizes["member"]
    sums = FluxSums(land, step=step, members=count, reference=bool(found["reference"]))
    for k, path in enumerate(progress(found["maps"], f"summing {flux}")):
        _sum_map(sums, flux, path, found["reference"][k] if found["reference"] else None)
    for path in found["members"]:
        _sum_members(sums, flux, path)
    return sums


def _pick(paths: Sequence[str], flux: str, label: str) -> str:
    name = f"{flux}_{label}.nc"
    matches = [p for p in paths if Path(p).name == name]
    if len(matches) != 1:
        raise ContractError(f"there must be one file {name}", found=[Path(p).name for p in paths])
    return matches[0]


def _sum_map(sums: FluxSums, flux: str, path: str, reference: str | None) -> None:
    names = {"mean": flux, "std": f"{flux}_std", "q05": f"{flux}_q05", "q95": f"{flux}_q95"}
    with (
        xr.open_dataset(files.verified(path)) as ds,
        _foreign(files.verified(reference)) if reference else xr.Dataset() as truth,
    ):
        if lacking := [n for n in names.values() if n not in ds]:
            raise ContractError(f"the map lacks {', '.join(lacking)}", where=path, found=list(ds))
        if reference:
            _same_grid(ds, truth, reference)
        factor = _factor(ds[flux])
        for when in _blocks(ds[flux]):
            block = {name: ds[variable].isel(time=when).values * factor for name, variable in names.items()}
            if reference:
                block["truth"] = truth[flux].isel(time=when).values * _factor(truth[flux])
            sums.add(ds["time"].isel(time=when).values, block)


def _foreign(path: Path) -> xr.Dataset:
    """A product to compare with, which others may have written."""
    with border.reading("the reference cannot be read", where=path):
        return xr.decode_cf(isolated.open_netcdf(path, where=path))


def _sum_members(sums: FluxSums, flux: str, path: str) -> None:
    with xr.open_dataset(files.verified(path)) as ds:
        values = ds[flux].transpose("time", "member", "lat", "lon")
        factor = _factor(values)
        for when in _blocks(values):
            sums.add_members(ds["time"].isel(time=when).values, values.isel(time=when).values * factor)


def _factor(values: xr.DataArray) -> np.float32:
    """What turns the file's unit into gC m-2 d-1."""
    source = values.attrs.get("units", carbon.UNITS)
    source = carbon.CF_UNITS if source == carbon.UNITS else source
    return np.float32(units.convert(1.0, source=source, target=carbon.CF_UNITS))


def _blocks(values: xr.DataArray) -> Iterator[slice]:
    """Steps that are read together: whole chunks of the file, so that none is decompressed twice."""
    steps = max(1, BLOCK // (4 * values.isel(time=0).size))
    chunk = dict(zip(values.dims, values.encoding.get("chunksizes") or (), strict=False)).get("time", 1)
    steps = max(chunk, steps // chunk * chunk)
    for start in range(0, values.sizes["time"], steps):
        yield slice(start, min(start + steps, values.sizes["time"]))


def _same_grid(ds: xr.Dataset, truth: xr.Dataset, where: str) -> None:
    """Refuse a reference whose cells or steps are not those of the map (the year may differ, as for a climatology)."""
    same = all(ds.sizes[d] == truth.sizes.get(d) for d in ("time", "lat", "lon"))
    same = same and np.allclose(ds["lat"], truth["lat"]) and np.allclose(ds["lon"], truth["lon"])
    if not same or not all((getattr(ds["time"].dt, n) == getattr(truth["time"].dt, n).values).all() for n in ("month", "day")):
        raise ContractError(
            "the reference lies on another grid or time axis than the map",
            where=where,
            found=f"{dict(truth.sizes)}, the map has {dict(ds.sizes)}",
            todo="bring the reference onto the grid and the steps of the map, or set evaluation.reference to null",
        )


def _read_benchmarks(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Seconds and memory (MB) of the jobs of each rule; Snakemake writes a dash where a job was too short to measure."""
    found: dict[str, list[tuple[float, float]]] = {}
    for file in sorted(folder.rglob("*.tsv")):
        rule = file.relative_to(folder).parts[0].removesuffix(".tsv")
        with border.reading("not a benchmark of Snakemake", where=file, todo="delete it and run its rule again"):
            row = pd.read_csv(file, sep="\t", na_values=["-"]).iloc[0]
            found.setdefault(rule, []).append((float(row["s"]), float(row["max_rss"])))
    return found


def _provenance(attributes: dict[str, str], config_digest: str, code: str) -> dict[str, str]:
    """What the report tells of its making; digests of the maps as their files state them."""
    found = {"configuration digest": config_digest, "maps' code digest": str(attributes.get("code_digest", "not stated"))}
    found |= {"report's code digest": code, "revision": provenance.revision()}
    found["software of models and maps"] = "see made in provenance.json"
    return found | {f"report written with {name}": version for name, version in provenance.software().items()}


def _write(content: html.Page, report: str, figures: str, *, template: Path) -> None:
    pictures = [item for section in content.sections for item in section.items if isinstance(item, html.Picture)]
    with files.atomic(figures) as part:
        part.mkdir()
        for item in pictures:
            (part / f"{item.name}.png").write_bytes(item.png)
    with files.atomic(report) as part:
        part.write_text(html.render(content, template.read_text(encoding="utf-8")), encoding="utf-8")
    logger.info("%d figures, %.1f MB", len(pictures), Path(report).stat().st_size / 1e6)

"""`provenance.json`: what a run was made from, with what, and at what cost, so that it can be repeated and compared."""

import csv
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from tamrl import files, lineage, provenance, registry, simulated, stores
from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.workflow import stage

LOG = logging.getLogger(__name__)

PLUGINS = (
    ("towers", "networks", registry.NETWORKS),
    ("drivers", "sources", registry.SOURCES),
    ("training", "models", registry.MODELS),
)
"""Section and key of the configuration that name the plug-ins of a package."""


@stage
def record_provenance(
    *,
    inputs: list[str],
    outputs: list[str],
    record: str,
    config: dict[str, Any],
    config_digest: str,
    benchmarks: list[str],
    cube: str | None = None,
    raw: list[str] | None = None,
    threads: int = 1,
) -> None:
    """Write the record of a run.

    Parameters
    ----------
    inputs, outputs : list of paths
        Files whose SHA-256 is recorded: the towers' tables, and the products.
    record : path
        `provenance.json`.
    config : dict
        The whole configuration.
    config_digest : str
        Of the keys that shape numbers, as the maps carry it.
    benchmarks : list of paths
        Folders of Snakemake's benchmark tables: the run's, then those of its choices.
    cube : path
        `drivers/cube.zarr`: its manifest stands for its files and tells the sources' versions. A run without grids has none.
    raw : list of paths
        Files and folders that the tower networks were read from.
    threads : int
        Processes that read the products side by side.
    """
    products = _products(sorted(map(str, outputs)), threads)
    drivers = {"sha256": stores.digest(cube), **stores.manifest(cube)["about"]} if cube else None
    origins = made(Path(benchmarks[0]).parent, but=record)
    for text in (different := mixed(origins)):
        LOG.warning("%s", text)
    written = {
        "run": config["run"],
        **simulated.description(config["evaluation"]["title"] or config["run"], simulated.is_virtual(config)),
        "recorded": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "config": config,
        "config_digest": config_digest,
        "seed": config["seed"],
        "code": code(config),
        "lock": provenance.lock_digest(),
        "git_revision": provenance.revision(),
        "software": _software(origins),
        "made": origins,
        "mixed": different,
        "hardware": hardware(),
        "inputs": {"drivers": drivers, "towers": _checksums(inputs), "raw": _checksums(raw or [])},
        "outputs": {path: entry["file"] for path, entry in products.items()},
        "contents": {path: entry["content"] for path, entry in products.items() if not path.endswith(".html")},
        "rules": costs(benchmarks),
    }
    files.write_json(record, written)
    LOG.info("%d outputs, %d rules, %s", len(outputs), len(written["rules"]), written["git_revision"])


def made(run: Path, *, but: str | Path) -> dict[str, list[dict[str, Any]]]:
    """How the products in the folder of a run were made, as their seals say, by rule; tiles of maps are told apart as `tiles`.

    Each entry stands for products of the same `code`, `settings`, `seed`, `software` and `instructions`, with their number and
    the `first` and `last` time of writing. `but` is left out.
    """
    by_rule: dict[str, dict[str, dict[str, Any]]] = {}
    for path, origin in files.seals(run):
        if path == Path(but):
            continue
        when, rule = origin.pop("when", ""), origin.pop("rule", "")
        entries = by_rule.setdefault("tiles" if path.parent.suffix == ".tiles" else rule, {})
        entry = entries.setdefault(files.as_json(origin), origin | {"products": 0, "first": when, "last": when})
        entry |= {"products": entry["products"] + 1, "first": min(entry["first"], when), "last": max(entry["last"], when)}
    return {rule: list(entries.values()) for rule, entries in sorted(by_rule.items())}


def mixed(made: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Sentences on models and tiles that were made with different libraries or instruction sets, so that their bits differ."""
    sentences = []
    for rule, what in {"train_model": "models", "tiles": "tiles of maps"}.items():
        used = _versions(made.get(rule, []))
        several = [f"{name} {', '.join(sorted(used[name]))}" for name in lineage.COMPUTING if len(used.get(name, ())) > 1]
        sentences += [f"{what} were made with different libraries: {'; '.join(several)}"] if several else []
        sets = sorted({entry.get("instructions", "unknown") for entry in made.get(rule, [])})
        sentences += [f"{what} were made with different instruction sets: {'; '.join(sets)}"] if len(sets) > 1 else []
    return sentences


def _software(made: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Versions of Python, Snakemake and this package now, and every version of each library that made a product."""
    now = {name: version for name, version in provenance.software().items() if name not in lineage.LIBRARIES}
    used = _versions(entry for entries in made.values() for entry in entries)
    return now | {name: ", ".join(sorted(versions)) for name, versions in used.items()}


def _versions(entries: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Versions of each library in entries of `made`."""
    used: dict[str, set[str]] = {}
    for name, version in (pair for entry in entries for pair in entry.get("software", {}).items()):
        used.setdefault(name, set()).add(version)
    return used


def content(path: str | Path) -> str:
    """SHA-256 of what a product says: of NetCDF the names, shapes and numbers of all variables, else of the bytes.

    Two runs of the same code and inputs agree in it; their files differ in the time of writing.
    """
    path = Path(path)
    if path.suffix != ".nc":
        return files.sha256(path)
    digest = hashlib.sha256()
    with netCDF4.Dataset(files.verified(path)) as file:
        file.set_auto_maskandscale(False)
        for name, variable in sorted(file.variables.items()):
            digest.update(f"{name} {variable.dtype} {variable.dimensions} {variable.shape}".encode())
            for part in _parts(variable):
                digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _parts(variable: netCDF4.Variable, at: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    """A variable in order by whole chunks in time, so that nothing is unpacked twice and a year of the globe is never held."""
    if variable.ndim - len(at) < 3:
        yield np.asarray(variable[at or slice(None)])
        return
    chunks = variable.chunking()
    steps = chunks[len(at)] if isinstance(chunks, list) else 1  # else "contiguous"
    for start in range(0, variable.shape[len(at)], steps):
        if steps == 1:
            yield from _parts(variable, (*at, start))
        else:
            yield np.asarray(variable[(*at, slice(start, start + steps))])


def code(config: dict[str, Any]) -> dict[str, str]:
    """Digest of each stage's modules with all they import, and of the plug-ins that the configuration names."""
    root = Path(__file__).parents[1]
    modules = [".".join(stage.relative_to(root).with_suffix("").parts) for stage in sorted(root.glob("tamrl/**/stage.py"))]
    variants = {name: variant["model"] for name, variant in config["training"]["variants"].items()}
    modules += [f"{package}.{variants.get(name, name)}" for section, key, package in PLUGINS for name in config[section][key]]
    return {module: provenance.code_digest(module) for module in modules}


def hardware() -> dict[str, Any]:
    """Kind of processor and accelerator, cores and memory; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024**3, 1) if memory else None,
        "accelerators": _accelerators(),
    }


def costs(folders: list[str]) -> dict[str, dict[str, float | None]]:
    """Seconds, and peak memory in MiB where it was measured, of each job, from Snakemake's benchmark tables.

    Parameters
    ----------
    folders : list of paths
        `benchmarks/` of the run, and of its choices, whose jobs get the choice's name in front.

    Raises
    ------
    InputError
        If a table is not one of Snakemake's.
    """
    jobs, run = {}, Path(folders[0]).parent
    for file in sorted(file for folder in folders for file in Path(folder).rglob("*.tsv")):
        with open(file, encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        if not rows or not {"s", "max_rss"} <= rows[-1].keys():
            raise InputError("not a benchmark of Snakemake", where=file, found=rows[-1:], todo="delete it and run its rule again")
        name = "/".join(part for part in file.relative_to(run).with_suffix("").parts if part != "benchmarks")
        with border.reading("not a benchmark of Snakemake", where=file, todo="delete it and run its rule again"):
            jobs[name] = {"seconds": float(rows[-1]["s"]), "memory_mib": _number(rows[-1]["max_rss"])}
    return jobs


def _number(text: str) -> float | None:
    """Jobs of less than some seconds have `-` or `NA` for their memory."""
    return None if text.strip() in {"-", "NA", ""} else float(text)


def _checksums(paths: list[str]) -> dict[str, str]:
    return {str(path): files.sha256(path) for path in sorted(paths)}


def _products(paths: list[str], processes: int) -> dict[str, dict[str, str]]:
    """Checksums of each product; by processes, because netCDF4 is not safe in threads."""
    if processes == 1:
        return {path: _told(path) for path in paths}
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:  # others would run the workflow's script again
        return dict(zip(paths, pool.map(_told, paths), strict=True))


def _told(path: str) -> dict[str, str]:
    """Checksums of the bytes of a product and of what it says, which are read once where the two are the same."""
    digest = files.sha256(path)
    return {"file": digest, "content": content(path) if path.endswith(".nc") else digest}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _accelerators() -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    done = subprocess.run([tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

"""Stage that writes `provenance.json` (`tamrl.run_record`) when a run is finished."""

import csv
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from tamrl import files, lineage, provenance, simulated, stores
from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.run_record import Hardware, JobCost, ProductOrigin, Provenance, RecordedInputs
from tamrl.sections.plugins import PLUGINS
from tamrl.sections.run import Config
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def record_provenance(
    *,
    inputs: list[str],
    outputs: list[str],
    record: str,
    config: Config,
    config_digest: str,
    benchmarks: list[str],
    cube: str | None = None,
    raw: Sequence[str] = (),
    threads: int = 1,
) -> None:
    """Write the record of a run.

    Parameters
    ----------
    inputs, outputs : files whose SHA-256 is recorded: the towers' tables, and the products
    record : `provenance.json`
    config_digest : of the keys that shape numbers, as the maps carry it
    benchmarks : folders of Snakemake's benchmark tables: the run's, then those of its choices
    cube : path
        `drivers/cube.zarr`: its manifest stands for its files and names the sources' versions. A run without grids has none.
    raw : files and folders that the tower networks were read from
    threads : processes that read the products side by side
    """
    products = _product_digests(sorted(outputs), threads)
    origins = product_origins(Path(benchmarks[0]).parent, leave_out=record)
    for sentence in (mixed := list(describe_mixtures(origins))):
        _log.warning("%s", sentence)
    drivers = {"sha256": stores.manifest_digest(cube), **stores.read_manifest(cube).origin} if cube else None
    written = Provenance(
        run=config.run,
        **simulated.description(config.evaluation.title or config.run, config.twin is not None),
        recorded=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        config=config.model_dump(mode="json"),
        config_digest=config_digest,
        seed=config.seed,
        code=stage_digests(config),
        lock=provenance.lock_digest(),
        git_revision=provenance.revision(),
        software=_software(origins),
        made=origins,
        mixed=tuple(mixed),
        hardware=describe_hardware(),
        inputs=RecordedInputs(drivers=drivers, towers=_checksums(inputs), raw=_checksums(raw)),
        outputs={path: file for path, (file, _) in products.items()},
        contents={path: content for path, (_, content) in products.items() if not path.endswith(".html")},
        rules=job_costs(benchmarks),
    )
    written.write(record)
    _log.info("%d outputs, %d jobs, %s", len(outputs), len(written.rules), written.git_revision)


def product_origins(run: Path, *, leave_out: str | Path) -> dict[str, tuple[ProductOrigin, ...]]:
    """Return the origins of the products of a run by rule, from their seals; tiles of maps are under `tiles`.

    Each `ProductOrigin` stands for products of the same code, settings, seed, software and instructions.
    """
    by_rule: dict[str, dict[str, list[tuple[str, dict[str, Any]]]]] = {}
    for path, origin in files.seals(run):
        if path != Path(leave_out):
            when, rule = origin.pop("when", ""), origin.pop("rule", "")
            kinds = by_rule.setdefault("tiles" if path.parent.suffix == ".tiles" else rule, {})
            kinds.setdefault(files.as_json(origin), []).append((when, origin))
    return {rule: tuple(map(_origin, kinds.values())) for rule, kinds in sorted(by_rule.items())}


def _origin(products: Sequence[tuple[str, dict[str, Any]]]) -> ProductOrigin:
    times = [when for when, _ in products]
    return ProductOrigin(**products[0][1], products=len(products), first=min(times), last=max(times))


def describe_mixtures(origins: Mapping[str, Sequence[ProductOrigin]]) -> Iterator[str]:
    """Describe models and tiles that were made with different libraries or instruction sets, so that their bits differ."""
    for rule, products in {"train_model": "models", "tiles": "tiles of maps"}.items():
        used = _versions(origins.get(rule, ()))
        if several := [f"{name} {', '.join(sorted(used[name]))}" for name in lineage.COMPUTING if len(used.get(name, ())) > 1]:
            yield f"{products} were made with different libraries: {'; '.join(several)}"
        if len(sets := sorted({origin.instructions for origin in origins.get(rule, ())})) > 1:
            yield f"{products} were made with different instruction sets: {'; '.join(sets)}"


def _software(origins: Mapping[str, Sequence[ProductOrigin]]) -> dict[str, str]:
    """Return the versions of Python, Snakemake and this package, and all versions of each library that made a product."""
    now = {name: version for name, version in provenance.software().items() if name not in lineage.LIBRARIES}
    used = _versions(origin for entries in origins.values() for origin in entries)
    return now | {name: ", ".join(sorted(versions)) for name, versions in used.items()}


def _versions(origins: Iterable[ProductOrigin]) -> dict[str, set[str]]:
    """Versions of each library."""
    used: dict[str, set[str]] = {}
    for name, version in (pair for origin in origins for pair in origin.software.items()):
        used.setdefault(name, set()).add(version)
    return used


def content_digest(path: str | Path) -> str:
    """Return the SHA-256 of the content of a product: names, shapes and values of all variables of NetCDF, else all bytes.

    It is equal for two runs of the same code and inputs, whose files differ in the time of writing.
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
                digest.update(_texts(part) if part.dtype.kind == "O" else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _texts(part: np.ndarray) -> bytes:
    """Return the texts of an array, each after its length; the bytes of the array itself are addresses in memory."""
    return b"".join(len(text).to_bytes(8, "big") + text for text in map(str.encode, part.ravel()))


def _parts(variable: "netCDF4.Variable[Any]", at: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    """Yield a variable in order by whole chunks in time, so that no chunk is unpacked twice and memory stays small."""
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


def stage_digests(config: Config) -> dict[str, str]:
    """Return the digest of each stage and of each plug-in of the configuration, with all modules that they import."""
    root = provenance.ROOT
    modules = [".".join(file.relative_to(root).with_suffix("").parts) for file in sorted(root.glob("tamrl/**/stage.py"))]
    for section, (key, package) in PLUGINS.items():
        names = getattr(getattr(config, section), key)
        modules += [f"{package}.{config.training.plugin(name) if section == 'training' else name}" for name in names]
    return {module: provenance.code_digest(module) for module in modules}


def describe_hardware() -> Hardware:
    """Kind of processor and accelerator, cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    return Hardware(
        machine=platform.machine(),
        system=platform.system(),
        processor=_processor(),
        cores=os.cpu_count(),
        memory_gib=round(memory / 1024**3, 1) if memory else None,
        accelerators=tuple(_accelerators()),
    )


def job_costs(folders: Sequence[str]) -> dict[str, JobCost]:
    """Read the cost of each job from Snakemake's benchmark tables below `folders`; raise `InputError` for other tables.

    The folders are `benchmarks/` of the run and of its choices, whose jobs get the name of the choice in front.
    """
    jobs: dict[str, JobCost] = {}
    run = Path(folders[0]).parent
    for file in sorted(file for folder in folders for file in Path(folder).rglob("*.tsv")):
        with open(file, encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        if not rows or not {"s", "max_rss"} <= rows[-1].keys():
            raise InputError("not a benchmark of Snakemake", where=file, found=rows[-1:], todo="delete it and run its rule again")
        parts = list(file.relative_to(run).with_suffix("").parts)
        rule = parts[parts.index("benchmarks") + 1]
        name = "/".join(part for part in parts if part != "benchmarks")
        with border.reading("not a benchmark of Snakemake", where=file, todo="delete it and run its rule again"):
            memory = rows[-1]["max_rss"].strip()
            unknown = memory in {"-", "NA", ""}  # of jobs of less than some seconds
            jobs[name] = JobCost(rule=rule, seconds=float(rows[-1]["s"]), memory_mib=None if unknown else float(memory))
    return jobs


def _checksums(paths: Iterable[str]) -> dict[str, str]:
    return {path: files.sha256(path) for path in sorted(paths)}


def _product_digests(paths: Sequence[str], processes: int) -> dict[str, tuple[str, str]]:
    """Return the checksums of each product, computed by processes, because netCDF4 is not safe in threads."""
    if processes == 1:
        return {path: _digests(path) for path in paths}
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:  # others would run the workflow's script again
        return dict(zip(paths, pool.map(_digests, paths), strict=True))


def _digests(path: str) -> tuple[str, str]:
    """Return the checksums of the bytes and of the content of a product; the file is read once if they are the same."""
    digest = files.sha256(path)
    return digest, content_digest(path) if path.endswith(".nc") else digest


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

"""Reading of a network whose towers come as one archive each: many at once, only what is new, bad ones set aside.

What an archive gave is kept in a folder of the tower, under a digest of the archive (name, size, time of change), the
options and the code that reads it: a run of 767 archives with one new one reads one. This is one job of the workflow, not
767, as starting Python and its libraries takes longer than reading an archive.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from tamrl import provenance
from tamrl.errors import InputError, TamrlError
from tamrl.files import atomic
from tamrl.log import progress
from tamrl.options import Strict
from tamrl.towers import columns, envelope, oneflux, records, sites

_log = logging.getLogger(__name__)

ASIDE = ("site", "file", "reason")
Tower = tuple[pd.DataFrame, dict[str, Any]]
"""Records of one tower and its row of the table of sites."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of every archive, and how to go about it."""

    step: records.Step
    partitioning: columns.Partitioning = "NT"
    ustar: columns.Ustar = "REF"
    strict: bool = True
    """Raise the first error, instead of setting the archive aside."""
    threads: int = 1
    store: Path | None = None
    """Folder in which what was read is kept; None keeps nothing."""

    @property
    def reading(self) -> records.Reading:
        """What plug-ins are asked to read."""
        return records.Reading(self.step, self.partitioning, self.ustar)


@dataclass(frozen=True)
class Kept:
    """An archive that was read: its tower's place, where its records lie, and what is known of them."""

    place: dict[str, Any]
    file: Path
    columns: tuple[str, ...]
    found: pd.DataFrame
    """Statistics of `envelope.find`."""

    def table(self) -> pd.DataFrame:
        """The records."""
        return pd.read_parquet(self.file)


def survey(
    plugin: ModuleType, paths: list[Path], options: Strict, wanted: Wanted, store: Path
) -> tuple[list[Kept], pd.DataFrame]:
    """Read every archive into `store` that is not there yet; memory holds those being read and no others.

    Returns
    -------
    The towers in the order of the archives, and the archives that were set aside (columns `ASIDE`).

    Raises
    ------
    TamrlError
        If nothing can be read, or, where `wanted.strict`, if any archive cannot.
    """
    found = plugin.archives(paths, options, step=wanted.step)
    one = partial(plugin.read_archive, paths=paths, options=options, how=wanted.reading)
    about = [plugin.__name__, options.model_dump(mode="json"), vars(wanted.reading), [_mark(p) for p in paths if p.is_file()]]
    about.append(provenance.code_digest(__name__, plugin.__name__))
    call = partial(_attempt, one=one, about=provenance.config_digest(about), strict=wanted.strict, store=store)
    with ThreadPoolExecutor(max(1, wanted.threads)) as pool:
        results = list(progress(pool.map(call, found), f"archives of {plugin.__name__.rsplit('.', 1)[-1]}", len(found)))
    good = [r for r in results if isinstance(r, Kept)]
    aside = pd.DataFrame([r for r in results if isinstance(r, dict)], columns=list(ASIDE), dtype=object)
    if not good:
        raise InputError("no archive can be read", where=paths[0], found=aside["reason"].iloc[0], todo="fetch them again")
    if len(aside):
        _log.warning("%d of %d archives set aside:\n%s", len(aside), len(found), aside.to_string(index=False))
    return good, aside


def read(
    plugin: ModuleType, paths: list[Path], options: Strict, wanted: Wanted
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Records and sites of a network as whole tables, and the archives that were set aside; raises as `survey` does."""
    if not hasattr(plugin, "archives"):
        return *plugin.read(paths, options, **vars(wanted.reading)), pd.DataFrame(columns=list(ASIDE))
    with kept_in(wanted.store) as store:
        good, aside = survey(plugin, paths, options, wanted, store)
        tables = [tower.table() for tower in good]
    return pd.concat(tables, ignore_index=True), sites.table(tower.place for tower in good), aside


@contextmanager
def kept_in(store: Path | None) -> Iterator[Path]:
    """The folder in which what was read is kept, or one that vanishes."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="tamrl-") as folder:
        yield Path(folder)


def _mark(path: Path) -> tuple[str, int, int]:
    """What changes when a file does; a file that is not there has no time."""
    if not path.exists():
        return path.name, 0, 0
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns


def _attempt(
    product: oneflux.Product, *, one: Callable[..., Tower], about: str, strict: bool, store: Path
) -> Kept | dict[str, str]:
    """What the archive gives, or why it was set aside."""
    try:
        # a folder a tower, so that looking for what no longer holds costs the same for the first and the last
        stem = store / product.site / provenance.config_digest([about, _mark(product.path)])
        if not stem.with_suffix(".json").is_file():  # written last, so that both files are there or none
            table, place = one(product)
            sites.check_places(sites.table([place]), where=product.path)
            _keep(stem, table, place)
        table = pd.read_parquet(stem.with_suffix(".parquet"))
        place = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        lat = sites.table([place]).set_index("site")["lat"].to_dict()
        return Kept(place, stem.with_suffix(".parquet"), tuple(table.columns), envelope.find(table, lat))
    except TamrlError as error:
        if strict:
            raise
        reason = "; ".join(str(part) for part in (error.asked, error.found) if part)
        return {"site": product.site, "file": product.path.name, "reason": " ".join(reason.split())[:300]}


def _keep(stem: Path, table: pd.DataFrame, place: Mapping[str, Any]) -> None:
    """Write both files in place of those of the same tower that no longer hold."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for old in stem.parent.iterdir():
        old.unlink(missing_ok=True)
    with atomic(stem.with_suffix(".parquet")) as part:
        table.to_parquet(part, index=False)
    plain = pd.DataFrame([place]).to_json(orient="records", double_precision=15)
    with atomic(stem.with_suffix(".json")) as part:
        part.write_text(json.dumps(json.loads(plain)[0]), encoding="utf-8")

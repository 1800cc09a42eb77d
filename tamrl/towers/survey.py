"""Reading of a network whose towers come as one archive each: many at once, only what is new, bad ones set aside.

Whatever an archive does to its reader, it is set aside with its reason and the others go on. What the machine refuses (no space,
too many open files) is no fault of an archive and stops the step.

What an archive gave is kept in a folder of the tower, under a digest of the archive (name, size, time of change), the
options and the code that reads it: a run of 767 archives with one new one reads one. This is one job of the workflow, not
767, as starting Python and its libraries takes longer than reading an archive.
"""

import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from tamrl import files, provenance
from tamrl.errors import ConfigError, InputError, MachineError, TamrlError
from tamrl.files import atomic
from tamrl.intake import border
from tamrl.log import progress
from tamrl.options import Strict
from tamrl.record_paths import portable
from tamrl.towers import sites
from tamrl.towers.quality import plausibility
from tamrl.towers.reader import columns, oneflux, records

_log = logging.getLogger(__name__)

ASIDE = ("site", "file", "reason")
_STEM = re.compile(r"^(?P<hub>[A-Za-z0-9]+)_.*?_(?P<first>\d{4})-(?P<last>\d{4})(?P<version>.*)\.(?:zip|csv)$")
HUBS = ("AMF", "ICOS", "ICOSETC", "TERN", "EUF", "JPF", "KOF", "CNF", "SAEON", "FLX")
"""Hubs by the prefix of their files: of two products of one tower that are otherwise alike, that of the first hub is taken."""
Tower = tuple[pd.DataFrame, dict[str, Any]]
"""Records of one tower and its row of the table of sites."""


@dataclass(frozen=True)
class SurveyPlan:
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
    def reading(self) -> records.RecordChoice:
        """What plug-ins are asked to read."""
        return records.RecordChoice(self.step, self.partitioning, self.ustar)


@dataclass(frozen=True)
class ReadTower:
    """An archive that was read: its tower's place, where its records lie, and what is known of them."""

    place: dict[str, Any]
    file: Path
    columns: tuple[str, ...]
    found: pd.DataFrame
    """Statistics of `plausibility.site_statistics`."""

    def table(self) -> pd.DataFrame:
        """The records."""
        return pd.read_parquet(files.verified(self.file))


def read_archives(
    plugin: ModuleType, paths: list[Path], options: Strict, wanted: SurveyPlan, store: Path
) -> tuple[list[ReadTower], pd.DataFrame]:
    """Read every archive into `store` that is not there yet; memory holds those being read and no others.

    Returns
    -------
    The towers in the order of the archives, and the archives that were set aside (columns `ASIDE`).

    Raises
    ------
    TamrlError
        If nothing can be read, or, where `wanted.strict`, if any archive cannot.
    """
    name = plugin.__name__.rsplit(".", 1)[-1]
    with border.reading(f"the archives of {name} cannot be listed", where=paths[0]):
        products = plugin.archives(paths, options, step=wanted.step)
        lost = [p for p in products if p.reason]
        choice = choose_products([p for p in products if not p.reason])
        shared, marks = _marks(paths, choice.taken)
    if lost and wanted.strict:
        raise InputError(lost[0].reason, where=lost[0].path, todo="leave it out, or set towers.strict: false")
    one = partial(plugin.read_archive, paths=paths, options=options, how=wanted.reading)
    reading = [plugin.__name__, options.model_dump(mode="json"), vars(wanted.reading), shared]
    reading.append(provenance.code_digest(__name__, plugin.__name__))
    call = partial(_attempt, one=one, about=provenance.config_digest(reading), marks=marks, strict=wanted.strict, store=store)
    with ThreadPoolExecutor(max(1, wanted.threads)) as pool:
        results = list(progress(pool.map(call, choice.taken), f"archives of {name}", len(choice.taken)))
    good = [r for r in results if isinstance(r, ReadTower)]
    rows = [r for r in results if isinstance(r, dict)] + [_aside(p, p.reason) for p in (*lost, *choice.others)]
    aside = pd.DataFrame(sorted(rows, key=lambda r: (r["site"], r["file"])), columns=list(ASIDE), dtype=object)
    if len(aside):
        _log.warning("%d of %d archives set aside:\n%s", len(aside), len(products), aside.to_string(index=False))
    if not good:
        raise InputError("no archive can be read", where=paths[0], found=_first(aside), todo="the log names the reason of each")
    return good, aside


def _first(aside: pd.DataFrame) -> str:
    return f"{len(aside)} set aside; the first, {aside['file'].iloc[0]}: {aside['reason'].iloc[0]}" if len(aside) else "none"


def _aside(product: oneflux.Product, reason: str) -> dict[str, str]:
    return {"site": product.site, "file": product.path.name, "reason": portable(" ".join(reason.split()))[:300]}


class ProductChoice(NamedTuple):
    """The product of each tower that is read, and the others of the same towers, with the reason."""

    taken: list[oneflux.Product]
    others: list[oneflux.Product]


def choose_products(products: Sequence[oneflux.Product]) -> ProductChoice:
    """One product a tower: what is there before what is not, then the newest version, the longer record, the first of `HUBS`.

    Names end in `_<first year>-<last year>_<version>`; what does not is older than all that does.
    """
    best: dict[str, oneflux.Product] = {}
    for product in products:
        best[product.site] = max(best.get(product.site, product), product, key=_rank)
    others = []
    for product in products:
        if product is not (taken := best[product.site]):
            _log.warning("%s: %s is taken, not %s", product.site, taken.path.name, product.path.name)
            reason = f"another product of this tower is taken, {taken.path.name}: newer, longer or of the first hub"
            others.append(replace(product, reason=reason))
    return ProductChoice([p for p in products if best[p.site] is p], others)


def _rank(product: oneflux.Product) -> tuple:
    match, here = _STEM.match(product.path.name), product.path.exists()
    if not match:
        return here, [], 0, -len(HUBS), product.path.name
    hub = HUBS.index(match["hub"]) if match["hub"] in HUBS else len(HUBS)
    version = [int(n) for n in re.findall(r"\d+", match["version"])]
    return here, version, int(match["last"]) - int(match["first"]), -hub, product.path.name


def read_tables(
    plugin: ModuleType, paths: list[Path], options: Strict, wanted: SurveyPlan
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Records and sites of a network as whole tables, and the archives that were set aside; raises as `read_archives` does."""
    if not hasattr(plugin, "archives"):
        with border.reading("the network cannot be read", where=paths[0]):
            return *plugin.read(paths, options, **vars(wanted.reading)), pd.DataFrame(columns=list(ASIDE))
    with store_folder(wanted.store) as store:
        good, aside = read_archives(plugin, paths, options, wanted, store)
        tables = [tower.table() for tower in good]
    return pd.concat(tables, ignore_index=True), sites.site_table(tower.place for tower in good), aside


@contextmanager
def store_folder(store: Path | None) -> Iterator[Path]:
    """The folder in which what was read is kept, or one that vanishes."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="tamrl-") as folder:
        yield Path(folder)


def _marks(paths: list[Path], products: list[oneflux.Product]) -> tuple[list, dict[str, list]]:
    """What changes when the input does: of what serves all towers, and of what is read of each tower.

    Beside the archives may lie tables of all towers (`_AA-Flx_` in their names) and files with one tower's id in their names.
    """
    archives = {p.path: _mark(p.path) for p in products}
    shared = [_mark(p) for p in paths if p.is_file()]
    marks: dict[str, list] = {p.site: [archives[p.path], list(p.listed)] for p in products}
    for file in (f for p in paths if p.is_dir() and p not in archives for f in sorted(p.glob("[!.]*"))):
        parts = file.name.split("_")
        if site := next((part for part in parts if part in marks and file not in archives), None):
            marks[site].append(_mark(file))
        elif "AA-Flx" in parts:
            shared.append(_mark(file))
    return shared, marks


def _mark(path: Path) -> tuple:
    """Name, size and time of a file, or of all files of a folder; a file that is not there has no time."""
    if path.is_dir():
        return path.name, [_mark(file) for file in sorted(path.rglob("*")) if file.is_file()]
    if not path.exists():
        return path.name, 0, 0
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns


def _attempt(
    product: oneflux.Product,
    *,
    one: Callable[..., Tower],
    about: str,
    marks: Mapping[str, list],
    strict: bool,
    store: Path,
) -> ReadTower | dict[str, str]:
    """What the archive gives, or why it was set aside.

    Raises
    ------
    TamrlError
        Where `strict`, if the archive cannot be read.
    MachineError, ConfigError
        Always: neither is the fault of an archive.
    """
    asked = "the archive cannot be read"
    try:
        # a folder a tower, so that looking for what no longer holds costs the same for the first and the last
        stem = store / product.site / provenance.config_digest([about, marks[product.site]])
        with border.reading(asked, where=product.path):
            if not (known := _known(stem)):
                table, place = one(product)
                sites.check_coordinates(sites.site_table([place]), where=product.path)
                known = _keep(stem, table, place)
            table, place = known
            lat = sites.site_table([place]).set_index("site")["lat"].to_dict()
            return ReadTower(place, stem.with_suffix(".parquet"), tuple(table.columns), plausibility.site_statistics(table, lat))
    except (MachineError, ConfigError):
        raise
    except TamrlError as error:
        if refusal := border.machine_fault(error, asked, where=product.path):
            raise refusal from error
        if strict:
            raise
        return _aside(product, "; ".join(str(part) for part in (error.asked, error.found) if part))


def _known(stem: Path) -> Tower | None:
    """What was kept of the archive; None if nothing was, or if it is damaged."""
    if not stem.with_suffix(".json").is_file():  # written last, so that both files are there or none
        return None
    try:
        with border.reading("what was kept is damaged", where=stem):
            if files.is_intact(stem.with_suffix(".parquet")) and files.is_intact(stem.with_suffix(".json")):
                return pd.read_parquet(files.verified(stem.with_suffix(".parquet"))), files.read_json(stem.with_suffix(".json"))
    except InputError as error:
        _log.info("%s", error)
    _log.warning("%s: what was kept is damaged, the archive is read again", stem)
    return None


def _keep(stem: Path, table: pd.DataFrame, place: Mapping[str, Any]) -> Tower:
    """Write both files in place of those of the same tower that no longer hold; returns what they hold.

    Raises `MachineError` if they cannot be written.
    """
    plain = json.loads(pd.DataFrame([place]).to_json(orient="records", double_precision=15))[0]
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for old in stem.parent.iterdir():
            old.unlink(missing_ok=True)
        with atomic(stem.with_suffix(".parquet")) as part:
            table.to_parquet(part, index=False)
        with atomic(stem.with_suffix(".json")) as part:
            part.write_text(json.dumps(plain), encoding="utf-8")
    except OSError as error:
        asked, todo = "what was read cannot be kept", "give the run a folder that can be written"
        refusal = MachineError(asked, where=stem.parent, found=error, todo=todo)
        raise border.machine_fault(error, asked, where=stem.parent) or refusal from error
    return pd.read_parquet(files.verified(stem.with_suffix(".parquet"))), plain

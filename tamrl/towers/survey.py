"""Read a network with one archive per tower: several at a time, only new ones; bad archives are set aside.

An archive that cannot be read is set aside with the reason, and reading continues. A fault of the machine (no space, too many
open files) is not the archive's and ends the step.

The records of each archive are an entry of the cache (`tamrl.cache`), so that a run with one new archive reads one. All
archives are one job of the workflow, as starting Python and its libraries takes longer than reading an archive.
"""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tamrl import files
from tamrl.alternatives import Kind
from tamrl.cache import Cache, Key
from tamrl.errors import ConfigError, InputError, MachineError, TamrlError
from tamrl.intake import border
from tamrl.log import progress
from tamrl.options import Strict
from tamrl.plugins import ArchiveNetwork, TowerNetwork, reads_archives, reads_table
from tamrl.record_paths import portable
from tamrl.towers.product import Product
from tamrl.towers.quality import plausibility
from tamrl.towers.reader import columns, records
from tamrl.towers.sites import Site, check_coordinates, table_of_sites

_log = logging.getLogger(__name__)

_STEM = re.compile(r"^(?P<hub>[A-Za-z0-9]+)_.*?_(?P<first>\d{4})-(?P<last>\d{4})(?P<version>.*)\.(?:zip|csv)$")
HUBS = ("AMF", "ICOS", "ICOSETC", "TERN", "EUF", "JPF", "KOF", "CNF", "SAEON", "FLX")
"""Hubs by the prefix of their files: of two products of one tower that are otherwise alike, that of the first hub is taken."""
_RECORDS, _SITE = "records.parquet", "site.json"
"""Files of an entry of the cache."""

Tower = tuple[pd.DataFrame, Site]
"""Records of one tower, and its site."""


@dataclass(frozen=True)
class SurveyPlan:
    """Choices of a survey of archives."""

    step: records.Step
    partitioning: columns.Partitioning = "NT"
    ustar: columns.Ustar = "REF"
    alternatives: tuple[Kind, ...] = ()
    strict: bool = True
    """Raise the first error, instead of setting the archive aside."""
    threads: int = 1
    """Archives read at once."""
    store: Path | None = None
    """Folder of the cache; None keeps nothing."""

    @property
    def choice(self) -> records.RecordChoice:
        """Return the choice of records that plug-ins read."""
        return records.RecordChoice(self.step, self.partitioning, self.ustar, self.alternatives)


@dataclass(frozen=True)
class ReadTower:
    """A tower whose archive was read."""

    site: Site
    file: Path
    """Its records (Parquet)."""
    columns: tuple[str, ...]
    statistics: pd.DataFrame
    """Result of `plausibility.site_statistics`."""

    def table(self) -> pd.DataFrame:
        """Read the records."""
        return pd.read_parquet(files.verified(self.file))


@dataclass(frozen=True)
class SetAside:
    """An archive that was not read, and the reason."""

    site: str
    file: str
    reason: str

    @classmethod
    def of(cls, product: Product, reason: str) -> "SetAside":
        """Return the record of a product; the reason is on one line, without local paths."""
        return cls(product.site, product.path.name, portable(" ".join(reason.split()))[:300])


ASIDE = tuple(field.name for field in fields(SetAside))


def read_archives(
    plugin: ArchiveNetwork[Product, records.RecordChoice, Site], paths: list[Path], options: Strict, plan: SurveyPlan, store: Path
) -> tuple[list[ReadTower], pd.DataFrame]:
    """Read every archive that `store` does not yet hold; memory only holds those being read.

    Parameters
    ----------
    plugin, paths, options : network, the result of its `inputs`, and its options
    plan, store : choices of the survey, and folder of the cache

    Returns the towers in the order of the archives, and the archives that were set aside (columns of `SetAside`).

    Raises `TamrlError` if nothing can be read or, if `plan.strict`, if any archive cannot be read.
    """
    name = plugin.__name__.rsplit(".", 1)[-1]
    with border.reading(f"the archives of {name} cannot be listed", where=paths[0]):
        products = plugin.archives(paths, options, step=plan.step)
        lost = [p for p in products if p.reason]
        choice = choose_products([p for p in products if not p.reason])
        inputs = _stamps(paths, choice.taken)
    if lost and plan.strict:
        raise InputError(lost[0].reason, where=lost[0].path, todo="leave it out, or set towers.strict: false")
    config = {"network": name, "options": options.model_dump(mode="json"), "choice": asdict(plan.choice)}
    key = Key.of(__name__, plugin.__name__, config=config)
    read = partial(plugin.read_archive, paths=paths, options=options, how=plan.choice)

    def attempt(product: Product) -> ReadTower | SetAside:
        return _attempt(product, read, Cache(store), replace(key, inputs=inputs[product.site]), strict=plan.strict)

    with ThreadPoolExecutor(max(1, plan.threads)) as pool:
        results = list(progress(pool.map(attempt, choice.taken), f"archives of {name}", len(choice.taken)))
    towers = [r for r in results if isinstance(r, ReadTower)]
    others = [r for r in results if isinstance(r, SetAside)] + [SetAside.of(p, p.reason) for p in (*lost, *choice.others)]
    rows = sorted((asdict(record) for record in others), key=lambda row: (row["site"], row["file"]))
    aside = pd.DataFrame(rows, columns=list(ASIDE), dtype=object)
    if len(aside):
        _log.warning("%d of %d archives set aside:\n%s", len(aside), len(products), aside.to_string(index=False))
    if not towers:
        first = aside.iloc[0] if len(aside) else None
        reason = "none" if first is None else f"{len(aside)} set aside; the first, {first['file']}: {first['reason']}"
        raise InputError("no archive can be read", where=paths[0], found=reason, todo="the log names the reason of each")
    return towers, aside


class ProductChoice(NamedTuple):
    """The product of each tower that is read, and the others of the same towers, with the reason."""

    taken: list[Product]
    others: list[Product]


def choose_products(products: Sequence[Product]) -> ProductChoice:
    """Choose one product per tower: existing files first, then by newest version, longest record and order of `HUBS`.

    Names end in `_<first year>-<last year>_<version>`; a product without this ending counts as the oldest.
    """
    best: dict[str, Product] = {}
    for product in products:
        best[product.site] = max(best.get(product.site, product), product, key=_rank)
    others = []
    for product in products:
        if product is not (taken := best[product.site]):
            _log.warning("%s: %s is taken, not %s", product.site, taken.path.name, product.path.name)
            reason = f"another product of this tower is taken, {taken.path.name}: newer, longer or of the first hub"
            others.append(replace(product, reason=reason))
    return ProductChoice([p for p in products if best[p.site] is p], others)


def _rank(product: Product) -> tuple[Any, ...]:
    match, exists = _STEM.match(product.path.name), product.path.exists()
    if not match:
        return exists, [], 0, -len(HUBS), product.path.name
    hub = HUBS.index(match["hub"]) if match["hub"] in HUBS else len(HUBS)
    version = [int(n) for n in re.findall(r"\d+", match["version"])]
    return exists, version, int(match["last"]) - int(match["first"]), -hub, product.path.name


def read_tables(
    plugin: TowerNetwork, paths: list[Path], options: Strict, plan: SurveyPlan
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read records and sites of a network as tables, and list the archives that were set aside.

    Parameters
    ----------
    plugin, paths, options, plan : as in `read_archives`, which also names the errors
    """
    if reads_table(plugin):
        with border.reading("the network cannot be read", where=paths[0]):
            choice = asdict(plan.choice)
            if not plugin.CAPABILITIES.alternatives:
                del choice["alternatives"]
            return *plugin.read(paths, options, **choice), pd.DataFrame(columns=list(ASIDE))
    assert reads_archives(plugin)
    with store_folder(plan.store) as store:
        towers, aside = read_archives(plugin, paths, options, plan, store)
        tables = [tower.table() for tower in towers]
    return pd.concat(tables, ignore_index=True), table_of_sites(tower.site for tower in towers), aside


@contextmanager
def store_folder(store: Path | None) -> Iterator[Path]:
    """Open the folder of the cache, or a temporary one."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="tamrl-") as folder:
        yield Path(folder)


def _stamps(paths: list[Path], products: list[Product]) -> dict[str, dict[str, Any]]:
    """Return the stamps of each tower's inputs: its product, files with its id in their names, and tables of all towers."""
    archives = {p.path for p in products}
    shared = [_stamp(p) for p in paths if p.is_file()]
    stamps: dict[str, dict[str, Any]] = {
        p.site: {"archive": _stamp(p.path), "listed": p.listed, "beside": [], "shared": shared} for p in products
    }
    for file in (f for p in paths if p.is_dir() and p not in archives for f in sorted(p.glob("[!.]*"))):
        parts = file.name.split("_")
        if site := next((part for part in parts if part in stamps and file not in archives), None):
            stamps[site]["beside"].append(_stamp(file))
        elif "AA-Flx" in parts:
            shared.append(_stamp(file))
    return stamps


def _stamp(path: Path) -> tuple[Any, ...]:
    """Return name, size and time of a file or of all files in a folder; an absent file has zeros."""
    if path.is_dir():
        return path.name, [_stamp(file) for file in sorted(path.rglob("*")) if file.is_file()]
    if not path.exists():
        return path.name, 0, 0
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns


def _attempt(product: Product, read: Callable[[Product], Tower], cache: Cache, key: Key, *, strict: bool) -> ReadTower | SetAside:
    """Return the tower of an archive, from the cache if possible, or the reason why the archive was set aside."""
    asked = "the archive cannot be read"
    try:
        with border.reading(asked, where=product.path):
            folder = cache.get(product.site, key) or _read_into(cache, key, product, read)
            table = pd.read_parquet(files.verified(folder / _RECORDS))
            site = Site.from_json(files.verified(folder / _SITE).read_text(encoding="utf-8"))
            lat = table_of_sites([site]).set_index("site")["lat"].to_dict()
            statistics = plausibility.site_statistics(table, lat)
            return ReadTower(site, folder / _RECORDS, tuple(table.columns), statistics)
    except (MachineError, ConfigError):
        raise
    except TamrlError as error:
        if refusal := border.machine_fault(error, asked, where=product.path):
            raise refusal from error
        if strict:
            raise
        return SetAside.of(product, "; ".join(str(part) for part in (error.asked, error.found) if part))


def _read_into(cache: Cache, key: Key, product: Product, read: Callable[[Product], Tower]) -> Path:
    """Read an archive and put its records and site into the cache; `MachineError` if they cannot be written."""
    table, site = read(product)
    check_coordinates(table_of_sites([site]), where=product.path)
    asked = "the records cannot be stored"
    try:
        with cache.put(product.site, key) as part:
            part.mkdir()
            table.to_parquet(part / _RECORDS, index=False)
            (part / _SITE).write_text(site.to_json(), encoding="utf-8")
    except OSError as error:
        refusal = MachineError(asked, where=cache.folder, found=error, todo="choose a folder with write permission")
        raise border.machine_fault(error, asked, where=cache.folder) or refusal from error
    return cache.path(product.site)

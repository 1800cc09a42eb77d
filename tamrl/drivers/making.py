"""Making the dynamic variables of a cube: those that can go on from the cube kept do, the others are made from all files."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tamrl.drivers import cube as cubes
from tamrl.drivers import kept as keeping
from tamrl.drivers import store
from tamrl.drivers.cells import Cells
from tamrl.drivers.opening import Opening
from tamrl.log import progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Making:
    """Variables to make and where each begins; where `starts` has None, with the first step.

    `keys` and `stamps` are what `tamrl.drivers.kept` records of them, empty where nothing is to be kept.
    """

    opening: Opening
    kept: Path | None
    starts: dict[str, keeping.Start | None]
    keys: dict[str, keeping.Record]
    stamps: dict[str, dict[str, list]]

    @classmethod
    def planned(
        cls, opening: Opening, names: tuple[str, ...], *, code: str, kept: Path | None, keeps: bool, checksums: bool
    ) -> "Making":
        """Decide where each variable begins.

        Parameters
        ----------
        kept : the store kept last
        keeps : whether the outcome is to be kept
        checksums : whether to read all files for theirs; else files of the same size and time count as the same
        """
        if not keeps:
            return cls(opening, None, dict.fromkeys(names), {}, {})
        needed = {source for name in names for source in keeping.needed(name, opening.sources)}
        paths = opening.listed(sorted(needed))
        stamps = {source: keeping.stamped(found, checksums=checksums) for source, found in paths.items()}
        land, options = opening.land_map(), {s: opening.options(s).model_dump(mode="json") for s in opening.sources}
        form = {"axis": opening.axis.start, "step": opening.axis.step, "resolution": opening.grid.resolution}
        keys = {name: keeping.key(name, drivers=opening.drivers, options=options, code=code, land=land, **form) for name in names}
        making = cls(opening, kept, {}, keys, stamps)
        before = keeping.records(kept)
        return replace(making, starts={name: making._start(name, before.get(name), paths) for name in names})

    def _start(self, name: str, before: keeping.Record | None, paths: dict[str, dict[str, Path]]) -> keeping.Start | None:
        if self.kept is None:
            return None
        try:
            found = keeping.start(
                before,
                key=self.keys[name],
                stamps=self._stamps(name),
                paths=paths,
                name=name,
                kept=self.kept,
                axis=self.opening.axis.start,
                summed=keeping.is_summed(name, self.opening.sources),
                opened=lambda only: self.opening.arrays((name,), only),
            )
        except keeping.Anew as why:
            log.info("%s is made from the whole record: %s", name, why)
            return None
        log.info("%s goes on from %s", name, found)
        return found

    def _stamps(self, name: str) -> dict[str, dict[str, list]]:
        return {s: self.stamps[s] for s in keeping.needed(name, self.opening.sources) if s in self.stamps}

    def write(self, part: Path, land: np.ndarray) -> tuple[dict[str, Any], dict[str, keeping.Record]]:
        """Write the variables into a store: manifest entries of files that were linked, and the records."""
        whole = self.opening.arrays(n for n, start in self.starts.items() if start is None or start.arrays is None)
        cells, known, records = self.opening.cells(whole), {}, {}
        for name, start in progress(list(self.starts.items()), "drivers"):
            own = cells if start is None or start.arrays is None else self.opening.cells(start.arrays)
            if start is None or self.kept is None:
                tally = store.write_dynamic(part, name, own, land)
            else:
                own.weights.update(start.weights)
                largest = keeping.records(self.kept)[name]["largest"]
                tally = store.extend(part, name, own, land, kept=self.kept, start=start.step, largest=largest)
                known |= store.linked(self.kept, name, start.step)
            if self.keys:
                records[name] = self._record(name, own, tally)
        return known, records

    def _record(self, name: str, cells: Cells, tally: cubes.Tally) -> keeping.Record:
        leaves = [leaf for names in keeping.needed(name, self.opening.sources).values() for leaf in names]
        arrays = {leaf: cells.arrays[leaf] for leaf in leaves}
        return keeping.record(self.keys[name], self._stamps(name), arrays, cells.weights, tally.largest)


def limited(threads: int) -> Any:
    """Zarr keeps to the threads of the job."""
    return zarr.config.set({"threading.max_workers": threads, "async.concurrency": threads})

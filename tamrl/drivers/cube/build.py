"""Make the dynamic variables of a cube: those that can go on from the kept cube do, the others are made from all files."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tamrl.drivers.cube import write
from tamrl.drivers.cube.access import SourceAccess
from tamrl.drivers.cube.append import (
    KeptCube,
    NotContinued,
    Record,
    Start,
    VariableInputs,
    stamp_files,
    variable_key,
)
from tamrl.drivers.cube.plan import is_summed, sources_of
from tamrl.log import progress
from tamrl.stores import StoredFile

_log = logging.getLogger(__name__)

Entries = dict[str, StoredFile]
"""Entries of a store's manifest by file."""


@dataclass(frozen=True)
class CubeJob:
    """Variables to make, and where each of them begins."""

    access: SourceAccess
    previous: KeptCube | None
    starts: dict[str, Start | None]
    """Where variables go on, None for those made from all files."""
    inputs: dict[str, VariableInputs]
    """What the records of the variables will name; empty where nothing is kept."""

    @classmethod
    def plan(
        cls, access: SourceAccess, names: tuple[str, ...], *, code: str, folder: str | Path | None, checksums: bool
    ) -> "CubeJob":
        """Decide where each variable begins.

        Parameters
        ----------
        code : digest of the code of the stage and the sources
        folder : where cubes are kept, or None
        checksums : whether to read all files for theirs; else files of the same size and time count as the same
        """
        if not folder:
            return cls(access, None, dict.fromkeys(names), {})
        previous = KeptCube.newest(folder)
        paths = access.listed_files(sorted({source for name in names for source in sources_of(name, access.sources)}))
        stamps = {source: stamp_files(listed, checksums=checksums) for source, listed in paths.items()}
        land_map = access.land_map()
        inputs = {}
        for name in names:
            key = variable_key(name, access, code=code, land_map=land_map)
            of_its_sources = {source: stamps[source] for source in sources_of(name, access.sources) if source in stamps}
            inputs[name] = VariableInputs(name, key, of_its_sources, paths, is_summed(name, access.sources))
        return cls(access, previous, {name: _start(inputs[name], access, previous) for name in names}, inputs)

    def write(self, part: Path, land: np.ndarray) -> tuple[Entries, dict[str, Record]]:
        """Write the variables into a store, over the cells where `land` (lat, lon) is true.

        Return the manifest entries of the files that were linked from the kept cube, and the records.
        """
        all_files = [name for name, start in self.starts.items() if start is None or start.arrays is None]
        shared, entries, records = self.access.fields(self.access.arrays(all_files)), Entries(), {}
        for name, start in progress(list(self.starts.items()), "drivers"):
            maker = shared
            if start and start.arrays is not None:
                maker = self.access.fields(start.arrays)
            maker.weights.update(start.weights if start else {})
            writer = write.VariableWriter(part, name, maker.field(name), self.access.axis, self.access.grid, land)
            if start and self.previous:
                tally = writer.extend(self.previous.store, start.step, start.largest)
                entries |= write.linked_entries(self.previous.store, name, start.step)
            else:
                tally = writer.write()
            if self.inputs:
                leaves = [leaf for names in sources_of(name, self.access.sources).values() for leaf in names]
                arrays = {leaf: maker.arrays[leaf] for leaf in leaves}
                records[name] = self.inputs[name].record(arrays, maker.weights, tally.largest)
        return entries, records


def _start(inputs: VariableInputs, access: SourceAccess, previous: KeptCube | None) -> Start | None:
    """Where a variable goes on, or None; the log says why."""
    if previous is None:
        return None
    try:
        start = previous.start(inputs, access.axis, lambda only: access.arrays((inputs.name,), only))
    except NotContinued as reason:
        _log.info("%s is made from the whole record: %s", inputs.name, reason)
        return None
    _log.info("%s goes on from %s", inputs.name, start)
    return start


def limited_threads(threads: int) -> Any:
    """Context in which Zarr keeps to the threads of the job."""
    return zarr.config.set({"threading.max_workers": threads, "async.concurrency": threads})

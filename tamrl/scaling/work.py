"""What one job of each rule does: work, memory, and bytes read and written, as functions of the sizes of a run.

`units` are those in which time grows (cell-steps, tower-steps); memory is in bytes that a job holds. `fit` finds the seconds a
unit and how many times those bytes are held.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tamrl.scaling.size import Size

Amount = Callable[[Size], float]

PACKED = 0.6
"""Size of compressed float32 on disk."""

LIKE = {"build_driver": "build_cube"}
"""Rules that take the rates of another one."""

FEW = 4
"""Threads up to which the tiles of a map are threads (`inference.processes.THREADS`)."""

NETWORK, TREE = "train_model", "train_model/trees"


@dataclass(frozen=True)
class Work:
    """One rule.

    Attributes
    ----------
    stage : position in the chain; rules of one stage run side by side
    jobs : how many
    units : that the seconds of one job grow with
    memory : bytes of the arrays that one job holds at once
    reads, writes : bytes of one job
    threads : that one job can use
    process : MiB that each thread takes for itself where a job has so many that they are processes
    """

    stage: int
    jobs: Amount
    units: Amount
    memory: Amount
    reads: Amount = lambda s: 0.0
    writes: Amount = lambda s: 0.0
    threads: int = 1
    process: float = 0.0


def _one(size: Size) -> float:
    """A single job."""
    return 1


def _twin(size: Size) -> float:
    """A single job where the world is virtual."""
    return float(size.twin)


def _field(size: Size) -> float:
    """Bytes of one step of one variable."""
    return size.cells * 4.0


def _cell_steps(size: Size) -> float:
    return size.cells * size.steps


def _year(size: Size) -> float:
    """Bytes of at most a year of one variable."""
    return _field(size) * min(size.steps, size.map_steps)


def _tower_steps(size: Size) -> float:
    return size.towers * size.steps


def _table(size: Size) -> float:
    """Bytes of the drivers and fluxes of all towers."""
    return _tower_steps(size) * (size.variables + 6) * 8


def _tiles(size: Size) -> float:
    """Bytes of the drivers and members of the tiles that one job has at hand."""
    drivers = (size.map_steps + size.spinup) * size.variables
    return 8 * size.tile**2 * 4 * (drivers + 2 * size.members * size.map_steps)


def _slab(layers: Amount) -> Amount:
    """Bytes of the steps of a map that are made at once, and of the members behind a band of them (tamrl/maps/blocks.py)."""

    def amount(size: Size) -> float:
        """At most two GiB of result."""
        result = min(size.map_steps * _field(size) * layers(size), 2 * 1024**3)
        return result * (1 + 2 * size.strip * size.members / layers(size))

    return amount


def _band(size: Size) -> float:
    """Bytes of two fluxes of all members over a year, in a band of rows."""
    return 2 * size.strip * _field(size) * size.map_steps * size.members


def _cube(size: Size) -> float:
    """Bytes of the cube on disk."""
    return size.land * size.steps * size.variables * 4 * PACKED


def _driver(size: Size) -> float:
    """Bytes of one variable of the cube on disk."""
    return _cube(size) / size.variables


def _whole(size: Size) -> float:
    """Bytes that the cube adds to those of its parts, which it links."""
    return 0.0 if size.apart else _cube(size)


def _store(size: Size) -> float:
    """Bytes of the predictions of one label on disk."""
    return size.land * size.map_steps * size.members * 2 * 4 * PACKED


def _map_cells(size: Size) -> float:
    """Cell-steps of one map over all members."""
    return size.land * size.map_steps * size.members


def _forward(size: Size) -> float:
    """Cell-steps that the members walk for one label, weighted with the work of a step."""
    return size.land * (size.map_steps + size.spinup) * size.members * size.depth


def _maps(size: Size) -> float:
    return 3 * size.labels


def _held(size: Size) -> float:
    """Trainings of one model that is scored at held-out towers."""
    return size.folds * size.held_members


def _models(size: Size) -> float:
    return size.network_models + size.tree_models


def _networks(size: Size) -> float:
    return size.network_models * _held(size) + size.members


def _all_maps(size: Size) -> float:
    return _map_cells(size) * size.labels


def _lead_in(size: Size) -> float:
    """Bytes of the drivers of one label with the steps before it."""
    return size.land * (size.map_steps + size.spinup) * size.variables * 4 * PACKED


def _map_bytes(layers: Amount) -> Amount:
    return lambda s: s.land * s.map_steps * 4 * layers(s) * PACKED


RULES: dict[str, Work] = {
    "simulate_world": Work(0, _twin, _cell_steps, _field),
    "write_archives": Work(1, _twin, _tower_steps, _table),
    "write_era5": Work(1, _twin, _cell_steps, _year, writes=_cube),
    "write_modis": Work(1, _twin, _cell_steps, _field),
    "write_static": Work(1, _twin, lambda s: s.cells, _field),
    "write_truth": Work(1, _twin, _cell_steps, _year),
    "read_network": Work(2, lambda s: s.networks_read, _tower_steps, _table, threads=16),
    "build_driver": Work(2, lambda s: s.apart * s.variables, _cell_steps, _year, reads=_driver, writes=_driver, threads=8),
    "build_cube": Work(
        2, _one, lambda s: _cell_steps(s) * s.variables * (not s.apart), _year, reads=_cube, writes=_whole, threads=8
    ),
    "harmonise_towers": Work(3, _one, _tower_steps, _table),
    "collocate_drivers": Work(4, _one, _tower_steps, _table),
    "compare_drivers": Work(5, _one, _tower_steps, _table),
    "build_samples": Work(5, _one, _tower_steps, _table),
    NETWORK: Work(6, _networks, lambda s: s.samples * s.depth, _table),
    TREE: Work(6, lambda s: s.tree_models * _held(s), lambda s: s.trees * min(_tower_steps(s), 100_000), _table),
    "assess_applicability": Work(6, _one, _cell_steps, _field, reads=_cube),
    "assess_towers": Work(6, _one, _tower_steps, _table),
    "predict_towers": Work(7, _models, lambda s: _tower_steps(s) * s.held_members, _table),
    "predict_tiles": Work(7, lambda s: s.labels, _forward, _tiles, reads=_lead_in, writes=_store, threads=32, process=450),
    "evaluate_models": Work(8, _one, lambda s: _tower_steps(s) * _models(s), lambda s: _table(s) * _models(s)),
    "write_map": Work(9, _maps, _map_cells, _slab(lambda s: 5), reads=_store, writes=_map_bytes(lambda s: 5)),
    "write_members": Work(9, _maps, _map_cells, _slab(lambda s: s.members), reads=_store, writes=_map_bytes(lambda s: s.members)),
    "sum_budgets": Work(9, _one, _all_maps, _band, reads=lambda s: _store(s) * s.labels),
    "write_report": Work(10, _one, _all_maps, _field, reads=_store),
    "record_provenance": Work(11, _one, _all_maps, lambda s: 1.0, threads=8),
}
"""Every rule that is worth counting, in the order of the chain. The rest take seconds."""

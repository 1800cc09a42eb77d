"""Work, memory, and bytes read and written of one job of each rule, as functions of the sizes of a run.

Time grows with `units` (cell-steps, tower-steps). Memory is the bytes that a job holds. `fit` finds the seconds per unit and the
number of times that those bytes are held.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tamrl.costs.size import RunSize

Amount = Callable[[RunSize], float]

PACKED = 0.6
"""Size of compressed float32 on disk."""

LIKE = {
    "build_driver": "build_cube",
    "describe_driver": "assess_applicability",
    "sum_year": "sum_budgets",
    "sum_maps": "write_report",
}
"""Rules with the rates of another rule."""

FEW = 4
"""Threads up to which the tiles of a map are threads (`inference.executors.processes.THREADS`)."""

NETWORK, TREE = "train_model", "train_model/trees"


@dataclass(frozen=True)
class Work:
    """The jobs of a rule."""

    stage: int
    """Position in the chain; rules of a stage run at the same time."""
    jobs: Amount
    """Number of jobs."""
    units: Amount
    """Work, with which the seconds of one job grow."""
    memory: Amount
    """Bytes of the arrays that one job holds at once."""
    reads: Amount = lambda s: 0.0
    writes: Amount = lambda s: 0.0
    """Bytes that one job reads (`reads`) and writes."""
    streams: int = 1
    """Files that one job reads at once."""
    threads: int = 1
    """Threads that one job can use."""
    process: float = 0.0
    """MiB of each thread of a job with more than `FEW`, whose threads are processes."""


def _single(size: RunSize) -> float:
    return 1


def _twin(size: RunSize) -> float:
    return float(size.twin)


def _field(size: RunSize) -> float:
    """Bytes of one step of one variable."""
    return size.cells * 4.0


def _map_field(size: RunSize) -> float:
    """Bytes of one step of one variable in the mapped window."""
    return _field(size) * size.mapped


def _map_land(size: RunSize) -> float:
    """Cells with land that are mapped."""
    return size.land * size.mapped


def _cell_steps(size: RunSize) -> float:
    return size.cells * size.steps


def _year(size: RunSize) -> float:
    """Bytes of at most a year of one variable."""
    return _field(size) * min(size.steps, size.map_steps)


def _tower_steps(size: RunSize) -> float:
    return size.towers * size.steps


def _table(size: RunSize) -> float:
    """Bytes of the drivers and fluxes of all towers."""
    return _tower_steps(size) * (size.variables + 6) * 8


def _tiles(size: RunSize) -> float:
    """Bytes of the drivers and members of the tiles that one job holds."""
    drivers = (size.map_steps + size.spinup) * size.variables
    return 8 * size.tile**2 * 4 * (drivers + 2 * size.members * size.map_steps)


def _slab(layers: Amount) -> Amount:
    """Bytes of the steps of a map that are made at once, and of the members behind a band of them (tamrl/maps/blocks.py)."""

    def amount(size: RunSize) -> float:
        result = min(size.map_steps * _map_field(size) * layers(size), 2 * 1024**3)
        return result * (1 + 2 * size.strip * size.members / layers(size))

    return amount


def _band(size: RunSize) -> float:
    """Bytes of two fluxes of all members over a year, in a band of rows."""
    return 2 * size.strip * _map_field(size) * size.map_steps * size.members


def _only_band(size: RunSize) -> float:
    return _band(size) if size.labels == 1 else 0.0


def bytes_of_cube(size: RunSize) -> float:
    """Bytes of the cube on disk."""
    return size.land * size.steps * size.variables * 4 * PACKED


def _driver(size: RunSize) -> float:
    """Bytes of one variable of the cube on disk."""
    return bytes_of_cube(size) / size.variables


def _seasons(size: RunSize) -> float:
    """Bytes of mean and amplitude of each driver."""
    return size.cells * size.variables * 2 * 8.0


def _store(size: RunSize) -> float:
    """Bytes of the predictions of one label on disk."""
    return _map_land(size) * size.map_steps * size.members * 2 * 4 * PACKED


def _map_cells(size: RunSize) -> float:
    """Cell-steps of one map over all members."""
    return _map_land(size) * size.map_steps * size.members


def _forward(size: RunSize) -> float:
    """Cell-steps of all members for one label, weighted with the work of a step."""
    return _map_land(size) * (size.map_steps + size.spinup) * size.members * size.depth


def _maps(size: RunSize) -> float:
    return 3 * size.labels


def _held(size: RunSize) -> float:
    """Trainings of one model that is scored at held-out towers."""
    return size.folds * size.held_members


def _models(size: RunSize) -> float:
    return size.network_models + size.tree_models


def _all_maps(size: RunSize) -> float:
    return _map_cells(size) * size.labels


def _only_map(size: RunSize) -> float:
    """Work on all maps of a run with one label; with several each label is a job of another rule."""
    return _map_cells(size) if size.labels == 1 else 0.0


def _many(size: RunSize) -> float:
    """Jobs of a rule with one a label, where there are several."""
    return size.labels if size.labels > 1 else 0


def _map_sums(size: RunSize) -> float:
    """Bytes of the sums of three fluxes of a label, by cell: of mean, spread and members, each with its weight."""
    return 3 * _map_land(size) * (size.members + 2) * 2 * 8.0


def _lead_in(size: RunSize) -> float:
    """Bytes of the drivers of one label with the steps before it."""
    return _map_land(size) * (size.map_steps + size.spinup) * size.variables * 4 * PACKED


def _map_bytes(layers: Amount) -> Amount:
    return lambda s: _map_land(s) * s.map_steps * 4 * layers(s) * PACKED


def bytes_of_products(size: RunSize) -> float:
    """Bytes of predictions, maps and their members on disk."""
    predictions = size.labels * _store(size)
    return predictions + _maps(size) * (_map_bytes(lambda s: 5)(size) + _map_bytes(lambda s: s.members)(size))


def _read_maps(size: RunSize) -> float:
    """Bytes of the maps of a label with their members."""
    return 3 * _map_bytes(lambda s: 5 + s.members)(size)


RULES: dict[str, Work] = {
    "simulate_world": Work(0, _twin, _cell_steps, _field),
    "write_archives": Work(1, _twin, _tower_steps, _table),
    "write_era5": Work(1, _twin, _cell_steps, _year, writes=bytes_of_cube),
    "write_modis": Work(1, _twin, _cell_steps, _field),
    "write_static": Work(1, _twin, lambda s: s.cells, _field),
    "write_truth": Work(1, _twin, _cell_steps, _year),
    "read_network": Work(2, lambda s: s.networks_read, _tower_steps, _table, threads=16),
    "build_driver": Work(
        2,
        lambda s: s.variable_jobs * s.variables,
        _cell_steps,
        _year,
        reads=lambda s: s.source_bytes / s.variables,
        writes=_driver,
        threads=8,
    ),
    "build_cube": Work(
        2,
        _single,
        lambda s: _cell_steps(s) * s.variables * (not s.variable_jobs),
        _year,
        reads=lambda s: s.source_bytes,  # for the checksums of all files
        writes=lambda s: 0.0 if s.variable_jobs else bytes_of_cube(s),  # parts are linked
        streams=8,
        threads=8,
    ),
    "harmonise_towers": Work(3, _single, _tower_steps, _table),
    "collocate_drivers": Work(4, _single, _tower_steps, _table),
    "compare_drivers": Work(5, _single, _tower_steps, _table),
    "build_samples": Work(5, _single, _tower_steps, _table),
    NETWORK: Work(6, lambda s: s.network_models * _held(s) + s.members, lambda s: s.samples * s.depth, _table),
    TREE: Work(6, lambda s: s.tree_models * _held(s), lambda s: s.trees * min(_tower_steps(s), 100_000), _table),
    "describe_driver": Work(
        5,
        lambda s: s.variable_jobs * s.variables,
        lambda s: _cell_steps(s) * s.mapped / s.variables,
        _map_field,
        reads=lambda s: _driver(s) * s.mapped,
        threads=8,
    ),
    "assess_applicability": Work(
        6,
        _single,
        lambda s: _cell_steps(s) * s.mapped * (not s.variable_jobs),
        _map_field,
        reads=lambda s: s.mapped * (_seasons(s) if s.variable_jobs else bytes_of_cube(s)),
        threads=8,
    ),
    "assess_towers": Work(6, _single, _tower_steps, _table),
    "predict_towers": Work(7, _models, lambda s: _tower_steps(s) * s.held_members, _table, threads=5),
    "predict_tiles": Work(7, lambda s: s.labels, _forward, _tiles, reads=_lead_in, writes=_store, threads=32, process=450),
    "evaluate_models": Work(8, _single, lambda s: _tower_steps(s) * _models(s), lambda s: _table(s) * _models(s)),
    "write_map": Work(9, _maps, _map_cells, _slab(lambda s: 5), reads=_store, writes=_map_bytes(lambda s: 5)),
    "write_members": Work(9, _maps, _map_cells, _slab(lambda s: s.members), reads=_store, writes=_map_bytes(lambda s: s.members)),
    "sum_year": Work(9, _many, _map_cells, _band, reads=_store),
    "sum_budgets": Work(10, _single, _only_map, _only_band, reads=lambda s: _store(s) * (s.labels == 1)),
    "sum_maps": Work(10, _many, _map_cells, _map_field, reads=_read_maps, writes=_map_sums),
    "write_report": Work(
        11,
        _single,
        _only_map,
        _map_field,
        reads=lambda s: _read_maps(s) if s.labels == 1 else _map_sums(s) * s.labels,
    ),
    "record_provenance": Work(12, _single, _all_maps, lambda s: 1.0, threads=16),
}
"""The rules with costs, in the order of the chain; all other rules take seconds."""

"""Downloads, disk, memory and time of a run on real data.

The numbers are good to a factor of two: each source states the sizes of its files in 2024. The queue of the Climate Data Store
is not included.
"""

from dataclasses import dataclass

from tamrl import registry, variables
from tamrl.calendar import MONTHS
from tamrl.costs.fit import MIB
from tamrl.costs.needs import job_mib
from tamrl.costs.plan import plan_steps
from tamrl.costs.size import RunSize, source_volumes
from tamrl.costs.work import bytes_of_cube, bytes_of_products
from tamrl.planning import cube_variables
from tamrl.sections.run import Config

GB = 1e9
LINE = 10e6
"""Bytes a second from the net."""


@dataclass(frozen=True)
class Need:
    """An amount that a run needs."""

    name: str
    amount: float
    unit: str

    def __str__(self) -> str:
        digits = ",.0f" if self.amount >= 10 else ".1g"
        return f"{self.name}: about {self.amount:{digits}} {self.unit}"


def format_routes(config: Config) -> str:
    """Return a table of what the configuration would fetch by each route: requests, bytes, hours and disk; empty if none."""
    if config.twin or not any(_can_fetch(name) for name in config.drivers.sources):
        return ""
    from tamrl.drivers.cube.plan import plan_cube

    weather = tuple(filter(_can_fetch, variables.get("air_temperature").sources))  # of these a run reads one
    others = tuple(name for name in config.drivers.sources if name not in weather)
    rows = ["| route | requests | GB | h at 10 MB/s | GB that stay |", "|---|--:|--:|--:|--:|"]
    for name in (*weather, *others):
        if not _can_fetch(name):
            continue
        source = registry.load_source(name)
        options = source.Options.model_validate({"download": True})
        wanted = plan_cube(cube_variables(config), (name, *others) if name in weather else config.drivers.sources)[name]
        volume = source.volume(options, names=wanted, years=len(config.time.years))
        rows.append(_route(name, volume.requests, volume.size, volume.condensed or volume.size))
    shuttle = registry.load(registry.NETWORKS, "shuttle")
    size = shuttle.ARCHIVES * shuttle.ARCHIVE_BYTES
    return "\n".join([*rows, _route("shuttle", shuttle.ARCHIVES, size, size)])


def _can_fetch(source: str) -> bool:
    return bool(registry.load_source(source).CAPABILITIES.downloads)


def _route(name: str, requests: float, size: float, stays: float) -> str:
    return f"| `{name}` | {requests:,.0f} | {size / GB:,.0f} | {size / LINE / 3600:,.1f} | {stays / GB:,.0f} |"


def data_needs(config: Config) -> list[Need]:
    """Return the needs of a run on real data on two cores; nothing for a virtual Earth."""
    if not config.drivers.sources or config.twin:
        return []
    from tamrl.drivers.cube.plan import plan_cube  # a virtual Earth is planned without it

    size, volumes = RunSize.of(config), source_volumes(config)
    wanted = plan_cube(cube_variables(config), config.drivers.sources)
    orders: list[Need] = []
    for name in volumes:
        options, files = config.drivers.plugin_options(name), len(wanted[name]) * len(config.time.years) * MONTHS
        if registry.load_source(name).CAPABILITIES.ordered and getattr(options, "download", False):
            orders.append(Need(f"orders of {name}, whose time in the queue is not counted", files, "files"))
    composites = sum(volume.composites for volume in volumes.values())
    needs = [Need(f"files of {name}", volume.size / GB, "GB") for name, volume in volumes.items() if volume.size]
    needs += [Need(f"what stays of {name}", volume.condensed / GB, "GB") for name, volume in volumes.items() if volume.condensed]
    if total := sum(volume.size for volume in volumes.values()):
        needs.append(Need("hours to fetch them at 10 MB/s", total / LINE / 3600, "h"))
    needs += orders
    needs += [Need("cube of drivers", bytes_of_cube(size) / GB, "GB")]
    needs += [Need("predictions and maps", bytes_of_products(size) / GB, "GB")]
    needs += [Need("memory of the largest job of the drivers", job_mib("build_driver", size) * MIB / GB, "GB")]
    needs += [Need("scratch for composites", 2 * composites * size.cells * 4 / GB, "GB")] if composites else []
    return [*needs, Need("computing on two cores", sum(step.processor_hours for step in plan_steps(size, cores=2)) / 2, "h")]

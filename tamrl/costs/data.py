"""What a run on real data will fetch, store and take.

Rough by design (within a factor of two): sizes of the providers' files as they came in 2024. Waiting for the Climate Data Store
to begin is not included.
"""

from dataclasses import dataclass

from tamrl.costs.fit import MIB
from tamrl.costs.needs import job_mib
from tamrl.costs.plan import plan_steps
from tamrl.costs.size import RunSize
from tamrl.costs.work import bytes_of_cube, bytes_of_products
from tamrl.planning import cube_variables
from tamrl.sections import Config

GB = 1e9
LINE = 10e6
"""Bytes a second from the net."""

FILES = {"MOD13C1": (23, 45e6), "MYD13C1": (23, 45e6), "VNP13C1": (46, 60e6), "MCD43C4": (365, 90e6), "VNP43C4": (365, 90e6)}
"""Files a year and bytes of each, by product."""

LATTICES = {"cds_era5": (721 * 1440, 1), "cds_era5_land": (1801 * 3600, 1), "arco_era5": (721 * 1440, 24)}
"""Nodes and fields a day and variable, by source."""


@dataclass(frozen=True)
class Need:
    """An amount that a run needs."""

    name: str
    amount: float
    unit: str

    def __str__(self) -> str:
        digits = ",.0f" if self.amount >= 10 else ".1g"
        return f"{self.name}: about {self.amount:{digits}} {self.unit}"


def fetched_bytes(source: str, *, product: str | None, every: int, variables: int, years: int) -> float:
    """Bytes of the files of a source; 0 for small ones."""
    if source in LATTICES:
        nodes, fields = LATTICES[source]
        return variables * years * 365.25 * fields * nodes * 4 * 0.5
    count, size = FILES.get(str(product), (0, 0.0))
    return years * max(1, count / every) * size if count else 0.0


def data_needs(config: Config) -> list[Need]:
    """What a run on real data will fetch, store and take on two cores; nothing for a virtual Earth."""
    if not config.drivers.sources or config.twin:
        return []
    from tamrl.drivers import cube  # a virtual Earth is planned without xarray

    size, years = RunSize.of(config), len(config.time.years)
    wanted = cube.plan(cube_variables(config), config.drivers.sources)
    fetched, composites = {}, 0
    for name in config.drivers.sources:
        options, count = config.drivers.plugin_options(name), len(wanted[name])
        product, every = getattr(options, "product", None), getattr(options, "every", 1)
        if count:
            fetched[name] = fetched_bytes(name, product=product, every=every, variables=count, years=years)
            composites += years * max(FILES[product][0] // every, 1) if product else 0
    needs = [Need(f"files of {name}", amount / GB, "GB") for name, amount in fetched.items() if amount]
    if total := sum(fetched.values()):
        needs.append(Need("hours to fetch them at 10 MB/s", total / LINE / 3600, "h"))
    needs += [Need("cube of drivers", bytes_of_cube(size) / GB, "GB")]
    needs += [Need("predictions and maps", bytes_of_products(size) / GB, "GB")]
    needs += [Need("memory of the largest job of the drivers", job_mib("build_driver", size) * MIB / GB, "GB")]
    needs += [Need("scratch for composites", 2 * composites * size.cells * 4 / GB, "GB")] if composites else []
    return [*needs, Need("computing on two cores", sum(step.processor_hours for step in plan_steps(size, cores=2)) / 2, "h")]

"""What a run will need: bytes to fetch and to keep, memory and hours, from its configuration alone.

Rough by design (within a factor of two): sizes of the providers' files as they came in 2024, rates as measured on two cores
(`make bench`, docs). Waiting for the Climate Data Store to begin is not in it.
"""

from dataclasses import dataclass

from tamrl.grid import Grid

GB = 1e9
LAND = 0.35
"""Share of the cells of an equal-angle grid that hold land."""

PACKED = 0.6
"""Size of compressed float32 on disk."""

LINE, CUBE, MODEL = 10e6, 150e6, 450e3
"""Rates: bytes from the net, decoded bytes into the cube, and cell-steps of one member, each per second."""

FILES = {"MOD13C1": (23, 45e6), "MYD13C1": (23, 45e6), "VNP13C1": (46, 60e6), "MCD43C4": (365, 90e6), "VNP43C4": (365, 90e6)}
"""Files a year and bytes of each."""

LATTICES = {"cds_era5": (721 * 1440, 1), "cds_era5_land": (1801 * 3600, 1), "arco_era5": (721 * 1440, 24)}
"""Nodes and fields a day and variable."""


@dataclass(frozen=True)
class Need:
    """One thing that a run needs."""

    what: str
    amount: float
    unit: str

    def __str__(self) -> str:
        return (
            f"{self.what}: about {self.amount:,.0f} {self.unit}"
            if self.amount >= 10
            else f"{self.what}: about {self.amount:.1g} {self.unit}"
        )


def fetched(source: str, *, product: str | None, every: int, variables: int, years: int) -> float:
    """Bytes of the files of a source; 0 for what is small."""
    if source in LATTICES:
        nodes, fields = LATTICES[source]
        return variables * years * 365.25 * fields * nodes * 4 * 0.5
    count, size = FILES.get(str(product), (0, 0.0))
    return years * max(1, count / every) * size if count else 0.0


def needs(
    *, resolution: float, steps: int, map_steps: int, variables: int, members: int, composites: int, files: dict[str, float]
) -> list[Need]:
    """Needs of a run, from the sizes of its files per source.

    Parameters
    ----------
    steps, map_steps : int
        Steps of the drivers and of the maps.
    variables, members : int
        Dynamic variables of the cube, and members of the ensemble that makes the maps.
    composites : int
        Composites of satellite data over all years.
    files : dict
        Bytes to fetch by source (`fetched`).
    """
    rows, columns = Grid(resolution).shape
    cells = rows * columns
    land = cells * LAND
    cube = variables * steps * land * 4
    maps = map_steps * land * 4 * (5 * 3 + 2 * members)
    seconds = variables * steps * cells * 4 / CUBE + map_steps * land * members / MODEL
    memory = 3 * min(steps, 365) * cells * 4 + 128e6
    found = [Need(f"files of {source}", size / GB, "GB") for source, size in files.items() if size]
    found += [Need("hours to fetch them at 10 MB/s", sum(files.values()) / LINE / 3600, "h")] if any(files.values()) else []
    found += [Need("cube of drivers", cube * PACKED / GB, "GB"), Need("predictions and maps", maps * PACKED / GB, "GB")]
    found += [Need("memory of the largest job of the drivers", memory / GB, "GB")]
    found += [Need("scratch for composites", 2 * composites * cells * 4 / GB, "GB")] if composites else []
    return [*found, Need("computing on two cores", seconds / 3600, "h")]

"""Paths of the files of runs and downloads; no other module spells a path below `results/` or `downloads/`."""

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tamrl.errors import ContractError

RESULTS = "results"
"""Folder of all that rules make, one folder for each run."""


class File(StrEnum):
    """Files and folders of a run by their content; names in braces distinguish several of a kind."""

    WORLD = "inputs/world.zarr"
    VIRTUAL_FLUXNET2015 = "inputs/towers/fluxnet2015"
    VIRTUAL_FLUXNET = "inputs/towers/fluxnet"
    VIRTUAL_ERA5 = "inputs/era5"
    VIRTUAL_MODIS = "inputs/modis"
    VIRTUAL_STATIC = "inputs/static"
    VIRTUAL_CO2 = "inputs/co2.csv"
    TRUTH = "inputs/truth/{flux}_{label}.nc"

    NETWORK_RECORDS = "towers/{network}.parquet"
    NETWORK_SITES = "towers/{network}_sites.csv"
    NETWORK_ASIDE = "towers/{network}_aside.csv"
    NETWORK_ARCHIVES = "towers/archives/{network}"
    RECORDS = "towers/towers.parquet"
    TOWERS = "towers/towers.csv"
    TOWERS_GEOJSON = "towers/towers.geojson"
    QUALITY = "towers/quality.csv"
    CITATIONS = "towers/citations.bib"
    ACKNOWLEDGEMENTS = "towers/acknowledgements.txt"

    SUMS = "sums/sums.csv"
    SUM_PLACES = "sums/places.csv"
    SUM_DRIVERS = "sums/drivers.nc"
    SUM_SPLITS = "sums/splits.csv"
    SUM_SAMPLES = "samples/sums.nc"
    SUM_PREDICTIONS = "sums/predictions/{model}.parquet"

    CUBE = "drivers/cube.zarr"
    CUBE_PART = "drivers/parts/{variable}.zarr"
    CUBE_KEPT = "drivers/.cube.zarr.kept"
    DRIVER_SEASON = "drivers/seasons/{variable}.nc"
    PLACE_DRIVERS = "drivers/places.nc"
    TOWER_DRIVERS = "drivers/towers.nc"
    DRIVER_COMPARISON = "drivers/comparison.csv"
    SENSOR_COMPARISON = "drivers/sensors.csv"

    SPLITS = "samples/splits.csv"
    SAMPLES = "samples/{drivers}.nc"
    ALTERNATIVES = "samples/alternatives.nc"
    MODEL = "models/{model}/fold-{fold}/member-{member}"

    MEMBER_PREDICTIONS = "evaluation/members/{model}-{drivers}.parquet"
    TOWER_PREDICTIONS = "evaluation/predictions.parquet"
    SITE_METRICS = "evaluation/site_metrics.csv"
    CALIBRATION = "evaluation/calibration.json"
    TRUTH_COVERAGE = "evaluation/truth_coverage.csv"
    SCORES = "evaluation/scores.csv"
    COMPARISONS = "evaluation/comparisons.csv"
    RELIABILITY = "evaluation/reliability.csv"
    CEILINGS = "evaluation/ceilings.csv"
    SHARES = "evaluation/shares.csv"
    SUM_SCORES = "evaluation/sums.csv"
    INDEPENDENT = "evaluation/independent.csv"
    INDEPENDENT_SCORES = "evaluation/independent_scores.csv"
    DISSIMILARITY = "evaluation/dissimilarity.csv"
    ADAPTED_SCORES = "adaptation/{model}.csv"
    ADAPTED_PREDICTIONS = "adaptation/{model}.parquet"
    ADAPTATION = "adaptation/adaptation.csv"
    ADAPTATION_PAGE = "adaptation/adaptation.md"
    ADAPTATION_FIGURE = "adaptation/adaptation.png"
    SEARCH = "search.csv"
    SEARCHED = "searched.yaml"
    SEARCH_PAGE = "search.md"
    SEARCH_FIGURE = "search.png"

    MANIFEST = "predictions/{label}.json"
    PREDICTIONS = "predictions/{label}.zarr"
    PREDICTIONS_PART = "predictions/parts/{label}-{part}.json"
    APPLICABILITY = "maps/applicability.nc"
    MAP = "maps/{flux}_{label}.nc"
    MEMBERS = "maps/members/{flux}_{label}.nc"
    PRODUCT = "maps/{product}/{flux}_{label}.nc"
    PERIOD = "maps/{period}/{flux}_{label}.nc"
    SEASONAL = "maps/seasonal/{flux}_{span}.nc"
    MAP_SUMS = "maps/sums/{label}"
    EXPORTS = "maps/exports/{label}"
    BUDGETS = "budgets.csv"
    BUDGET_MEMBERS = "budget_members.csv"
    BUDGET_YEAR = "budgets/{label}"
    BUDGET_TRENDS = "budget_trends.csv"
    REGIONS = "regions.csv"

    COMPARED_SCORES = "comparison/{compared}/scores.csv"
    COMPARED_CYCLES = "comparison/{compared}/cycles.csv"
    COMPARED_TOTALS = "comparison/{compared}/totals.csv"
    COMPARED_MAPS = "comparison/{compared}/maps.nc"

    REPORT = "report.html"
    FIGURES = "figures"
    ATLAS = "atlas"
    PROVENANCE = "provenance.json"
    SUMMARY = "summary.md"
    CHECKS = "checks.csv"
    LOGS = "logs"
    BENCHMARKS = "benchmarks"


@dataclass(frozen=True)
class RunLayout:
    """Paths of the files of one run."""

    run: str
    """Name of the run; that of a choice is `<run>/choices/<name>`. It may be a wildcard of Snakemake, such as `{run}`."""
    root: str = RESULTS
    """Folder of all runs."""

    @classmethod
    def at(cls, folder: str) -> "RunLayout":
        """Layout of the run in a folder."""
        root, _, run = folder.rstrip("/").rpartition("/")
        return cls(run, root)

    def __call__(self, file: File, **parts: object) -> str:
        """Path of a file; names that are not in `parts` stay in braces, as in the patterns of Snakemake.

        Raises `KeyError` if a part is not in the name of the file.
        """
        names = {name for _, name, _, _ in string.Formatter().parse(file) if name}
        if unknown := parts.keys() - names:
            raise KeyError(f"the name of {file.name} has no {', '.join(sorted(unknown))}")
        return f"{self.folder}/{file.format(**{name: parts.get(name, f'{{{name}}}') for name in names})}"

    def present(self, file: File, **parts: object) -> Iterator[tuple[dict[str, str], Path]]:
        """Files of a kind that are there, ordered by path, each with those parts of its name that `parts` leaves open."""
        pattern = self(file, **parts).removeprefix(f"{self.folder}/")
        words = string.Formatter().parse(pattern)
        name = re.compile("".join(re.escape(text) + (f"(?P<{part}>[^/]+)" if part else "") for text, part, _, _ in words))
        for path in sorted(Path(self.folder).glob(re.sub(r"\{\w+\}", "*", pattern))):
            if match := name.fullmatch(path.relative_to(self.folder).as_posix()):
                yield match.groupdict(), path

    @property
    def inputs(self) -> str:
        """Folder of the raw files of a virtual Earth."""
        return f"{self.folder}/inputs"

    @property
    def folder(self) -> str:
        """Folder of the run."""
        return f"{self.root}/{self.run}"

    def choice(self, name: str) -> "RunLayout":
        """Layout of a choice of the run."""
        return RunLayout(f"{self.run}/choices/{name}", self.root)

    def log(self, rule: str, *parts: str) -> str:
        """Path of the log of a job, told apart by wildcards."""
        return f"{self(File.LOGS)}/{'/'.join([rule, *parts])}.log"

    def benchmark(self, rule: str, *parts: str) -> str:
        """Path of the table of what a job took."""
        return f"{self(File.BENCHMARKS)}/{'/'.join([rule, *parts])}.tsv"


@dataclass(frozen=True)
class RunFiles:
    """Files of a run that a job declares as its inputs, found by their content."""

    layout: RunLayout
    paths: frozenset[str]
    """Declared inputs. The job uses no other file: a change of it would not run the job again."""

    @classmethod
    def of(cls, folder: str, paths: Iterable[str]) -> "RunFiles":
        """The files `paths` of the run in a folder."""
        return cls(RunLayout.at(folder), frozenset(paths))

    def find(self, file: File, **parts: object) -> str | None:
        """Path of a file, or None where it is not declared."""
        path = self.layout(file, **parts)
        return path if path in self.paths else None

    def __call__(self, file: File, **parts: object) -> str:
        """Path of a file.

        Raises `ContractError` if it is not declared.
        """
        if (path := self.find(file, **parts)) is None:
            raise ContractError("the rule does not name a file that its stage needs", where=self.layout(file, **parts))
        return path

    def choice(self, name: str) -> "RunFiles":
        """Those of a choice of the run."""
        return RunFiles(self.layout.choice(name), self.paths)


@dataclass(frozen=True)
class Downloads:
    """Paths of what is fetched once for all runs."""

    root: str = "downloads"

    def network(self, name: str = "{network}") -> str:
        """Folder of the archives of a network of towers."""
        return f"{self.root}/{name}"

    def source(self, name: str) -> str:
        """Folder of all files of a source of drivers."""
        return f"{self.root}/drivers/{name}"

    def item(self, source: str = "{source}", item: str = "{item}", year: int | str = "{year}") -> str:
        """Folder of one item of a source for one year."""
        return f"{self.source(source)}/{item}/{year}"

    @property
    def atlas(self) -> str:
        """Folder of the program of the atlas."""
        return f"{self.root}/atlas"

    def log(self, rule: str) -> str:
        """Path of the log of a job that serves all runs."""
        return f"{self.root}/logs/{rule}.log"


DOWNLOADS = Downloads()
"""Where this project keeps them."""

"""Ratios of reading archives: cost per archive as they become more, and what is kept against what is read anew."""

import math
import multiprocessing
import tempfile
import time
import zipfile
from pathlib import Path

from tamrl import config
from tamrl.towers import survey
from tamrl.towers.networks import fluxnet, fluxnet2015
from tests.benchmarks.rows import row, took

FEW, MANY = 6, 24
ALLOWED = 20.0
"""Seconds for 18 archives."""


def run() -> list[dict]:
    """All ratios on the same archive in the form of the newer product, copied under many ids."""
    source = config.data_folder() / "archives"
    example = source / "fluxnet2015" / "FLX_DE-Hai_FLUXNET2015_SUBSET_2000-2012_1-4.zip"
    if not example.exists():
        return []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        return [*_scaling(folder, example), _eighteen(source)]


def _read_one_by_one(folder: Path) -> int:
    """Read archives, and return how far the memory of this process grew at most, in KiB."""
    before = _kib("VmRSS")
    options = fluxnet.Options(path=str(folder))
    with survey.store_folder(None) as kept:
        survey.read_archives(fluxnet, [folder], options, survey.SurveyPlan("day", threads=2), kept)
    return max(_kib("VmHWM") - before, 1)


def _kib(name: str) -> int:
    """Memory of this process as Linux names it, KiB; `ru_maxrss` would be that of the process that started it, if larger."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def _peak(folder: Path) -> int:
    """The same in a process of its own: tracing every allocation of Python takes many times as long as reading."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_read_one_by_one, (folder,))


def _copies(folder: Path, example: Path, n: int) -> None:
    """`n` archives of the newer product, each with its own metadata."""
    with zipfile.ZipFile(example) as archive:
        content = archive.read(archive.namelist()[0])
    for k in range(n):
        site = f"DE-{k:03d}"
        name, years = f"AMF_{site}_FLUXNET", "2000-2012_v1.3_r1"
        rows = f"{site},1,GRP_LOCATION,LOCATION_LAT,51\n{site},1,GRP_LOCATION,LOCATION_LONG,10\n"
        with zipfile.ZipFile(folder / f"{name}_{years}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{name}_FLUXMET_DD_{years}.csv", content)
            archive.writestr(f"{name}_BIF_{years}.csv", "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n" + rows)


def _scaling(work: Path, example: Path) -> list[dict]:
    folders = {n: work / str(n) for n in (FEW, MANY)}
    for n, folder in folders.items():
        folder.mkdir()
        _copies(folder, example, n)

    def read(n: int, store: Path | None = None) -> None:
        options = fluxnet.Options(path=str(folders[n]))
        survey.read_tables(fluxnet, [folders[n]], options, survey.SurveyPlan("day", threads=2, store=store))

    read(FEW)
    # seconds of the processor: what other programs do does not count
    few = min(took(lambda: read(FEW), time.process_time) for _ in range(3)) / FEW
    many = min(took(lambda: read(MANY), time.process_time) for _ in range(2)) / MANY
    store = work / "store"
    read(MANY, store)
    kept = min(took(lambda: read(MANY, store), time.process_time) for _ in range(2)) / MANY
    peaks = [_peak(folders[n]) for n in (FEW, MANY)]
    return [
        row(f"memory of reading {MANY} archives over {FEW}", peaks[1] / peaks[0], "times", 1.5, below=True),
        row(f"an archive among {MANY} over one among {FEW}", many / few, "times", 1.5, below=True),
        row("exponent of archives", math.log(many * MANY / (few * FEW)) / math.log(MANY / FEW), "", 1.05, below=True),
        row("archives read anew over archives kept", many / kept, "times slower", 3),
    ]


def _eighteen(source: Path) -> dict:
    paths = [source / "fluxnet2015", source / "metadata" / "FLX_AA-Flx_BIF_LATEST.csv"]
    options = fluxnet2015.Options(path=str(paths[0]), bif=str(paths[1]))
    seconds = took(lambda: survey.read_tables(fluxnet2015, paths, options, survey.SurveyPlan("day", threads=2)))
    return row(f"18 real archives, of the {ALLOWED:g} s allowed", seconds / ALLOWED, "share", 1.0, below=True)

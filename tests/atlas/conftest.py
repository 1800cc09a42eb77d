"""Atlases of small synthetic runs: their files, the built program, and Chromium to open them in."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import stores
from tamrl.atlas.bundle import build_site
from tamrl.atlas.stage import build_atlas
from tamrl.grid import Grid
from tamrl.maps.budgets.stage import sum_budgets
from tests.evaluation.conftest import Run
from tests.maps.conftest import cube, predictions, seal, write_manifest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "tamrl/atlas/site"
SCREENSHOTS = ROOT / "results/atlas-screenshots"
QUANTUM = 0.004
REGION = "-30 to 70 degrees east, 20 to 80 degrees north"


@dataclass
class Made:
    """A run's files, as the stages before the atlas leave them."""

    folder: Path
    run: Run
    name: str
    step: str
    window: Grid | None = None
    """What a run of a region maps."""

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def write(self) -> "Made":
        """Drivers, members' predictions, regions and credits beside the maps and tables of `Run`."""
        grid = Grid(self.run.resolution)
        label, time = self.run.labels[0], self.run.times(self.run.labels[0])
        drivers = cube(grid, time, {"time_step": self.step} | ({"climatology": "2000-2025"} if label == "climatology" else {}))
        season = 290 - 0.5 * np.abs(grid.lat)[:, None] + np.cos(2 * np.pi * time.day_of_year.to_numpy() / 365)[:, None, None]
        drivers["air_temperature"] = ("time", "lat", "lon"), (season + 0 * drivers["evi"].values).astype("f4")
        members = predictions(grid, time, drivers["land_fraction"].values, 3)
        if self.window is not None:
            mapped = self.window.on_globe(np.ones(self.window.shape, "int8"), fill=0)
            drivers = drivers.assign_coords({stores.MAPPED: (("lat", "lon"), mapped)}).assign_attrs(region=REGION)
            members = members.isel(self.window.window.region)
            self._cut_maps()
        seal(drivers, self.folder / "drivers/cube.zarr")
        shape = (1, len(time), 5, 7)
        store = self.folder / f"predictions/{label}.zarr"
        seal(members, store, {"gpp": shape, "reco": shape})
        write_manifest(store.with_suffix(".json"), store=store, cube=self.folder / "drivers/cube.zarr", label=label)
        sum_budgets(
            calibration=self.path("evaluation/calibration.json"),
            budgets=self.path("budgets.csv"),
            members=self.path("budget_members.csv"),
            trends=self.path("budget_trends.csv"),
            manifests=[self.path(f"predictions/{label}.json")],
            cube=self.path("drivers/cube.zarr"),
            regions=self.path("regions.csv"),
            labels=[label],
            vegetated_only=True,
            virtual=self.run.virtual,
        )
        for name in ("citations.bib", "acknowledgements.txt"):
            (self.folder / "towers" / name).write_text("@misc{nobody}\n")
        return self

    def _cut_maps(self) -> None:
        """Leave the window of the maps; the truth covers the globe."""
        for path in (self.folder / "maps").glob("*.nc"):
            with xr.open_dataset(path) as ds:
                part = ds.isel(self.window.window.region).load().assign_attrs(mapped_region=REGION)
            part.to_netcdf(path)

    def keywords(self, site: Path) -> dict:
        report = self.run.keywords()
        return {
            "folder": str(self.folder),
            "reference": report["reference"],
            "site": str(site),
            "atlas": self.path("atlas"),
            "description": self.run.description | {"run": self.name},
            "quantum": QUANTUM,
            "code": "c0ffee",
        }


def make(folder: Path, window: Grid | None = None, **options) -> Made:
    run = Run(folder, towers=12, models=("tamrl", "lightgbm"), **options)
    run.write_maps()
    run.write_towers()
    run.evaluate()
    return Made(folder, run, folder.name, options["step"], window).write()


@pytest.fixture(scope="session")
def daily(tmp_path_factory) -> Made:
    """A run of days on the virtual Earth, with its truth."""
    return make(tmp_path_factory.mktemp("results") / "daily", step="day", labels=("2012",), virtual=True)


@pytest.fixture(scope="session")
def climatology(daily) -> Made:
    """A mean year without truth, on another grid, beside the other run."""
    return make(daily.folder.parent / "mean", step="month", labels=("climatology",), reference=False, resolution=15.0)


@pytest.fixture(scope="session")
def regional(daily) -> Made:
    """A run of days that maps a box, compared with the truth of the globe."""
    window = Grid.within((-30, 20, 70, 80), 10.0)
    return make(daily.folder.parent / "regional", window, step="day", labels=("2012",), virtual=True)


@pytest.fixture(scope="session")
def gappy(daily, tmp_path_factory) -> Made:
    """The run of days beside a truth that lacks the land east of 100 degrees east, and in July all but America's west."""
    folder = Path(shutil.copytree(daily.folder, tmp_path_factory.mktemp("gaps") / "daily"))
    for path in (folder / "inputs/truth").glob("*.nc"):
        with xr.open_dataset(path) as ds:
            far = (ds["lon"] > 100) | ((ds["time"].dt.month == 7) & (ds["lon"] > -60))
            part = ds.where(~far).load()
        part.to_netcdf(path)
    return Made(folder, replace(daily.run, folder=folder), "daily", "day")


@pytest.fixture(scope="session")
def placeholder(tmp_path_factory) -> Path:
    """Stands for the built program where only the data are looked at."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "atlas.js").write_text("")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The program, built as the workflow builds it."""
    folder = tmp_path_factory.mktemp("built") / "site"
    build_site(sources=[str(p) for p in sorted(SITE.glob("*.*"))], site=str(folder))
    return folder


@pytest.fixture(scope="session")
def atlas(daily, climatology, site) -> Path:
    """The atlas of the daily run; that of the mean year lies beside it."""
    for made in (daily, climatology):
        build_atlas(**made.keywords(site))
    return daily.folder / "atlas"


def monthly(values, times) -> np.ndarray:
    """Monthly means by pandas, to compare with."""
    frame = pd.DataFrame(values.reshape(len(values), -1), index=pd.DatetimeIndex(times))
    return frame.groupby(frame.index.month).mean().to_numpy().reshape(-1, *values.shape[1:])


PATIENCE = 90_000  # ms: a loaded machine is slow, not wrong


class Opened:
    """A page with what it complained of and asked for."""

    def __init__(self, page):
        self.page, self.complaints, self.asked = page, [], []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._note)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("request", lambda r: self.asked.append(r.url))

    def _note(self, message) -> None:
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:  # `coloured` reads pixels
            self.complaints.append(message.text)

    def go(self, folder: Path, address: str = "", *, drawn: bool = True) -> "Opened":
        self.page.goto(f"file://{folder}/index.html#{address}")
        if drawn:
            self.page.wait_for_selector("html[data-drawn]", state="attached")
        return self

    def drawn(self, act) -> None:
        """Do something and wait for the map to follow."""
        before = self.page.get_attribute("html", "data-drawn")
        act()
        self.page.wait_for_selector(f"html[data-drawn]:not([data-drawn='{before}'])", state="attached")

    def coloured(self, pane: str = "pane-a") -> float:
        """Share of pixels of the map that carry a value, once a resized map is painted again."""
        return self.page.evaluate(
            """name => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
            const c = document.querySelector(`#${name} .cells`);
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; done(n / (d.length / 4)); })))""",
            pane,
        )

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def shoot(self, name: str, **options) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


@pytest.fixture
def opened(chromium):
    """Open pages: `opened()`, or with options of the browser's context; checks at the end that none complained."""
    made, contexts = [], []

    def make(**options):
        options = {"viewport": {"width": 1300, "height": 820}, "reduced_motion": "reduce", "accept_downloads": True} | options
        contexts.append(chromium.new_context(**options))
        made.append(Opened(contexts[-1].new_page()))
        return made[-1]

    yield make
    for context in contexts:
        context.close()
    for one in made:
        assert all(url.startswith(("file://", "blob:", "data:")) for url in one.asked), one.asked
        assert one.complaints == []


def edited(atlas: Path, **changes) -> Path:
    """The atlas with other entries in its index."""
    file = atlas / "data/index.js"
    head, _, body = file.read_text().partition(",")
    file.write_text(f"{head},{json.dumps(json.loads(body.rstrip().removesuffix(');')) | changes)});")
    return atlas


def broken(atlas: Path, folder: Path) -> Path:
    """A copy to break, with the folder's name kept."""
    return Path(shutil.copytree(atlas, folder / "atlas"))

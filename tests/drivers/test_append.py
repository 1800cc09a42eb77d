"""A cube that goes on from the one kept is the cube made at once, file for file, and reads and writes only what it must."""

import os
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import stores
from tamrl.drivers import stage
from tamrl.drivers.cube import append
from tamrl.drivers.cube import write as cube_write
from tamrl.drivers.formats import netcdf
from tamrl.drivers.reanalysis import joining, time_steps
from tamrl.errors import InputError

YEARS = [2010, 2011]
NAMES = {"t2m": "K", "d2m": "K", "tp": "m"}
RESOLUTION = 30.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory, write):
    """Two years of all files, from which a run's folders are filled month by month."""
    folder = tmp_path_factory.mktemp("archive")
    for name, units in NAMES.items():
        for month in pd.period_range("2010-01", "2011-12", freq="M"):
            days = pd.date_range(month.start_time, month.end_time.normalize(), freq="D")
            values = write.weather(name, days, resolution=30)
            if name == "t2m":
                values[:, 2, 5] = np.nan  # never measured: no node that stands for land
                values[:, 3, :4] = np.nan if month.month == 3 else values[:, 3, :4]
            ds = write.era5(name, values, days, resolution=30, units=units, expver=5 if month.year == 2011 else 1)
            write.save(ds, folder / "era5" / f"{name}_{month}.nc")
    write.write_modis(folder / "modis", pixel=15, years=YEARS)
    write.write_static(folder / "static", pixel=5, resolution=10)
    return folder


class Run:
    """A run's folders: files that have arrived, the cube, and what is kept of it."""

    def __init__(self, folder, archive, dynamic=(), **options):
        self.folder, self.archive = folder, archive
        self.cube, self.kept = folder / "cube.zarr", folder / ".cube.zarr.kept"
        shutil.copytree(archive / "modis", folder / "modis")
        shutil.copytree(archive / "static", folder / "static")
        (folder / "era5").mkdir()
        self.time = {"step": "day", "years": YEARS, "until": None}
        self.drivers = {
            "sources": ["cds_era5", "modis", "static"],
            "variables": {"dynamic": dynamic, "static": ["elevation"]},
            "cds_era5": {"path": "era5", "nodes": "land"} | options,
            "modis": {"path": "modis"},
            "static": {"path": "static"},
        }

    def arrive(self, until):
        """Files of all months up to one."""
        self.time = self.time | {"until": until, "years": list(range(2010, int(until[:4]) + 1))}
        for file in sorted((self.archive / "era5").iterdir()):
            if file.stem[-7:] <= until and not (self.folder / "era5" / file.name).exists():
                shutil.copy2(file, self.folder / "era5")

    def build(self, *, apart=False, resolution=RESOLUTION, threads=1):
        """As Snakemake does it: the output goes first."""
        shutil.rmtree(self.cube, ignore_errors=True)
        given = {"paths": [], "drivers": self.drivers, "time": self.time, "resolution": resolution, "threads": threads}
        given["kept_cubes"] = str(self.kept)
        parts = []
        for name in self.drivers["variables"]["dynamic"] if apart else ():
            parts.append(str(self.folder / "parts" / f"{name}.zarr"))
            stage.build_driver(**given, variable=name, part=parts[-1])
        stage.build_cube(**given, parts=parts, cube=str(self.cube))
        shutil.rmtree(self.folder / "parts", ignore_errors=True)
        stores.check_store(self.cube, verify=True)
        return stores.read_manifest(self.cube).files


@pytest.fixture
def run(tmp_path, archive, monkeypatch):
    """A run in the folder where we stand, so that paths, which the cube names, are the same everywhere."""

    def begin(name="run", **options):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        return Run(folder, archive, **options)

    return begin


def at_once(run, until, **options):
    """The files of a cube made of everything at once."""
    other = run("at-once", **options)
    other.arrive(until)
    return other.build()


def inodes(cube, name="air_temperature", block=0):
    return {p.relative_to(cube): p.stat().st_ino for p in sorted((cube / name / "c" / str(block)).rglob("*")) if p.is_file()}


def whole(caplog):
    """Variables that the log says were made from the whole record, and why."""
    said = [r.getMessage() for r in caplog.records if "is made from the whole record" in r.getMessage()]
    caplog.clear()
    return dict(text.split(" is made from the whole record: ") for text in said)


@pytest.fixture
def opened(monkeypatch):
    """Names of the NetCDF files of weather that are opened."""
    found, honest = [], netcdf.with_known_names
    monkeypatch.setattr(netcdf, "with_known_names", lambda ds, path: found.append(path.name) or honest(ds, path))
    return found


PLAIN = ("air_temperature", "vapour_pressure_deficit", "precipitation", "evi", "day_length")
COMPOSITES = {"evi": "gaps of composites are filled from all years"}


@pytest.mark.parametrize("apart", [False, True])
def test_appended_month_by_month_is_made_at_once(run, caplog, opened, apart):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.arrive("2010-11")
    here.build(apart=apart)
    assert not whole(caplog), "nothing was kept yet"
    for month in ("2010-12", "2011-01", "2011-02"):
        before = inodes(here.cube) if month > "2011-01" else {}  # the first block in time ends with 2010
        opened.clear()
        here.arrive(month)
        files = here.build(apart=apart)
        assert whole(caplog) == COMPOSITES
        assert set(opened) == {f"{name}_{month}.nc" for name in NAMES}
        assert before.items() <= inodes(here.cube).items(), "whole blocks in time are the same files"
    assert before and inodes(here.cube, block=1) and len([p for p in here.kept.iterdir() if p.is_dir()]) == 1
    found = stores.open_group(here.cube)["air_temperature"].attrs
    assert found["expver"] == "0001: 365 times, 0005: 59 times" and found["missing_over_land"] > 0
    assert files == at_once(run, "2011-02", dynamic=PLAIN)


def test_months_are_appended_too(run, caplog):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.time["step"] = "month"
    for month in ("2011-01", "2011-03"):
        here.arrive(month)
        files = here.build()
    assert whole(caplog) == COMPOSITES
    there = run("at-once", dynamic=PLAIN)
    there.time["step"] = "month"
    there.arrive("2011-03")
    assert files == there.build()


def test_sums_over_the_growing_year_go_on_where_they_were(run, caplog, opened):
    caplog.set_level("INFO")
    here = run(dynamic=("growing_degrees",))
    here.arrive("2011-01")
    here.build()
    before = inodes(here.cube, "growing_degrees")
    here.arrive("2011-02")
    files = here.build()
    assert not whole(caplog) and len(set(opened)) == 14 * len(NAMES), "the steps before are read again"
    assert before == inodes(here.cube, "growing_degrees")
    assert files == at_once(run, "2011-02", dynamic=("growing_degrees",))


def test_a_month_whose_files_were_there_is_read_from_them(run, caplog):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.arrive("2011-03")
    here.time["until"] = "2011-02"
    here.build()
    here.time["until"] = "2011-03"
    files = here.build()
    assert whole(caplog) == COMPOSITES
    assert files == at_once(run, "2011-03", dynamic=PLAIN)


def test_a_file_that_comes_late_changes_the_steps_it_tells_of(run, caplog):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.arrive("2011-02")
    (here.folder / "era5" / "t2m_2011-01.nc").unlink()
    here.build()
    here.arrive("2011-03")
    files = here.build()
    assert "air_temperature goes on from step 365, reading all files" in caplog.text
    assert "precipitation goes on from step 424, reading the new files alone" in caplog.text
    assert whole(caplog) == COMPOSITES
    assert files == at_once(run, "2011-03", dynamic=PLAIN)


def test_amounts_of_a_day_that_stand_in_the_next_file(run, archive, write, caplog, tmp_path):
    """Files of hours: the last hour of a month's amounts is the first one of the next file."""
    caplog.set_level("INFO")
    hours = tmp_path / "hours"
    for month in ("2010-01", "2010-02", "2010-03"):
        times = pd.date_range(f"{month}-01", pd.Period(month).end_time, freq="h")
        for name, units in NAMES.items():
            values = write.weather(name, times, resolution=30) / (24 if units == "m" else 1)
            write.save(write.era5(name, values, times, resolution=30, units=units), hours / f"{name}_{month}.nc")
    dynamic = ("air_temperature", "precipitation")

    def begin(name):
        """A run on the first months of these files."""
        here = run(name, dynamic=dynamic)
        for file in hours.glob("*_2010-0[12].nc"):
            shutil.copy2(file, here.folder / "era5")
        here.time |= {"years": [2010], "until": "2010-02"}
        return here

    here = begin("run")
    here.build()
    for folder, go in ((here, here.build), (begin("at-once"), lambda: None)):
        for file in hours.glob("*_2010-03.nc"):
            shutil.copy2(file, folder.folder / "era5")
        folder.time["until"] = "2010-03"
        os.chdir(folder.folder)
        go()
    assert "precipitation goes on from step 58, reading all files" in caplog.text
    assert "air_temperature goes on from step 59, reading the new files alone" in caplog.text
    assert stores.read_manifest(here.cube).files == folder.build()


def test_boxes_of_era5_land_go_on_from_the_hour_that_ends_the_day(run, write, caplog, tmp_path):
    caplog.set_level("INFO")
    midnights, lat, lon = tmp_path / "midnights", np.arange(90, -90.1, -15.0), np.arange(0, 360, 15.0)
    for month in ("2010-01", "2010-02", "2010-03"):  # 00:00 of each day of the month, and of the day after as it is fetched
        first, last = pd.Period(month).start_time, pd.Period(month).end_time.normalize() + pd.Timedelta(days=1)
        for name, times in ((month, pd.date_range(first, last - pd.Timedelta(days=1))), (f"{month}_after", [last])):
            days = pd.DatetimeIndex(times)
            values = 0.01 + 1e-4 * days.day_of_year.values[:, None, None] * np.abs(np.sin(lat))[:, None] * np.ones(lon.size)
            values[:, 4, 4] = np.nan
            write.save(write.era5("tp", values, days, lat=lat, lon=lon, units="m"), midnights / f"tp_{name}.nc")

    def begin(name, *months):
        """A run on the files that have come until the last of `months`."""
        here = run(name, dynamic=("precipitation",))
        here.drivers |= {"sources": ["cds_era5_land", "static"], "cds_era5_land": {"path": "era5"}}
        for month in ("2010-01", "2010-02", "2010-03"):
            here.time |= {"years": [2010], "until": month}
            for file in midnights.glob(f"tp_{month}*.nc"):
                shutil.copy2(file, here.folder / "era5")
            if month in months:
                files = here.build()
        return files

    appended = begin("run", "2010-02", "2010-03")
    assert "precipitation goes on from step 58, reading all files" in caplog.text, "1 March 00:00 stands in two files"
    assert appended == begin("at-once", "2010-03")


@pytest.mark.parametrize("apart", [False, True])
def test_what_changed_is_made_anew_and_the_log_says_why(run, caplog, write, apart):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.arrive("2011-01")
    here.build(apart=apart)
    path = here.folder / "era5" / "t2m_2010-05.nc"
    with xr.open_dataset(path) as ds:
        ds = (ds + 1).assign_attrs(ds.attrs).load()
    path.unlink()
    write.save(ds, path)
    here.arrive("2011-02")
    files = here.build(apart=apart)
    assert whole(caplog) == COMPOSITES | dict.fromkeys(PLAIN[:3], "cds_era5: t2m_2010-05.nc changed")
    there = run("at-once", dynamic=PLAIN)
    shutil.rmtree(there.folder / "era5")
    shutil.copytree(here.folder / "era5", there.folder / "era5")
    there.time = here.time
    assert files == there.build()


def test_other_code_options_and_grid_make_it_anew(run, caplog, monkeypatch):
    caplog.set_level("INFO")
    dynamic = ("air_temperature", "day_length")
    here = run(dynamic=dynamic)
    here.arrive("2010-11")
    here.build()
    here.drivers["cds_era5"] = here.drivers["cds_era5"] | {"nodes": "all"}
    here.arrive("2010-12")
    files = here.build()
    assert whole(caplog) == {"air_temperature": "other config.sources.cds_era5.options.nodes"}
    assert files == at_once(run, "2010-12", dynamic=dynamic, nodes="all")
    os.chdir(here.folder)
    whole(caplog)
    here.arrive("2011-01")
    here.build(resolution=60.0)
    assert whole(caplog) == dict.fromkeys(dynamic, "other config.resolution")
    monkeypatch.setattr(stage.provenance, "code_digest", lambda *modules: "another")
    here.build(resolution=60.0)
    assert whole(caplog) == dict.fromkeys(dynamic, "other code")


def test_a_shorter_axis_and_a_new_variable(run, caplog):
    caplog.set_level("INFO")
    here = run(dynamic=("precipitation",))
    here.arrive("2011-02")
    here.build()
    here.drivers["variables"]["dynamic"] = ("precipitation", "air_temperature")
    files = here.build()
    assert whole(caplog) == {"air_temperature": "it was not in the cube before"}
    assert files == at_once(run, "2011-02", dynamic=("precipitation", "air_temperature"))
    os.chdir(here.folder)
    whole(caplog)
    here.time["until"] = "2011-01"
    here.build()
    assert set(whole(caplog).values()) == {"the time axis became shorter"}


@pytest.mark.parametrize("where", [(cube_write.VariableWriter, "extend"), (append, "keep_cube")])
def test_killed_while_appending_then_again(run, caplog, monkeypatch, where):
    caplog.set_level("INFO")
    here = run(dynamic=PLAIN)
    here.arrive("2011-01")
    here.build()
    before = stores.read_manifest(append.KeptCube.newest(here.kept).store).files
    here.arrive("2011-02")
    honest, calls = getattr(*where), []

    def kill(*given, **more):
        calls.append(given)
        if len(calls) == 2 or where[1] == "keep_cube":
            raise KeyboardInterrupt
        return honest(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(*where, kill)
        with pytest.raises(KeyboardInterrupt):
            here.build()
    assert here.cube.exists() == (where[1] == "keep_cube")
    stores.check_store(append.KeptCube.newest(here.kept).store, verify=True)
    assert stores.read_manifest(append.KeptCube.newest(here.kept).store).files == before
    caplog.clear()
    files = here.build()
    assert whole(caplog) == COMPOSITES and len([p for p in here.kept.iterdir() if p.is_dir()]) == 1
    assert files == at_once(run, "2011-02", dynamic=PLAIN)


def test_what_was_damaged_is_not_carried_on(run, caplog):
    """The cube and what is kept of it are the same files, so that a bit that flips does so in both."""
    caplog.set_level("INFO")
    here = run(dynamic=("air_temperature", "precipitation"))
    here.arrive("2011-01")
    here.build()
    file = next(p for p in sorted((here.cube / "precipitation/c/0").rglob("*")) if p.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    with open(file, "r+b") as handle:
        handle.write(content)
    here.arrive("2011-02")
    files = here.build()
    assert whole(caplog) == {"precipitation": f"what was kept is damaged: {file.relative_to(here.cube)}"}
    assert files == at_once(run, "2011-02", dynamic=("air_temperature", "precipitation"))


def test_without_hard_links_nothing_is_kept(run, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(cube_write, "os", SimpleNamespace(link=no_links, getpid=os.getpid))
    here = run(dynamic=("day_length",))
    here.arrive("2010-02")
    here.build()
    assert "no hard links there" in caplog.text and not list(here.kept.iterdir())


def no_links(*_):
    raise OSError("no links here")


def test_apart_a_file_of_the_same_size_and_time_is_compared_in_the_end(run):
    here = run(dynamic=("precipitation",))
    here.arrive("2010-03")
    here.build(apart=True)
    file = here.folder / "era5" / "tp_2010-02.nc"
    about, content = file.stat(), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    here.arrive("2010-04")
    with pytest.raises(InputError, match="neither its size nor its time"):
        here.build(apart=True)
    assert not here.cube.exists()


def test_expver_and_distances_add_up():
    assert time_steps.add_expver("0001: 365 times", "0001: 3 times, 0005: 28 times") == "0001: 368 times, 0005: 28 times"
    days = np.arange("2010-01-01", "2010-02-01", dtype="datetime64[D]").astype("datetime64[ns]")
    assert joining.every(days) == "day" and joining.every(days[:3]) is None
    assert joining.every(np.concatenate([days[:10], days[9] + np.arange(1, 11) * np.timedelta64(1, "h")])) is None

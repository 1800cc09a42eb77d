"""A month of `config/global.yaml` through the doubles of its providers: every job is killed once, no byte is fetched twice.

At 0.25° with the sizes of the real files this moves some 5 GB of hours and 1 GB of maps over the loopback, so it runs on request
(`FULL_MONTH=1`), and the small one in every test run.
"""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml
import zarr

from tamrl import planning, stores
from tamrl.drivers import stage
from tamrl.drivers.remote import earthdata
from tamrl.layout import DOWNLOADS, Downloads
from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice
from tamrl.web.addresses import LOCAL
from tests.drivers.test_static import delivered
from tests.providers import map_publisher
from tests.providers.earthdata import TOKEN, running_earthdata
from tests.providers.hour_store import running_bucket
from tests.providers.map_publisher import running_publisher
from tests.providers.test_killed_routes import DOWNLOAD, ROOT, killed

FULL_SIZE = pytest.mark.skipif("FULL_MONTH" not in os.environ, reason="moves 6 GB: FULL_MONTH=1")

DAYS, YEAR = 31, 2011
SCALES = {
    "small": {"resolution": 10.0, "land_cover": 36, "vegetation": 36, "koppen": 72, "elevation": 108},
    "full": {"resolution": 0.25, "land_cover": 3600, "vegetation": 3600, "koppen": 21600, "elevation": 10800},
}
"""Degrees of the maps, and rows of the files; the second are those of the providers."""


def write_hours(path, write, resolution):
    """January of hours as the public store has them, one in a chunk; all days are one day."""
    nodes = WeatherLattice(resolution)
    hours.create_store(path, years=[YEAR], nodes=nodes)
    root, rng = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False), np.random.default_rng(1)
    count = DAYS * 24 + 1
    for name, long in hours.ARCO.items():
        attributes = dict(root[long].attrs)
        array = root.create_array(
            long, shape=root[long].shape, chunks=(1, *nodes.shape), dtype="float32", fill_value=np.nan, overwrite=True
        )
        array.attrs.update(attributes)
        day = hours.hours(name, write.weather(name, pd.DatetimeIndex([f"{YEAR}-01-01"]), resolution=resolution).astype("float32"))
        array[:24] = day * rng.uniform(0.999, 1.0, day.shape).astype("float32")
        for hour in range(24, count):
            os.link(path / long / f"{hour % 24}.0.0", path / long / f"{hour}.0.0")
    zarr.consolidate_metadata(path, zarr_format=2)


def write_map(path, values, rows, **more):
    """A global GeoTIFF of so many rows made of a coarse one, strip by strip."""
    factor = rows // values.shape[0]
    profile = {"driver": "GTiff", "height": rows, "width": 2 * rows, "count": 1, "dtype": values.dtype, "compress": "deflate"}
    transform = rasterio.Affine(180 / rows, 0, -180, 0, -180 / rows, 90)
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, **profile, **more) as file:
        for row in range(values.shape[0]):
            strip = np.repeat(np.repeat(values[row : row + 1], factor, 0), factor, 1)
            file.write(strip, 1, window=rasterio.windows.Window(0, row * factor, 2 * rows, factor))


def write_maps(folder, publisher, nasa, sizes):
    """The three static maps, of the sizes of the providers."""
    codes = np.where(map_publisher.land(), 10, 0).astype("uint8")
    codes[0][codes[0] > 0], codes[18][codes[18] > 0] = 15, 16
    factor = sizes["land_cover"] // codes.shape[0]
    delivered(folder / "m.hdf", np.repeat(np.repeat(codes, factor, 0), factor, 1))
    nasa.add("MCD12C1.A2019001.061.2022170020638.hdf", (folder / "m.hdf").read_bytes())
    write_map(folder / "k.tif", map_publisher.climates(), sizes["koppen"], nodata=0)
    write_map(folder / "e.tif", map_publisher.heights(), sizes["elevation"], nodata=-99999)
    publisher.files |= {"1": map_publisher.archive((folder / "k.tif").read_bytes()), "2": (folder / "e.tif").read_bytes()}


def write_vegetation(folder, write, nasa, rows):
    for day in (1, 17):
        start = pd.Timestamp(YEAR, 1, 1) + pd.Timedelta(days=day - 1)
        green = write.greenness(start, (rows, 2 * rows))
        write.save(write.composite(green, green * 0.6, np.zeros((rows, 2 * rows), "int8")), folder / "v.nc")
        nasa.add(f"MOD13C1.A{YEAR}{day:03d}.061.2021001000000.hdf", (folder / "v.nc").read_bytes())


@pytest.fixture(params=["small", pytest.param("full", marks=[pytest.mark.slow, FULL_SIZE])])
def month(request, write, tmp_path, monkeypatch):
    """The doubles with a month of data, and the configuration that leads to them."""
    sizes = SCALES[request.param]
    monkeypatch.setenv("TAMRL_DATA", str(tmp_path))
    for name in ("fluxnet2015", "fluxnet"):
        (tmp_path / "global" / name).mkdir(parents=True)
    with ExitStack() as stack:
        write_hours(tmp_path / "arco.zarr", write, sizes["resolution"])
        bucket = stack.enter_context(running_bucket(tmp_path / "arco.zarr"))
        nasa, files = stack.enter_context(running_earthdata())
        publisher, transfers = stack.enter_context(running_publisher())
        write_maps(tmp_path, publisher, nasa, sizes)
        write_vegetation(tmp_path, write, nasa, sizes["vegetation"])
        for name, value in ((LOCAL, "127.0.0.1"), (earthdata.SEARCH, nasa.url), (earthdata.TOKEN, TOKEN)):
            monkeypatch.setenv(name, value)
        raw = yaml.safe_load((ROOT / "config/global.yaml").read_text())
        raw["time"] |= {"years": [2010, YEAR], "map_years": [2010], "until": f"{YEAR}-01"}
        raw["drivers"]["arco_era5"]["path"] = bucket.url
        for item, number in (("koppen", 1), ("elevation", 2)):
            body = publisher.files[str(number)]
            source = {"url": f"{publisher.url}/files/{number}", "size": len(body), "year": YEAR}
            raw["drivers"]["static"][item] = {**source, "checksum": f"md5:{hashlib.md5(body).hexdigest()}"}
        raw["drivers"]["static"]["koppen"]["member"] = map_publisher.MEMBER
        yield SimpleNamespace(sizes=sizes, raw=raw, bucket=bucket, nasa=nasa, files=files, transfers=transfers)


def jobs(plan):
    """Source, item and year of every download of the month, as the rules have them."""
    for folder in plan.driver_files():
        source, item, year = Path(folder).relative_to(DOWNLOADS.source("")).parts
        if source == "static" or year == str(YEAR):
            yield source, item, year


def test_a_month_of_the_global_run_with_killed_jobs_fetches_no_byte_twice(month, tmp_path, monkeypatch):
    plan, downloads, sent = planning.WorkflowPlan(month.raw), Downloads(str(tmp_path / "downloads")), {}
    doubles = {"arco_era5": (month.bucket, 11 * 24 + 5), "modis": (month.files, 1), "static": (month.transfers, 0)}
    planned = list(jobs(plan))
    assert len(planned) == 4 + 1 + 3
    for source, item, year in planned:
        double, hold = doubles[source] if item != "land_cover" else (month.files, 0)
        wanted = [g for g in month.nasa.granules if g["GranuleUR"].startswith("MCD12C1" if item == "land_cover" else item)]
        everything, month.nasa.granules = month.nasa.granules, wanted or month.nasa.granules
        folder = downloads.item(source, item, int(year))
        job = {"folder": folder, "source": source, "item": item, "year": int(year)}
        job["options"] = plan.download_options(source, year)
        killed(DOWNLOAD, job, double, hold)
        assert not Path(folder).exists()
        subprocess.run([sys.executable, "-c", DOWNLOAD, json.dumps(job)], cwd=ROOT, check=True)
        month.nasa.granules = everything
        for key, size in double.tap.sent.items():
            known = month.bucket.root / key
            whole = known.stat().st_size if source == "arco_era5" else len(double.files[key])
            assert size == whole, f"{key} was sent once"
        sent[source, item] = len(double.tap.sent), sum(double.tap.sent.values())
    for (source, item), (count, size) in sent.items():
        print(f"{source} {item}: {count} objects, {size / 1e6:,.1f} MB, each sent once")
    assert {sent["arco_era5", item][0] for item in ("t2m", "d2m", "ssrd", "tp")} == {DAYS * 24}
    for module in ("tamrl.drivers.sources._folders", "tamrl.drivers.sources.static"):
        monkeypatch.setattr(f"{module}.DOWNLOADS", downloads)
    cube = tmp_path / "cube.zarr"
    time = {"step": "day", "years": [YEAR], "until": f"{YEAR}-01"}
    drivers = plan.main.drivers.model_dump(mode="json")
    stage.build_cube(paths=[], cube=str(cube), drivers=drivers, time=time, resolution=month.sizes["resolution"], threads=2)
    ds = stores.open_cube(cube)
    rows = round(180 / month.sizes["resolution"])
    assert dict(ds.sizes)["time"] == DAYS and ds.sizes["lat"] == rows and ds.sizes["lon"] == 2 * rows
    inland = ds["land_fraction"].values == 1
    for name in plan.main.drivers.variables.dynamic:
        assert np.isfinite(ds[name].values[:, inland]).all(), name
    heights = ds["elevation"].values[inland]
    assert (heights >= 300).all() and (np.median(heights) == 300).all()

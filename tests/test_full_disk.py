"""Every kind of writer on a disk that is full: the error names the file, whatever a library calls it; no half file is left."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
import xarray as xr
from matplotlib.figure import Figure
from safetensors.torch import save as pack

from tamrl import files, stores
from tamrl.errors import MachineError
from tamrl.inference import memory
from tests import disks

NOISE = np.random.default_rng(0).normal(size=(64, 64, 256)).astype("float32")
"""4 MiB that do not pack."""
TABLE = pd.DataFrame(NOISE.reshape(-1, 16)).add_prefix("c")
DATASET = xr.Dataset({"gpp": (("time", "lat", "lon"), NOISE)})


def streamed(part):
    from netCDF4 import Dataset

    DATASET.isel(time=slice(1)).to_netcdf(part, engine="netcdf4", unlimited_dims=["time"])
    with Dataset(part, "a") as file:
        for k, values in enumerate(NOISE):
            file["gpp"][k] = values


def raster(part):
    part.mkdir()
    with rasterio.open(
        part / "a.tif", "w", driver="GTiff", width=256, height=4096, count=1, dtype="float32", crs="EPSG:4326"
    ) as file:
        file.write(NOISE.reshape(4096, 256), 1)


def store(part):
    DATASET.to_zarr(part, zarr_format=3, consolidated=False)
    stores.seal_store(part, origin={})


def zipped(part):
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", NOISE.tobytes())


def figures(part):
    part.mkdir()
    figure = Figure(figsize=(12, 12))
    figure.add_subplot().imshow(NOISE[0])
    figure.figimage(NOISE.reshape(1024, 1024))
    figure.savefig(part / "a.png", dpi=200)


def model(part):
    part.mkdir()
    (part / "weights").write_bytes(pack({"a": torch.from_numpy(NOISE)}))


WRITERS = {
    "NetCDF": lambda part: DATASET.to_netcdf(part, engine="netcdf4", encoding={"gpp": {"zlib": True, "complevel": 1}}),
    "NetCDF, streamed": streamed,
    "Parquet": lambda part: TABLE.to_parquet(part, index=False),
    "CSV": lambda part: TABLE.to_csv(part, index=False),
    "JSON": lambda part: part.write_text(json.dumps(NOISE[0].tolist() * 4)),
    "safetensors": model,
    "Zarr": store,
    "GeoTIFF": raster,
    "PNG": figures,
    "zip": zipped,
}


def refused(target, writer):
    with pytest.raises(MachineError, match="cannot be written") as caught, files.atomic(target) as part:
        writer(part)
    assert caught.value.where == target and caught.value.todo
    assert not list(target.parent.iterdir()), "neither a half file nor a seal"
    return caught.value


@pytest.mark.parametrize("kind", WRITERS)
def test_each_kind_of_writer_names_the_file_on_a_disk_that_is_full(tmp_path, kind):
    with disks.tiny(tmp_path / "disk") as disk:
        assert "ENOSPC" in refused(disk / "product", WRITERS[kind]).found


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("most", [20_000, 300_000])
def test_each_kind_of_writer_names_the_file_where_files_may_not_grow(tmp_path, kind, most):
    with disks.limited(most):
        assert "EFBIG" in refused(tmp_path / "product", WRITERS[kind]).found


def test_a_disk_without_room_for_the_place_itself_is_named(tmp_path):
    with disks.tiny(tmp_path / "disk", 64) as disk:
        handle = (disk / "ballast").open("wb", buffering=0)
        with pytest.raises(OSError):
            while True:
                handle.write(bytes(4096))
        handle.close()
        with pytest.raises(MachineError, match=r"ENOSPC[\s\S]*space"), files.atomic(disk / "a" / "b.json") as part:
            part.write_text("{}")
        assert not (disk / "a/b.json").exists()


def test_a_memory_of_a_model_is_named(tmp_path):
    with disks.limited(1000), pytest.raises(MachineError, match="safetensors"):
        memory.save_memory(tmp_path / "2011.zarr", "tile", "a" * 64, (torch.zeros(1, 100, 100),))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_another_error_on_a_disk_with_room_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="odd"), files.atomic(tmp_path / "a"):
        raise RuntimeError("odd")

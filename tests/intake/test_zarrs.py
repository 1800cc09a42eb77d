"""Chunks of Zarr copies are as long as they declare."""

import json

import numpy as np
import pytest
import xarray as xr
from numcodecs import Blosc, Zlib
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from tamrl.errors import InputError
from tamrl.intake import arrays, zarrs

VALUES = np.broadcast_to(np.random.default_rng(1).normal(size=(1, 19, 36)), (24, 19, 36)).astype("f4")
CODECS = {
    "2 lz4": (2, Blosc(cname="lz4")),
    "2 zstd in blosc": (2, Blosc(cname="zstd")),
    "2 zlib": (2, Zlib()),
    "2 plain": (2, None),
    "3 blosc": (3, BloscCodec(cname="lz4")),
    "3 zstd": (3, ZstdCodec()),
    "3 gzip": (3, GzipCodec()),
    "3 plain": (3, None),
}


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_cut_anywhere_is_refused(tmp_path, codec):
    format, compressor = CODECS[codec]
    encoding = {"rain": {"compressors": compressor, "chunks": (24, 19, 36)}}
    xr.Dataset({"rain": (("time", "lat", "lon"), VALUES)}).to_zarr(tmp_path / "a.zarr", zarr_format=format, encoding=encoding)
    path = tmp_path / "a.zarr/rain" / ("0.0.0" if format == 2 else "c/0/0/0")
    content = path.read_bytes()

    def read():
        ds = xr.open_zarr(zarrs.CheckedStore(tmp_path / "a.zarr"), chunks=None, mask_and_scale=False)
        return arrays.decode_dataset(ds, where=tmp_path / "a.zarr")["rain"].values

    np.testing.assert_array_equal(read(), VALUES)
    for length in (0, 1, 15, 16, len(content) // 2, len(content) - 3, len(content) - 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.zarr"):
            read()


@pytest.mark.parametrize("what", ["coordinate", "chunk"])
@pytest.mark.parametrize("format", [2, 3])
def test_what_would_be_read_whole_is_bounded(tmp_path, format, what):
    path = tmp_path / "a.zarr"
    time = np.arange(3.0)
    xr.Dataset({"rain": (("time", "x"), np.ones((3, 2)))}, {"time": time}).to_zarr(path, zarr_format=format, consolidated=False)
    for name in ("time", "rain") if what == "coordinate" else ("rain",):
        file = path / name / (".zarray" if format == 2 else "zarr.json")
        about = json.loads(file.read_text())
        if what == "coordinate":
            about["shape"][0] = 10**12
        elif format == 2:
            about["chunks"][0] = 10**12
        else:
            about["chunk_grid"]["configuration"]["chunk_shape"][0] = 10**12
        file.write_text(json.dumps(about))
    with pytest.raises(InputError, match=rf"declares too much[\s\S]*a\.zarr[\s\S]*{'time' if what == 'coordinate' else 'rain'}"):
        zarrs.open_zarr(zarrs.CheckedStore(path), where=path)


def test_a_blosc_chunk_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.zarr"
    encoding = {"rain": {"compressors": Blosc(cname="lz4")}}
    xr.Dataset({"rain": (("time", "lat", "lon"), VALUES)}).to_zarr(path, zarr_format=2, encoding=encoding)
    chunk = path / "rain/0.0.0"
    content = bytearray(chunk.read_bytes())
    content[4:8] = (0x7FFFFFFF).to_bytes(4, "little")
    chunk.write_bytes(content)
    with pytest.raises(InputError, match=r"unpacks to too much[\s\S]*0\.0\.0"):
        zarrs.open_zarr(zarrs.CheckedStore(path), where=path)["rain"].load()

"""A damaged or incomplete store is refused by name, never read as fill values."""

import os
import pickle

import numpy as np
import pytest
import xarray as xr
import zarr

from tamrl import stores
from tamrl.classes import KOPPEN
from tamrl.errors import ContractError
from tamrl.grid import Grid


@pytest.fixture
def cube(tmp_path):
    grid = Grid(30)
    rng = np.random.default_rng(1)
    shape = (4, *grid.shape)
    temperature = rng.normal(280, 10, shape).astype("float32")
    temperature[:, :3, :6] = np.nan
    ds = xr.Dataset(
        {
            "air_temperature": (("time", "lat", "lon"), temperature),
            "land_fraction": (("lat", "lon"), np.ones(grid.shape, "float32")),
            "koppen_fraction": (("koppen", "lat", "lon"), np.full((5, *grid.shape), 0.2, "float32")),
        },
        coords={
            "time": np.arange("2001-01-01", "2001-01-05", dtype="datetime64[D]").astype("datetime64[ns]"),
            "lat": grid.lat,
            "lon": grid.lon,
            "koppen": np.array(KOPPEN, dtype=object),
        },
    )
    encoding = {
        "air_temperature": {"chunks": (4, 3, 6), "compressors": stores.compressors()},
        "land_fraction": {"chunks": (3, 6), "compressors": stores.compressors()},
    }
    path = tmp_path / "cube.zarr"
    ds.to_zarr(path, encoding=encoding, consolidated=False, zarr_format=3)
    stores.seal_store(path, origin={"sources": {}})
    return path, ds


def chunk(path, name="air_temperature"):
    return next(p for p in (path / name).rglob("c/*/*/*") if p.is_file())


def test_a_sealed_store_gives_back_its_values(cube):
    path, ds = cube
    opened = stores.open_cube(path, verify=True).load()
    xr.testing.assert_equal(opened, ds)
    assert opened["koppen"].dtype.kind == "U"


def test_chunks_without_values_are_neither_stored_nor_missed(cube):
    path, _ = cube
    assert not (path / "air_temperature/c/0/0/0").exists()
    assert np.isnan(stores.open_cube(path)["air_temperature"].isel(lat=0, lon=0)).all()


def test_a_deleted_chunk_is_missed_when_opening_and_when_reading(cube):
    path, _ = cube
    opened = stores.open_cube(path)
    victim = chunk(path)
    victim.unlink()
    with pytest.raises(ContractError, match=r"air_temperature/c/.* is missing"):
        stores.open_cube(path)
    with pytest.raises(ContractError, match="is missing"):
        opened["air_temperature"].load()


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_chunk_is_refused(cube, share):
    path, _ = cube
    opened = stores.open_cube(path)
    victim = chunk(path)
    os.truncate(victim, int(victim.stat().st_size * share))
    with pytest.raises(ContractError, match=r"has \d+ bytes instead"):
        stores.open_cube(path)
    with pytest.raises(ContractError, match="does not match its checksum"):
        opened["air_temperature"].load()


@pytest.mark.parametrize("harm", ["bit", "half"])
def test_a_reader_that_knows_no_manifest_refuses_a_damaged_chunk_too(cube, harm):
    path, _ = cube
    victim = chunk(path)
    content = bytearray(victim.read_bytes())
    content[20] ^= 1
    victim.write_bytes(content if harm == "bit" else content[: len(content) // 2])
    with pytest.raises(ValueError, match="checksum"):
        zarr.open_group(path, mode="r")["air_temperature"][:]


@pytest.mark.parametrize("position", [0, 20, -2])
def test_one_flipped_bit_is_refused_and_named(cube, position):
    path, _ = cube
    victim = chunk(path)
    content = bytearray(victim.read_bytes())
    content[position] ^= 1
    victim.write_bytes(content)
    with pytest.raises(ContractError, match=r"the chunk air_temperature/c/.* does not match its checksum"):
        stores.open_cube(path)["air_temperature"].load()
    with pytest.raises(ContractError, match="does not match its checksum"):
        stores.open_cube(path, verify=True)


def test_a_foreign_chunk_is_refused(cube):
    path, _ = cube
    (path / "air_temperature/c/0/0/0").parent.mkdir(parents=True, exist_ok=True)
    (path / "air_temperature/c/0/0/0").write_bytes(b"x")
    with pytest.raises(ContractError, match="not in the manifest"):
        stores.open_cube(path)


def test_an_unfinished_store_is_refused(cube):
    path, _ = cube
    (path / stores.MANIFEST).unlink()
    with pytest.raises(ContractError, match="never finished"):
        stores.open_cube(path)


def test_the_digest_follows_the_content(cube):
    path, _ = cube
    before = stores.manifest_digest(path)
    stores.seal_store(path, origin={"sources": {}})
    assert stores.manifest_digest(path) == before
    stores.seal_store(path, origin={"sources": {"era5": 1}})
    assert stores.manifest_digest(path) != before


def test_an_open_cube_travels_to_other_processes(cube):
    path, ds = cube
    there = pickle.loads(pickle.dumps(stores.open_cube(path)))
    xr.testing.assert_equal(there.load(), ds)


def test_what_the_workflow_engine_drops_into_the_store_is_no_content(cube, recwarn):
    path, ds = cube
    before = stores.manifest_digest(path)
    (path / ".snakemake_timestamp").touch()
    xr.testing.assert_equal(stores.open_cube(path, verify=True).load(), ds)
    assert stores.manifest_digest(path) == before
    assert not [w for w in recwarn.list if "not recognized" in str(w.message)]

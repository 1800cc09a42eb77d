"""The stages: maps that no tiling can change, that survive interruption, and towers predicted by strangers."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tamrl import cache as caches
from tamrl import files, provenance, stores, variables
from tamrl.errors import ContractError, InputError, StoreRemovedError
from tamrl.inference import stage, worker
from tamrl.inference.decode import predict
from tamrl.inference.plan import Piece
from tamrl.inference.stage import predict_tiles, predict_towers
from tamrl.inference.store import TileStore
from tamrl.training.checkpoint import load_ensemble

INFERENCE = {"batch": 64, "spinup": 12, "device": "cpu"}


def _map(cube, models, folder, *, tile=5, label="2011", threads=1, previous=None, **changes):
    folder.mkdir(exist_ok=True)
    predict_tiles(
        cube=str(cube),
        models=models,
        manifest=str(folder / f"{label}.json"),
        label=label,
        predictions=str(folder / f"{label}.zarr"),
        tile=tile,
        min_land_fraction=0.02,
        engine=INFERENCE | changes,
        threads=threads,
        previous=previous,
    )
    return stores.open_sealed(folder / f"{label}.zarr").load(), files.read_json(folder / f"{label}.json")


@pytest.fixture(scope="module")
def untiled(cube, models, tmp_path_factory):
    return _map(cube, models, tmp_path_factory.mktemp("untiled"), tile=500)


def test_the_store_has_its_dimensions_and_the_manifest_its_record(untiled, world):
    ds, manifest = untiled
    assert ds["gpp"].dims == ("member", "time", "lat", "lon") and ds["gpp"].shape == (2, 12, 12, 24)
    assert ds["gpp"].dtype == np.float32 and set(ds.data_vars) == {"gpp", "reco"}
    assert (ds["time"].values == world["time"].values[12:]).all() and (ds["lat"] == world["lat"]).all()
    land = world["land_fraction"].values >= 0.02
    assert (np.isfinite(ds["gpp"].values) == land).all() and manifest["cells"] == land.sum() and manifest["missing"] == 0
    assert {"label", "tiles", "digest", "members"} <= set(manifest) and manifest["label"] == "2011"


@pytest.mark.parametrize(("tile", "batch", "threads"), [(5, 64, 2), (7, 3, 1), (1, 64, 1), (12, 17, 2)])
def test_tiled_equals_untiled_bit_for_bit(cube, models, untiled, tmp_path, tile, batch, threads):
    ds, _ = _map(cube, models, tmp_path, tile=tile, batch=batch, threads=threads)
    for flux in ("gpp", "reco"):
        assert ds[flux].values.tobytes() == untiled[0][flux].values.tobytes()


def test_a_climatology_is_mapped(climatology_cube, models, tmp_path):
    ds, manifest = _map(climatology_cube, models, tmp_path, label="climatology")
    assert ds.sizes["time"] == 12 and manifest["missing"] == 0


def test_missing_drivers_are_counted_and_carried(world, models, save_cube, untiled, tmp_path):
    broken = world.copy(deep=True)
    row, column = np.argwhere(world["land_fraction"].values >= 0.02)[3]
    broken["evi"][15, row, column] = np.nan
    ds, manifest = _map(save_cube(broken, tmp_path / "cube.zarr"), models, tmp_path / "out")
    assert manifest["missing"] == 1 and np.isnan(ds["gpp"].values[:, 3, row, column]).all()
    others = np.ones(ds["gpp"].shape[2:], bool)
    others[row, column] = False
    assert ds["gpp"].values[..., others].tobytes() == untiled[0]["gpp"].values[..., others].tobytes()


def test_an_interrupted_map_continues_where_it_stopped(cube, models, untiled, tmp_path, monkeypatch):
    real, calls = worker.predict_tile, []

    def fails_late(*args, **kwargs):
        calls.append(args[1].name)
        if len(calls) == 6:
            raise RuntimeError("interrupted")
        return real(*args, **kwargs)

    monkeypatch.setattr(worker, "predict_tile", fails_late)
    with pytest.raises(RuntimeError, match="interrupted"):
        _map(cube, models, tmp_path)
    assert not (tmp_path / "2011.json").exists()
    done = len(list((tmp_path / "2011.tiles").glob("*.json")))
    calls.clear()
    monkeypatch.setattr(worker, "predict_tile", lambda *a, **k: calls.append(a[1].name) or real(*a, **k))
    ds, manifest = _map(cube, models, tmp_path)
    assert done == 5 and len(calls) == len(manifest["tiles"]) - 5
    assert ds["reco"].values.tobytes() == untiled[0]["reco"].values.tobytes()


@pytest.mark.parametrize("after", [0.0, 0.1])
def test_a_killed_map_continues_to_the_same_bits(cube, models, untiled, tmp_path, after):
    """SIGKILL at some moment of the writing; no half tile is ever taken over."""
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); from tamrl.inference.stage import predict_tiles;"
        "print('ready', flush=True); predict_tiles(**json.loads(sys.argv[2]))"
    )
    arguments = {
        "cube": str(cube),
        "models": models,
        "manifest": str(tmp_path / "2011.json"),
        "label": "2011",
        "predictions": str(tmp_path / "2011.zarr"),
        "tile": 2,
        "min_land_fraction": 0.02,
        "engine": INFERENCE,
        "threads": 1,
    }
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2]), json.dumps(arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        process.stdout.readline()
        records = tmp_path / "2011.tiles"
        while process.poll() is None and len(list(records.glob("r*.json"))) < 3:
            time.sleep(0.005)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "2011.json").exists(), "the map was finished before it was killed"
    ds, _ = _map(cube, models, tmp_path, tile=2)
    for flux in ("gpp", "reco"):
        assert ds[flux].values.tobytes() == untiled[0][flux].values.tobytes()


def test_a_damaged_or_deleted_tile_is_computed_again(cube, models, untiled, tmp_path):
    _, before = _map(cube, models, tmp_path)
    chunks = sorted(p for p in (tmp_path / "2011.zarr" / "gpp" / "c").rglob("*") if p.is_file())
    chunks[0].unlink()
    chunks[1].write_bytes(chunks[1].read_bytes()[:-40])
    with pytest.raises(ContractError):
        stores.open_sealed(tmp_path / "2011.zarr")
    (tmp_path / "2011.json").unlink()
    ds, after = _map(cube, models, tmp_path)
    assert after["digest"] == before["digest"]
    assert ds["gpp"].values.tobytes() == untiled[0]["gpp"].values.tobytes()


def test_other_models_make_the_store_anew(cube, models, save_member, tmp_path):
    first, a = _map(cube, models, tmp_path)
    others = [save_member(tmp_path / f"m{k}", member=k) for k in (5, 6, 7)]
    second, b = _map(cube, others, tmp_path)
    assert second.sizes["member"] == 3 and a["members"] != b["members"] and second["member"].values.tolist() == [5, 6, 7]
    assert not np.array_equal(first["gpp"].values[0], second["gpp"].values[0], equal_nan=True)


def _computed(monkeypatch) -> list[tuple[str, list[int]]]:
    """Tiles and positions of members that are computed from now on."""
    real, calls = worker.predict_tile, []

    def counted(job, tile, positions):
        calls.append((tile.name, positions))
        return real(job, tile, positions)

    monkeypatch.setattr(worker, "predict_tile", counted)
    return calls


@pytest.mark.parametrize("memory", ["spinup", "carried"])
def test_one_more_member_costs_that_member(cube, models, save_member, tmp_path, monkeypatch, memory):
    third = save_member(tmp_path / "third", member=7)
    whole, _ = _map(cube, [models[0], third, models[1]], tmp_path / "whole", memory=memory)
    _map(cube, models, tmp_path, memory=memory)
    calls = _computed(monkeypatch)
    ds, manifest = _map(cube, [models[0], third, models[1]], tmp_path, memory=memory)
    assert {tuple(positions) for _, positions in calls} == {(1,)} and len(calls) == len(manifest["tiles"])
    assert ds["member"].values.tolist() == [0, 7, 1]
    for flux in ("gpp", "reco"):
        assert ds[flux].values.tobytes() == whole[flux].values.tobytes()
    calls.clear()
    fewer, _ = _map(cube, [models[1]], tmp_path, memory=memory)
    assert not calls and fewer["reco"].values.tobytes() == ds["reco"].values[2:].tobytes()


def test_years_run_apart_are_years_run_together(cube, models, tmp_path):
    """The memory at the end of 2010, put down and taken up, is the memory that never stopped."""
    together, _ = _map(cube, models, tmp_path / "together", memory="carried", tile=500)
    _map(cube, models, tmp_path, label="2010", memory="carried")
    apart, _ = _map(cube, models, tmp_path, memory="carried", previous=str(tmp_path / "2010.json"), threads=2)
    for flux in ("gpp", "reco"):
        assert apart[flux].values.tobytes() == together[flux].values.tobytes()


def test_a_carried_memory_is_one_pass_over_all_years(cube, models, tmp_path, world):
    ds, _ = _map(cube, models, tmp_path, memory="carried", spinup=24)
    row, column = np.argwhere(world["land_fraction"].values >= 0.02)[7]
    cell = world.isel(lat=[row], lon=[column]).stack(site=("lat", "lon")).reset_index("site").transpose("site", "time", ...)
    members = load_ensemble(models)
    steps = np.r_[9:12, np.arange(12), np.arange(12), np.arange(24)]
    expected = predict(members, cell, Piece(steps, lead=3, skip=36), batch=1, device=torch.device("cpu"))
    np.testing.assert_allclose(ds["gpp"].values[:, :, row, column], expected[:, 0, :, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_memory_that_is_not_as_it_was_put_down_is_refused_and_made_anew(cube, models, tmp_path, how):
    _map(cube, models, tmp_path, label="2010", memory="carried")
    file = sorted((tmp_path / "2010.memory").rglob("*.safetensors"))[0]
    file.unlink() if how == "lost" else file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ContractError, match="year before"):
        _map(cube, models, tmp_path, memory="carried", previous=str(tmp_path / "2010.json"))
    _map(cube, models, tmp_path, label="2010", memory="carried")
    _, manifest = _map(cube, models, tmp_path, memory="carried", previous=str(tmp_path / "2010.json"))
    assert manifest["missing"] == 0


def test_a_model_without_memory_is_not_carried(cube, save_member, tmp_path, monkeypatch):
    folder = save_member(tmp_path / "m", member=0)
    monkeypatch.setattr(worker, "load_ensemble", lambda f: [_with_context(m) for m in load_ensemble(f)])
    with pytest.raises(ContractError, match="carries no memory"):
        _map(cube, [folder], tmp_path / "out", memory="carried")


def _with_context(member):
    options = member.spec.options.model_copy(update={"context": 4})
    return replace(member, spec=member.spec.model_copy(update={"options": options}))


def test_fast_numbers_are_near_and_their_difference_is_measured(cube, models, untiled, tmp_path):
    ds, manifest = _map(cube, models, tmp_path, tile=500, numerics="fast")
    found = manifest["difference"]
    assert manifest["numerics"] == "fast" and 0 < found["rms"] < 0.05 and found["rms"] < found["largest"] < 0.5
    off = ds["gpp"].values - untiled[0]["gpp"].values
    assert 0 < np.nanmax(np.abs(off)) < 0.5 and untiled[1]["numerics"] == "exact"
    tiled, _ = _map(cube, models, tmp_path / "tiled", tile=7, numerics="fast", batch=3)
    assert tiled["gpp"].values.tobytes() == ds["gpp"].values.tobytes()


def test_what_a_longer_spinup_would_change_is_measured(cube, models, tmp_path):
    found = [_map(cube, models, tmp_path / str(n), spinup=n)[1]["spinup_difference"] for n in (24, 384)]
    assert found[0]["largest"] > 0.01 and found[0]["rms"] > 10 * found[1]["rms"]
    assert "spinup_difference" not in _map(cube, models, tmp_path / "carried", memory="carried")[1]


def test_tiles_of_other_code_are_not_taken_over(cube, models, tmp_path, monkeypatch):
    _map(cube, models, tmp_path)
    calls = _computed(monkeypatch)
    _map(cube, models, tmp_path)
    assert not calls
    monkeypatch.setattr(provenance, "code_digest", lambda *modules: "other")
    _, manifest = _map(cube, models, tmp_path)
    assert len(calls) == len(manifest["tiles"])


@pytest.mark.parametrize("parts", [1, 3])
def test_jobs_share_a_store(cube, models, untiled, tmp_path, monkeypatch, parts):
    given = {"cube": str(cube), "models": models, "label": "2011", "predictions": str(tmp_path / "2011.zarr"), "tile": 5}
    given |= {"min_land_fraction": 0.02, "engine": INFERENCE, "threads": 1}
    for part in reversed(range(parts)):
        stage.predict_part(**given, record=str(tmp_path / f"{part}.json"), part=part, parts=parts)
    calls = _computed(monkeypatch)
    ds, manifest = _map(cube, models, tmp_path)
    assert not calls and ds["gpp"].values.tobytes() == untiled[0]["gpp"].values.tobytes()
    said = [set(files.read_json(tmp_path / f"{part}.json")["tiles"]) for part in range(parts)]
    assert set().union(*said) == set(manifest["tiles"]) and sum(map(len, said)) == len(manifest["tiles"])


def test_a_second_writer_is_refused(cube, models, tmp_path):
    with caches.locked(tmp_path / "2011.tiles"), pytest.raises(InputError, match="another process"):
        _map(cube, models, tmp_path)


def test_a_full_disk_is_said_and_finished_tiles_are_kept(cube, models, untiled, tmp_path, monkeypatch):
    real, written = caches.Cache.put, []

    def full(cache, name, *arguments, **options):
        written.extend([name] if name.endswith(".json") else [])
        if len(written) == 4:
            raise OSError(28, "No space left on device", name)
        return real(cache, name, *arguments, **options)

    monkeypatch.setattr(caches.Cache, "put", full)
    with pytest.raises(InputError, match="cannot be written"):
        _map(cube, models, tmp_path)
    monkeypatch.setattr(caches.Cache, "put", real)
    ds, _ = _map(cube, models, tmp_path)
    assert ds["gpp"].values.tobytes() == untiled[0]["gpp"].values.tobytes()


def test_a_folder_that_vanishes_under_a_tile_is_named_where_its_error_comes(cube, models, tmp_path, monkeypatch):
    real = caches.Cache.put

    def vanish(cache, name, *arguments, **options):
        if cache.folder.name == "2011.tiles":
            raise FileNotFoundError(2, "No such file or directory", str(cache.path(name)))
        return real(cache, name, *arguments, **options)

    monkeypatch.setattr(caches.Cache, "put", vanish)
    monkeypatch.setattr(TileStore, "naming_removal", lambda store: nullcontext())  # what a process returns has no cause any more
    with pytest.raises(StoreRemovedError, match=r"removed while its tiles were written[\s\S]*gone: "):
        _map(cube, models, tmp_path)


@pytest.fixture
def tower_files(world, tmp_path) -> dict:
    sites = ["DE-Aaa", "NA-Bbb", "AU-Ccc"]
    row, column = np.argwhere(world["land_fraction"].values > 0)[[3, 40, 70]].T
    ds = world.isel(lat=xr.DataArray(row, dims="site"), lon=xr.DataArray(column, dims="site")).drop_vars("land_fraction")
    ds = ds.transpose("site", "time", ...).assign_coords(site=sites)
    random = np.random.default_rng(0)
    for flux in ("gpp", "reco", "nee"):
        ds[flux] = (("site", "time"), random.normal(2, 1, (3, 24)).astype("f4"), variables.attributes(flux))
    ds["nee"][1, :20] = np.nan
    ds["nee_qc"] = (("site", "time"), np.full((3, 24), 0.9, "f4"))
    ds = ds.assign_coords(igbp_class=("site", ["ENF"] * 3), koppen_class=("site", ["Temperate"] * 3))
    ds.to_netcdf(tmp_path / "grid.nc")
    table = pd.DataFrame({"site": sites, "group": [0, 1, 2], "fold": ["0", "1", "near-test"]})
    table.to_csv(tmp_path / "splits.csv", index=False)
    return {"samples": str(tmp_path / "grid.nc"), "splits": str(tmp_path / "splits.csv")}


def _towers(tower_files, folders, tmp_path, threads=1):
    table, batches = tmp_path / "members.parquet", {"batch": 64, "device": "cpu"}
    labels = {"model": "tamrl", "drivers": "grid"}
    predict_towers(**tower_files, models=folders, table=str(table), **labels, batches=batches, threads=threads)
    return pd.read_parquet(table)


def test_folds_side_by_side_give_the_same_table(tower_files, save_member, tmp_path):
    folders = [save_member(tmp_path / f"{f}-{m}", member=m, fold=f) for f in "01" for m in range(2)]
    pd.testing.assert_frame_equal(_towers(tower_files, folders, tmp_path), _towers(tower_files, folders, tmp_path, threads=3))


def test_towers_are_predicted_by_the_members_that_did_not_see_them(tower_files, save_member, tmp_path):
    folders = [save_member(tmp_path / f"{f}-{m}", member=m, fold=f) for f in "01" for m in range(2)]
    rows = _towers(tower_files, folders, tmp_path)
    assert list(rows) == ["model", "fold", "drivers", "member", "site", "date", "flux", "observed", "qc", "predicted"]
    assert rows.groupby("site")["fold"].unique().str[0].to_dict() == {"DE-Aaa": "0", "NA-Bbb": "1"}
    assert rows.groupby(["site", "member", "flux"]).size().loc["NA-Bbb", 0].to_dict() == {"gpp": 24, "nee": 4, "reco": 24}
    assert rows["predicted"].notna().all() and rows["member"].nunique() == 2
    wide = rows[rows["site"] == "DE-Aaa"].pivot(index=["member", "date"], columns="flux", values="predicted")
    np.testing.assert_array_equal(wide["nee"], wide["reco"] - wide["gpp"])


def test_a_member_that_saw_the_tower_is_refused(tower_files, save_member, tmp_path):
    folders = [save_member(tmp_path / f"{f}", fold=f, sites=("DE-Aaa",)) for f in "01"]
    with pytest.raises(ContractError, match="DE-Aaa"):
        _towers(tower_files, folders, tmp_path)

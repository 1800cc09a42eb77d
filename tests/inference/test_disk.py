"""A disk that is full: the run ends with the name of what it could not write, and goes on once there is room (fault 3)."""

import pytest

from tamrl import files
from tamrl.inference.executors import processes
from tamrl.inference.stage import predict_part
from tests.inference.test_chaos import _arguments, _finish, _hashes, _start


@pytest.mark.parametrize("threads", [1, 2, processes.THREADS + 1])
def test_fault_3_a_full_disk_is_named_and_nothing_is_lost(cube, models, tmp_path, threads):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    _finish(_start(cube, models, whole, threads))
    predict_part(**_arguments(cube, models, broken), record=str(broken / "part.json"), threads=1, part=0, parts=4)
    kept = {p.name: p.read_bytes() for p in (broken / "2011.tiles").glob("*.json")}
    assert kept
    memories = (whole / "2011.memory").rglob("*.safetensors")
    limit = max(p.stat().st_size for p in memories if f"{p.parent.name}.json" not in kept) - 1

    process = _start(cube, models, broken, threads, most=limit)
    _, said = process.communicate()
    assert process.returncode == 1
    assert b"cannot be written" in said and b"2011" in said and b"make room" in said
    assert not (broken / "2011.json").exists() and not [p for p in broken.rglob("*.part*") if not files.is_seal(p.name)]

    _finish(_start(cube, models, broken, threads))
    assert _hashes(broken) == _hashes(whole)
    assert all((broken / "2011.tiles" / name).read_bytes() == content for name, content in kept.items())

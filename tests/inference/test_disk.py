"""A disk that is full: the run ends with the name of what it could not write, and goes on once there is room (fault 3)."""

import pytest

from tests.inference.test_chaos import _finish, _hashes, _start


@pytest.mark.parametrize("threads", [1, 2])
def test_fault_3_a_full_disk_is_named_and_nothing_is_lost(cube, models, tmp_path, threads):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    _finish(_start(cube, models, whole, threads))
    sizes = sorted(p.stat().st_size for p in (whole / "2011.memory").rglob("*.safetensors"))
    limit = sizes[-1] - 1
    assert sizes[0] < limit, "some tiles must fit and others not"

    process = _start(cube, models, broken, threads, most=limit)
    _, said = process.communicate()
    assert process.returncode == 1
    assert b"cannot be written" in said and b"2011" in said and b"make room" in said
    assert not (broken / "2011.json").exists() and not list(broken.rglob("*.part*"))
    kept = {p.name: p.read_bytes() for p in (broken / "2011.tiles").glob("*.json")}

    _finish(_start(cube, models, broken, threads))
    assert _hashes(broken) == _hashes(whole)
    assert kept and all((broken / "2011.tiles" / name).read_bytes() == content for name, content in kept.items())

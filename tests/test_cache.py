"""The cache: an entry is given back only if it is intact and has the key that is asked for."""

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamrl import files, lineage, temporary
from tamrl.cache import Cache, Key

ROOT = Path(__file__).parents[1]
KEY = Key("abc", {"numpy": "2.0"}, {"step": "day", "options": {"grid": 0.25, "years": (2000, 2001)}}, {"tower": "12 34"})
CONTENT = b"0123456789" * 100


def _put(cache: Cache, name: str = "a.bin", key: Key = KEY, content: bytes = CONTENT) -> Path:
    with cache.put(name, key) as part:
        part.write_bytes(content)
    return cache.path(name)


def _changed(**parts) -> Key:
    return Key(**KEY.to_json() | parts)


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


def test_an_entry_is_given_back_under_its_key(cache):
    assert cache.get("a.bin", KEY) is None and cache.stored("a.bin") is None
    path = _put(cache)
    assert cache.get("a.bin", KEY) == path
    assert path.read_bytes() == CONTENT
    assert cache.stored("a.bin") == KEY


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (_changed(code="abd"), "code"),
        (_changed(software={"numpy": "2.1"}), "software.numpy"),
        (_changed(software={"numpy": "2.0", "pandas": "3.0"}), "software.pandas"),
        (_changed(config={"step": "month", "options": {"grid": 0.25, "years": [2000, 2001]}}), "config.step"),
        (_changed(config={"step": "day", "options": {"grid": 0.5, "years": [2000, 2001]}}), "config.options.grid"),
        (_changed(inputs={}), "inputs.tower"),
    ],
)
def test_an_entry_of_another_key_is_not_given_back_and_the_log_says_why(cache, caplog, other, difference):
    _put(cache)
    assert KEY.differences(other) == (difference,) and KEY.digest != other.digest
    with caplog.at_level(logging.INFO):
        assert cache.get("a.bin", other) is None
    assert difference in caplog.text
    _put(cache, key=other, content=b"new")
    assert cache.get("a.bin", other).read_bytes() == b"new" and cache.get("a.bin", KEY) is None


def test_equal_keys_are_equal_after_files_and_processes(cache):
    again = Key(**json.loads(json.dumps(KEY.to_json())))
    assert again == KEY == pickle.loads(pickle.dumps(KEY)) and again.digest == KEY.digest and len({again, KEY}) == 1
    assert KEY.differences(again) == ()


def test_a_key_of_modules_changes_with_the_libraries_that_they_import(monkeypatch):
    made = [Key.of("tamrl.towers.survey", config={})]
    monkeypatch.setattr(lineage, "package_version", lambda package: "99" if package == "pandas" else "1")
    made.append(Key.of("tamrl.towers.survey", config={}))
    assert "software.pandas" in made[0].differences(made[1]) and "code" not in made[0].differences(made[1])
    assert "torch" not in made[0].software


@pytest.mark.parametrize("cut", [0, 500, len(CONTENT) - 1])
def test_a_damaged_entry_is_not_given_back(cache, caplog, cut):
    path = _put(cache)
    path.write_bytes(CONTENT[:cut] + b"#" + CONTENT[cut + 1 :])
    assert cache.get("a.bin", KEY) is None and cache.stored("a.bin") is None
    assert "damaged" in caplog.text
    _put(cache)
    assert cache.get("a.bin", KEY)


@pytest.mark.parametrize("seal", ["", "{", '{"rule": "x"}', "gone"])
def test_a_damaged_seal_gives_nothing_back(cache, seal):
    path = files.seal_file(_put(cache))
    path.unlink() if seal == "gone" else path.write_text(seal)
    assert cache.get("a.bin", KEY) is None


def test_what_was_sealed_without_a_key_is_no_entry(cache):
    with files.atomic(cache.path("a.bin")) as part:
        part.write_bytes(CONTENT)
    assert cache.get("a.bin", KEY) is None


def test_a_folder_is_an_entry_and_each_file_of_it_is_compared(cache):
    with cache.put("tower", KEY) as part:
        part.mkdir()
        for name in ("table", "place"):
            (part / name).write_bytes(CONTENT)
    assert cache.get("tower", KEY) == cache.path("tower")
    (cache.path("tower") / "place").unlink()
    assert cache.get("tower", KEY) is None


def test_prune_removes_all_entries_but_those_named(cache):
    for name in ("a/one", "a/two", "b/three", "four"):
        _put(cache, name)
    with files.atomic(cache.path("b/earlier")) as part:
        part.write_bytes(CONTENT)
    (cache.folder / "lock").touch()
    assert cache.prune(keep=("a/two", "not there")) == ("a/one", "b/earlier", "b/three", "four")
    left = {p.relative_to(cache.folder).as_posix() for p in cache.folder.rglob("*")}
    assert left == {"a", "a/two", "a/.two.seal", "lock"}
    assert cache.get("a/two", KEY)
    cache.remove("a/two")
    cache.remove("a/two")
    assert cache.get("a/two", KEY) is None and Cache(cache.folder / "absent").prune() == ()


def test_an_error_half_way_keeps_the_entry_from_before(cache):
    _put(cache)
    with pytest.raises(RuntimeError), cache.put("a.bin", _changed(code="new")) as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert cache.get("a.bin", KEY).read_bytes() == CONTENT


WRITER = """
import sys, time
from pathlib import Path
from tamrl.cache import Cache, Key
cache, number, pause = Cache(Path(sys.argv[1])), sys.argv[2], float(sys.argv[3])
key = Key(number, {}, {}, {})
print("ready", flush=True)
for _ in range(int(sys.argv[4])):
    with cache.put("a.bin", key) as part:
        with part.open("wb") as file:
            for _ in range(100):
                file.write(number.encode() * 1000)
                file.flush()
                time.sleep(pause)
"""


def _writer(cache: Cache, number: str, *, pause: float, times: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(cache.folder), number, str(pause), str(times)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    return process


def test_a_killed_writer_leaves_the_entry_from_before(cache):
    key = Key("1", {}, {}, {})
    _put(cache, key=key)
    with _writer(cache, "2", pause=0.01, times=1000) as process:
        while not list(cache.folder.glob(f"{temporary.PART}*/a.bin")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert cache.get("a.bin", key).read_bytes() == CONTENT
    cache.prune(keep=["a.bin"])
    assert {p.name for p in cache.folder.iterdir()} == {"a.bin", ".a.bin.seal"}


def test_two_writers_at_once_never_give_a_mixture(cache):
    keys = {number: Key(number, {}, {}, {}) for number in "12"}
    writers = [_writer(cache, number, pause=0.0, times=60) for number in "12"]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        for number, key in keys.items():
            if path := cache.get("a.bin", key):
                seen += 1
                assert set(path.read_bytes()) <= {ord("1"), ord("2")} and path.stat().st_size == 100_000, number
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    assert seen
    _put(cache, key=keys["1"])
    assert cache.get("a.bin", keys["1"]).read_bytes() == CONTENT


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_fault_of_the_machine(cache):
    cache.folder.mkdir()
    cache.folder.chmod(0o500)
    with pytest.raises(files.MachineError):
        _put(cache)

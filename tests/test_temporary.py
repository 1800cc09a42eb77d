"""Temporary places: nobody can plant or collide with a name, and a product is replaced at once."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamrl import files, temporary
from tamrl.errors import MachineError

ROOT = Path(__file__).parents[1]


def write(path, content="new"):
    with files.atomic(path) as part:
        part.write_text(content)


def folder(path, content):
    with files.atomic(path) as part:
        part.mkdir()
        (part / "a").write_text(content)


def test_links_planted_at_old_names_are_not_followed(tmp_path):
    (victim := tmp_path / "victim").write_text("mine")
    for name in (f".part-{os.getpid()}-report.html", ".part-report.html", f".part-{os.getpid()}-.report.html.seal"):
        (tmp_path / name).symlink_to(victim)
    write(tmp_path / "report.html")
    assert victim.read_text() == "mine" and (tmp_path / "report.html").read_text() == "new"
    assert not (tmp_path / "report.html").is_symlink()


def test_a_link_at_the_final_name_is_replaced_and_not_followed(tmp_path):
    (victim := tmp_path / "victim").mkdir()
    (tmp_path / "store").symlink_to(victim)
    folder(tmp_path / "store", "new")
    assert not (tmp_path / "store").is_symlink() and (tmp_path / "store/a").read_text() == "new" and not list(victim.iterdir())


def test_places_have_names_of_their_own_and_are_closed_to_others(tmp_path):
    with temporary.temporary_place(tmp_path / "a") as one, temporary.temporary_place(tmp_path / "a") as two:
        assert one.parent != two.parent and one.name == two.name == "a"
        assert one.parent.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tamrl import files, temporary
{before}
with files.atomic(Path(sys.argv[1])) as part:
    part.write_text("half")
    {then}
"""


def _ended(path, then, before=""):
    code = KILLED.format(before=before, then=then)
    return subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)


def test_what_a_killed_process_left_goes_and_what_a_running_one_makes_stays(tmp_path):
    running = _ended(tmp_path / "b", "print(flush=True); time.sleep(60)")
    running.stdout.readline()
    killed = _ended(tmp_path / "a", "os.kill(os.getpid(), signal.SIGKILL)")
    killed.wait()
    assert len(list(tmp_path.glob(".part-*"))) == 2
    temporary.sweep(tmp_path)
    (left,) = tmp_path.glob(".part-*")
    assert (left / "b").read_text() == "half"
    running.kill()
    running.wait()
    write(tmp_path / "c")  # each process sweeps a folder before it first writes there
    assert not list(tmp_path.glob(".part-*"))


def test_foreign_folders_are_not_swept(tmp_path):
    (mine := tmp_path / ".part-mine").mkdir()
    (mine / "thesis.txt").write_text("x")
    temporary.sweep(tmp_path)
    assert (mine / "thesis.txt").exists()


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("moment", ["rename", "rmtree"])
def test_killed_at_any_moment_of_the_replacement_one_of_the_two_is_there(tmp_path, exchange, moment):
    folder(tmp_path / "store", "old")
    code = (
        "import os, shutil, signal; from pathlib import Path; from tamrl import files, temporary\n"
        "end = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        + ("" if exchange else "temporary._exchange = lambda *a: False\n")
        + f"path = Path({str(tmp_path / 'store')!r})\n"
        "with files.atomic(path) as part:\n    part.mkdir(); (part / 'a').write_text('new')\n"
        + (
            "    rename = Path.rename\n    Path.rename = lambda s, t: rename(s, t) if s == path else end()\n"
            if moment == "rename"
            else "    temporary.shutil.rmtree = end\n"
        )
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    temporary.sweep(tmp_path)
    assert (tmp_path / "store/a").read_text() in ("old", "new")
    assert not list(tmp_path.glob(".part-*"))


def test_the_parent_is_synced_after_the_product_has_its_name(tmp_path, monkeypatch):
    seen, sync = [], temporary._sync
    monkeypatch.setattr(temporary, "_sync", lambda path: seen.append((Path(path), (tmp_path / "a").exists())) or sync(path))
    write(tmp_path / "a")
    assert seen[-1] == (tmp_path, True) and any(path.name == "a" and not there for path, there in seen)


def test_a_temporary_folder_of_downloads_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".d.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match=r"\.d\.part"):
        temporary.begun(tmp_path / "d")


def test_a_link_in_place_of_half_a_download_is_not_followed(tmp_path):
    (victim := tmp_path / "victim").write_text("mine")
    (tmp_path / ".a.part").symlink_to(victim)
    for mode in ("ab", "wb"):
        with pytest.raises(OSError), open(tmp_path / ".a.part", mode, opener=temporary.no_link):
            pass
    assert victim.read_text() == "mine"


def test_a_failed_exchange_is_an_error_with_both_names(tmp_path):
    with pytest.raises(OSError, match="gone") as caught:
        temporary._exchange(tmp_path / "gone", tmp_path / "lost")
    assert caught.value.errno == errno.ENOENT


def test_no_module_makes_temporary_names_of_its_own(root):
    for file in sorted((root / "tamrl").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if file.name != "temporary.py":
            assert "mkstemp" not in text and "mktemp" not in text and "NamedTemporaryFile" not in text, file
            assert not any("getpid()" in line and ".part" in line for line in text.splitlines()), file


def test_sweeping_takes_no_place_that_is_being_locked(tmp_path):
    end, count = time.monotonic() + 2, 0
    code = f"from pathlib import Path; from tamrl import temporary\nwhile True: temporary.sweep(Path({str(tmp_path)!r}))"
    sweeper = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        while time.monotonic() < end:
            write(tmp_path / "a", str(count))
            assert (tmp_path / "a").read_text() == str(count)
            count += 1
    finally:
        sweeper.kill()
        sweeper.wait()
    assert count > 5

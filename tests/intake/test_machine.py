"""A machine on which each job would fail is named before the first."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tamrl.errors import MachineError
from tamrl.intake import machine

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mark", list(" '\"$`\\*?()<>|&;\n\t"))
def test_signs_of_the_shell_in_the_path_are_refused(mark):
    with pytest.raises(MachineError, match="jobs cannot be started"):
        machine.check_machine(f"/home/My{mark}Drive/.venv/bin/python")


@pytest.mark.parametrize("name", ["Müller", "数据", "a,b", "a=b", "a+b", "a#b", "a~b", "a:b", "a[b]", "a{b", "a@b%"])
def test_other_signs_pass(name):
    machine.check_machine(f"/home/{name}/.venv/bin/python")


@pytest.mark.parametrize("name", ["{x}", "a{0}b", "{}", "My {virtual} Earth"])
def test_braces_in_the_path_of_the_project_are_refused(name, tmp_path, monkeypatch):
    with pytest.raises(MachineError, match="cannot run in this folder"):
        machine.check_machine(f"/home/{name}/.venv/bin/python")
    (place := tmp_path / name).mkdir()
    monkeypatch.chdir(place)
    with pytest.raises(MachineError, match="cannot run in this folder") as caught:
        machine.check_machine()
    assert caught.value.where == place


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_temporary_files_that_cannot_be_written_are_named(monkeypatch, number):
    def full(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setenv("TMPDIR", "/scratch/job")
    with pytest.raises(MachineError, match="set TMPDIR") as caught:
        machine.check_machine()
    assert caught.value.where == "/scratch/job" and os.strerror(number) in str(caught.value)


def _asked(**environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tamrl.intake.machine"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_a_temporary_folder_that_is_not_there_is_named_and_done_without(tmp_path):
    done = _asked(TMPDIR=str(tmp_path / "gone"))
    assert done.returncode == 0 and "gone, where nothing can be written" in done.stderr
    assert not _asked(TMPDIR=str(tmp_path)).stderr


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    done = _asked(HOME=str(tmp_path / "file"), XDG_CACHE_HOME="")
    assert done.returncode == 1 and "XDG_CACHE_HOME" in done.stderr and "Traceback" not in done.stderr


def test_make_refuses_a_path_with_a_blank_before_it_installs_anything(tmp_path):
    place = tmp_path / "My Drive"
    place.mkdir()
    for name in ("Makefile", "tamrl", "envs", "requirements.lock.txt"):
        (place / name).symlink_to(ROOT / name)
    command = ["make", "maps", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "in its path a blank" in done.stderr and not (place / ".venv").exists()


@pytest.mark.parametrize("mib", [1200, 900, 700])
def test_a_limit_of_memory_that_is_too_low_is_named_before_libraries_hang_on_it(root, mib):
    code = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({mib} << 20, {mib} << 20)); import tamrl.inference.stage"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root, timeout=60)
    assert done.returncode == 1
    assert "MachineError: a process may not have the memory" in done.stderr and f"{mib} MiB" in done.stderr
    assert "ulimit -v" in done.stderr

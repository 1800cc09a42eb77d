"""Locks of a folder: another job, a file system without locks and one that fails are three things."""

import errno
import fcntl
import os
import socket
import subprocess
import sys

import pytest

from tamrl import cache
from tamrl.errors import InputError, MachineError


def _flock(monkeypatch, number: int) -> None:
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.parametrize("number", [None, *cache.NO_LOCKS])
def test_a_second_job_is_refused_and_a_later_one_is_not(tmp_path, monkeypatch, number):
    if number:
        _flock(monkeypatch, number)
    for _ in range(2):
        with cache.locked(tmp_path), pytest.raises(InputError, match="another process"), cache.locked(tmp_path):
            pass
    assert not list(tmp_path.glob("*.held"))


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_has_is_called_that(tmp_path, monkeypatch, number):
    _flock(monkeypatch, number)
    with pytest.raises(InputError, match="another process writes here"), cache.locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EROFS, errno.ENOSPC])
def test_a_file_system_that_fails_is_not_called_another_job(tmp_path, monkeypatch, number):
    _flock(monkeypatch, number)
    with pytest.raises(MachineError, match=errno.errorcode[number]), cache.locked(tmp_path):
        pass


def test_what_a_killed_process_held_is_taken_over_but_not_what_another_machine_holds(tmp_path, monkeypatch):
    _flock(monkeypatch, errno.ENOSYS)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mark = tmp_path / "lock.held"
    mark.write_text(f"process {ended.pid} of {socket.gethostname()}")
    with cache.locked(tmp_path, patience=5):
        assert str(os.getpid()) in mark.read_text()
    mark.write_text(f"process {ended.pid} of elsewhere")
    with pytest.raises(InputError, match=f"of elsewhere[\\s\\S]*delete {mark}"), cache.locked(tmp_path):
        pass

"""Every exception of a reader comes out named, and the machine is not taken for the file."""

import errno
import os

import pytest

from tamrl.errors import ConfigError, DownloadError, InputError, MachineError
from tamrl.intake import border


def raised(reason, **more):
    with pytest.raises(Exception) as caught, border.reading("the table cannot be read", where="a.csv, line 3", **more):
        raise reason
    return caught.value


@pytest.mark.parametrize(
    "kind", [ValueError, KeyError, IndexError, TypeError, UnicodeError, RuntimeError, AttributeError, OSError]
)
def test_any_exception_gets_the_file_and_the_advice(kind):
    error = raised(kind("odd"), todo="save it as CSV")
    assert (
        type(error) is InputError and error.where == "a.csv, line 3" and "odd" in error.found and error.todo == "save it as CSV"
    )
    assert isinstance(error.__cause__, kind)


def test_a_named_error_stays_what_it_is():
    first = ConfigError("no such key")
    assert raised(first) is first


@pytest.mark.parametrize("number", sorted(border.MACHINE))
def test_the_machine_is_blamed_for_what_is_its_fault(number):
    error = raised(OSError(number, os.strerror(number)), todo="fetch it again")
    said = os.strerror(number) if number == errno.ENOMEM else errno.errorcode[number]
    assert type(error) is MachineError and "fetch" not in error.todo and said in error.found


def test_memory_is_the_machines():
    assert type(raised(MemoryError())) is MachineError


@pytest.mark.parametrize(("reason", "todo"), [(FileNotFoundError, "path"), (PermissionError, "right")])
def test_a_file_that_is_not_there_or_closed_to_the_user(reason, todo):
    number = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}[reason]
    error = raised(reason(number, os.strerror(number)), todo="fetch it again")
    assert type(error) is InputError and todo in error.todo


def test_the_kind_of_error_can_be_chosen():
    assert type(raised(ValueError("x"), error=DownloadError)) is DownloadError


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_user_who_stops_is_obeyed(stop):
    with pytest.raises(stop), border.reading("x", where="y"):
        raise stop


@pytest.mark.parametrize(
    "reason",
    [
        MemoryError(),
        MemoryError("Unable to allocate 1.17 GiB for an array with shape (12, 360, 720, 50)"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("can't start new thread"),
        BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
        ImportError("libtorch_cpu.so: cannot allocate memory in static TLS block"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=lambda reason: f"{type(reason).__name__} {str(reason)[:20]}",
)
def test_a_stage_without_memory_or_threads_says_which_it_is_what_it_held_and_what_to_do(reason):
    @border.naming_machine_faults("predict_tiles")
    def stage():
        raise reason

    with pytest.raises(MachineError, match=r"predict_tiles[\s\S]*the process has had \d+ MiB[\s\S]*ulimit -v") as caught:
        stage()
    assert caught.value.__cause__ is reason and str(reason) in caught.value.found


def test_a_stage_that_is_wrong_stays_what_it_is():
    with pytest.raises(KeyError), border.naming_machine_faults("predict_tiles"):
        raise KeyError("gpp")

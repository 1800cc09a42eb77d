"""NetCDF and HDF4 are parsed in a process apart: whatever ends it ends as an error with the file, and the next file is read."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from pyhdf.SD import SD, SDC

from tamrl.drivers.formats import hdf4, netcdf
from tamrl.errors import InputError, MachineError
from tamrl.intake import isolated

FIELD = np.arange(24, dtype="f4").reshape(2, 3, 4)


def _file(path, shape=(2, 3, 4), values=FIELD):
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip("tyx", shape, strict=True):
            file.createDimension(name, size)
        variable = file.createVariable("v", "f4", tuple("tyx"), zlib=True, chunksizes=(1, 3, 4))
        file.createVariable("y", "f8", ("y",))[:] = np.arange(min(shape[1], 3)) if shape[1] < 10 else 0
        if values is not None:
            variable[:] = values
    return path


def _hdf(path, size=4):
    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    file.create("v", SDC.INT16, (size, size))[:2, :4] = np.arange(8, dtype="i2").reshape(2, 4)
    file.end()
    return path


READERS = {
    "NetCDF": (_file, lambda path: netcdf.open_decoded(path, where=path)["v"].values),
    "layer": (_file, lambda path: netcdf.stored_layer(path, "v").values),
    "HDF4": (_hdf, lambda path: hdf4.hdf4_layer(path, "v").values),
}


@pytest.fixture(params=READERS)
def reader(request, tmp_path):
    make, read = READERS[request.param]
    return make(tmp_path / "raw.nc"), read


@pytest.mark.parametrize("how", ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGXCPU"])
def test_a_library_that_ends_its_process_costs_one_file_and_names_it(reader, how):
    path, read = reader
    expected = read(path)
    os.kill(isolated._idle[-1].process.pid, signal.Signals[how])
    with pytest.raises(InputError, match=rf"raw\.nc[\s\S]*ended by {how}"):
        read(path)
    np.testing.assert_array_equal(read(path), expected)


def test_a_process_killed_for_memory_or_stopped_is_the_machines_fault(reader, monkeypatch):
    path, read = reader
    expected = read(path)
    os.kill(isolated._idle[-1].process.pid, signal.SIGKILL)
    with pytest.raises(MachineError, match=r"raw\.nc[\s\S]*killed"):
        read(path)
    read(path)
    monkeypatch.setattr(isolated, "PATIENCE", 1.0)
    os.kill(isolated._idle[-1].process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(MachineError, match=r"raw\.nc[\s\S]*no answer within 1 s"):
        read(path)
    assert time.monotonic() - begun < 10
    np.testing.assert_array_equal(read(path), expected)


def test_a_reader_without_end_uses_up_its_processor_time(tmp_path):
    code = f"import _child\n_child.SECONDS = 0\n_child._bounded({str(_file(tmp_path / 'a.nc'))!r}, 0, 0)\nwhile True: pass"
    place = Path(isolated.__file__).parent
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.append({str(place)!r})\n{code}"], timeout=60, check=False)
    assert done.returncode == -signal.SIGXCPU


@pytest.mark.parametrize("name", ["raw.nc", "raw.hdf"])
def test_more_than_a_file_of_its_size_can_hold_is_refused_before_memory_is_taken(tmp_path, name):
    path = tmp_path / name
    if name == "raw.nc":
        with pytest.raises(InputError, match=r"raw\.nc[\s\S]*declares 9,600,000,000 bytes"):
            netcdf.open_decoded(_file(path, (20_000, 30_000, 4), None), where=path)
        with pytest.raises(InputError, match=r"raw\.nc[\s\S]*declares"):
            netcdf.stored_layer(path, "v")
    else:
        file = SD(str(path), SDC.WRITE | SDC.CREATE)
        file.create("v", SDC.INT16, (40_000, 40_000)).endaccess()
        file.end()
        with pytest.raises(InputError, match=r"raw\.hdf \(v\)[\s\S]*declares"):
            hdf4.hdf4_layer(path, "v")


@pytest.mark.parametrize("anew", [False, True])
def test_a_file_overwritten_under_its_name_gives_its_new_values(tmp_path, anew):
    """HDF5 shares what it knows of an open file, so that a kept handle would go on giving the old ones."""
    path, read = _file(tmp_path / "raw.nc"), READERS["NetCDF"][1]
    assert read(path)[0, 0, 1] == 1 and netcdf.open_decoded(path, where=path)["y"].values[1] == 1
    content = (
        _file(tmp_path / "new.nc", values=FIELD + 7).read_bytes().replace(np.arange(3.0).tobytes(), np.arange(5.0, 8).tobytes())
    )
    if anew:
        path.unlink()
    path.write_bytes(content)
    assert read(path)[0, 0, 1] == 8 and netcdf.open_decoded(path, where=path)["y"].values[1] == 6


def test_threads_and_forked_processes_have_helpers_of_their_own(tmp_path):
    path, read = _file(tmp_path / "raw.nc"), READERS["layer"][1]
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(found, FIELD) for found in pool.map(read, [path] * 40))
    assert 1 <= len(isolated._idle) <= isolated.MOST
    forked = multiprocessing.get_context("fork").Process(target=lambda: np.testing.assert_array_equal(read(path), FIELD))
    forked.start()
    forked.join(60)
    assert forked.exitcode == 0 and np.array_equal(read(path), FIELD)


def test_helpers_end_with_their_parent(tmp_path):
    code = f"import os, pathlib; from tamrl.drivers.formats import netcdf; from tamrl.intake import isolated\n\
netcdf.stored_layer(pathlib.Path({str(_file(tmp_path / 'a.nc'))!r}), 'v'); print(isolated._idle[0].process.pid, flush=True)\n\
os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    pid, until = int(done.stdout), time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and time.monotonic() < until:
        if not Path(f"/proc/{pid}/cmdline").read_bytes():  # at its end, not yet waited for
            break
        threading.Event().wait(0.1)
    else:
        assert not Path(f"/proc/{pid}").exists()

"""The project's GRIB reader beside ecCodes: the same numbers, time, memory, and what either does with damaged messages.

Needs ecCodes, which the project does not install: in an environment of its own,
`pip install -r requirements.lock.txt eccodes; python -m tests.benchmarks.grib_readers`. Why the project keeps its own:
docs/architecture.md.
"""

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import dask
import numpy as np

from tamrl.drivers.formats import grib
from tamrl.errors import TamrlError
from tamrl.twin import hours
from tamrl.twin.lattice import WeatherLattice

DAYS, MUTATIONS, REPEATS = 31, 2000, 5
READERS = ("project", "eccodes")
BESIDE = "import eccodes, pyproj; pyproj.CRS('EPSG:4326')"
"""What ends the process with the binary wheels of ecCodes, which bring a PROJ of their own."""


def write(path, *, resolution, days):
    """Daily fields of temperature as the virtual Earth writes GRIB."""
    nodes, rng = WeatherLattice(resolution), np.random.default_rng(1)
    warm = 250 + 50 * np.sin(np.linspace(0, np.pi, nodes.shape[0]))[:, None]
    with open(path, "wb") as file:
        for day in range(days):
            times = np.array([np.datetime64("2011-01-01", "h") + 24 * day])
            field = (warm + rng.normal(0, 3, nodes.shape)).astype("float32")[None]
            file.write(hours.grib("t2m", field, times=times, nodes=nodes))


def by_project(path):
    """Fields (time, lat, lon) of a file, float32."""
    return [ds[name].values for ds in grib.open_grib(path) for name in ds]


def by_eccodes(path):
    """The same through ecCodes, message by message."""
    import eccodes

    fields = []
    with open(path, "rb") as file:
        while (message := eccodes.codes_grib_new_from_file(file)) is not None:
            shape = eccodes.codes_get(message, "Nj"), eccodes.codes_get(message, "Ni")
            fields.append(eccodes.codes_get_values(message).astype("float32").reshape(shape))
            eccodes.codes_release(message)
    return [np.stack(fields)] if fields else []


def read(reader, path):
    return {"project": by_project, "eccodes": by_eccodes}[reader](path)


def measured(reader, path):
    """Seconds of processor and peak memory (MiB) of reading a file in a process of its own."""
    code = "import sys; from tests.benchmarks import grib_readers as g; g.read(sys.argv[1], sys.argv[2]) and None"
    process = subprocess.Popen([sys.executable, "-c", code, reader, str(path)])
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def mutated(content, number):
    """The message cut, or with one octet changed."""
    rng, damaged = random.Random(number), bytearray(content)
    if rng.random() < 0.15:
        return bytes(damaged[: rng.randrange(len(damaged))])
    damaged[rng.randrange(120 if rng.random() < 0.6 else len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def outcome(reader, path):
    """What a reader says of a file, in a process of its own: read, refused by name, an unnamed error, or a signal."""
    inlet, outlet = os.pipe()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        signal.alarm(20)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            fields = read(reader, path)
            told = "read " + hashlib.sha256(b"".join(f.tobytes() for f in fields)).hexdigest()[:8] if fields else "nothing"
        except TamrlError:
            told = "refused by name"
        except BaseException as error:
            named = type(error).__module__.startswith(("gribapi", "eccodes"))
            told = "refused by name" if named else f"unnamed {type(error).__name__}"
        os.write(outlet, told.encode())
        os._exit(0)
    os.close(outlet)
    told = os.read(inlet, 200).decode()
    os.close(inlet)
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else told


def main():
    dask.config.set(scheduler="synchronous")  # children of a process with threads may hang
    with tempfile.TemporaryDirectory() as folder:
        month, small, odd = (Path(folder) / name for name in ("month.grib", "small.grib", "odd.grib"))
        write(month, resolution=0.25, days=DAYS)
        write(small, resolution=5.0, days=1)
        same = all(np.array_equal(a, b) for a, b in zip(*(read(r, month) for r in READERS), strict=True))
        print(f"{DAYS} days at 0.25 degrees, the same to the last bit: {same}")
        for reader in READERS:
            seconds, memory = np.median([measured(reader, month) for _ in range(REPEATS)], axis=0)
            print(f"  {reader}: {seconds:.2f} s of processor with starting Python, {memory:.0f} MiB at most")
        started = time.monotonic()
        for reader in READERS:
            counts = Counter()
            for number in range(MUTATIONS):
                odd.write_bytes(mutated(small.read_bytes(), number))
                counts[outcome(reader, odd).partition(" ")[0]] += 1
            print(f"  {reader}, {MUTATIONS} damaged messages: {dict(counts)}")
        print(f"  ({time.monotonic() - started:.0f} s)")
    done = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, check=False)
    print(f'python -c "{BESIDE}" ends with {done.returncode}')


if __name__ == "__main__":
    main()

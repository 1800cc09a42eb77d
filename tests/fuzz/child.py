"""Processes that read mutated samples of one target each, and say before and after each what they do; the parent watches them.

They are forked from one that has imported what they need. It reads requests on its standard input, one JSON line each.

A limit of memory above what the process holds after its imports stands for a machine: a small file that wants more is a fault.
"""

import importlib
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

from tamrl.errors import MachineError, TamrlError
from tests.fuzz import mutate
from tests.fuzz.base import Outcome, Target

MEMORY = 2 << 30
"""Address space beyond what is mapped after the valid sample was read (B)."""


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _named(error: TamrlError, folder: Path, sample: Path, file: Path) -> bool:
    """Whether the error names the file, or what it is part of: its store, its archive, its server."""
    return any(name in str(error) for name in (str(folder), sample.name, file.name))


def classify(target: Target, folder: Path, sample: Path, file: Path, valid: object) -> tuple[Outcome, str]:
    """What reading a mutated sample came to, and what was said."""
    try:
        found = target.read(sample)
    except MachineError as error:
        return "unnamed", f"the machine is blamed: {error}"
    except TamrlError as error:
        return ("refused" if _named(error, folder, sample, file) else "unnamed"), str(error)
    except BaseException:
        return "unnamed", traceback.format_exc(limit=-6)
    if found == valid:
        return "same", ""
    return ("silent" if target.guarded else "other"), ""


def run(module: str, name: str, seed: int, first: int, last: int) -> None:
    """Read the cases `first` to `last` - 1 of a target in `TARGETS` of a module; JSON lines on the standard output."""
    target = next(t for t in importlib.import_module(module).TARGETS if t.name == name)
    out = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"process": os.getpid()}), file=out, flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        base = Path(scratch)
        (base / "valid").mkdir()
        sample = target.make(base / "valid").relative_to(base / "valid")
        valid = [target.read(_copy(base, f"check-{k}") / sample) for k in (1, 2)]
        if valid[0] != valid[1]:
            raise AssertionError(f"{name}: the valid sample does not read the same twice")
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
        if mapped:
            resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, resource.RLIM_INFINITY))
        print(json.dumps({"ready": True}), file=out, flush=True)
        for case in range(first, last):
            rng = random.Random(f"{name} {seed} {case}")
            folder = _copy(base, f"case-{case}")
            file = rng.choice(_files(folder / sample))
            content, how = mutate.mutated(file.read_bytes(), rng)
            file.write_bytes(content)
            told = {"case": case, "file": str(file.relative_to(folder)), "how": how}
            print(json.dumps(told), file=out, flush=True)
            outcome, said = classify(target, folder, folder / sample, file, valid[0])
            print(json.dumps({"case": case, "outcome": outcome, "said": said}), file=out, flush=True)
            shutil.rmtree(folder, ignore_errors=True)


def _copy(base: Path, name: str) -> Path:
    return Path(shutil.copytree(base / "valid", base / name))


def serve() -> None:
    """Fork a process for each request, one after the other, and say how it ended."""
    importlib.import_module("tests.fuzz.targets")
    for line in sys.stdin:
        request = json.loads(line)
        if not (process := os.fork()):
            _run_and_exit(request)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(json.dumps({"exit": code}), flush=True)


def _run_and_exit(request: dict) -> NoReturn:
    os.environ.update(request["environment"])
    code = 1
    try:
        run(*request["arguments"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()

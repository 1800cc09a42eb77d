"""A training keeps memory that it frees."""

import ctypes
import platform
import subprocess
import sys

import pytest

from tamrl.training import memory

TOUCH = """
import resource, sys, torch
from tamrl.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
pages = 64 * 2**20 // resource.getpagesize()
for _ in range(20):  # its heap grows at first, as aligned tensors do not fit where one of their size was
    torch.ones(16 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16 * 2**20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / (10 * pages))
"""


def cleared(how: str) -> float:
    """Share of the pages of new tensors that the system has to clear."""
    done = subprocess.run([sys.executable, "-c", TOUCH, how], capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told")
def test_new_tensors_take_the_memory_of_old_ones():
    assert cleared("keep") < 0.01 < cleared("give back")


def test_other_c_libraries_do_without(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.keep_freed_memory()

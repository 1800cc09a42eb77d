"""Bits in each kind of file between stages of a finished run: refused by name, or made anew to the same (`tests.fuzz.stages`)."""

import random
import shutil

import pytest

from tamrl.errors import TamrlError
from tests.fuzz import stages

pytestmark = pytest.mark.slow
FLIPS = 3


@pytest.mark.parametrize("target", stages.TARGETS, ids=lambda target: target.name)
def test_a_bit_in_a_file_between_stages_is_refused_or_mended(finished, target, tmp_path, monkeypatch):
    monkeypatch.setenv("FUZZ_RUN", str(finished.results))
    numbers, whole, folder = random.Random(target.name), tmp_path / "whole", tmp_path / "folder"
    folder.mkdir()
    path = target.make(folder)
    content = path.read_bytes()
    shutil.copytree(folder, whole)
    expected = target.read(path)
    for _ in range(FLIPS):
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
        bit, changed = numbers.randrange(8 * len(content)), bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert target.read(path) == expected, f"bit {bit} of {path.name} changed what is read"
        except TamrlError as error:
            assert str(folder) in str(error) or path.name in str(error), error

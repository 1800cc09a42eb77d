"""A share of `make fuzz`: no mutated file is read wrongly without a word, stops a stage without its name, hangs or kills it."""

import random

import pytest

from tamrl.errors import InputError, MachineError
from tests.fuzz import faulty, foreign, mutate, network, run
from tests.fuzz.base import Target
from tests.fuzz.child import classify
from tests.fuzz.targets import TARGETS

CASES = range(15)
SEED = 16


@pytest.mark.parametrize("target", [*foreign.TARGETS, *network.TARGETS], ids=lambda target: target.name)
def test_no_mutated_file_is_silent_unnamed_hangs_or_kills(target):
    tally = run.run(target, seed=SEED, cases=CASES)
    assert not tally.faults
    assert sum(tally.counts.values()) == len(CASES)


def test_names_of_targets_are_unique():
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_the_same_seed_gives_the_same_mutation_and_never_the_content_itself():
    content = bytes(range(256)) * 3
    twice = [[mutate.mutated(content, random.Random(k)) for k in range(300)] for _ in (1, 2)]
    assert twice[0] == twice[1]
    assert all(data != content for data, _ in twice[0])
    assert {word for _, how in twice[0] for word in how.split(" + ")} >= {
        "bit",
        "byte",
        "extreme",
        "cut",
        "block",
        "number",
        "append",
    }


@pytest.mark.parametrize("size", [0, 1, 3])
def test_small_files_are_mutated_too(size):
    assert all(mutate.mutated(bytes(size), random.Random(k))[0] != bytes(size) for k in range(100))


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("read", "guarded", "outcome"),
    [
        (lambda path: "valid", True, "same"),
        (lambda path: "else", True, "silent"),
        (lambda path: "else", False, "other"),
        (lambda path: _raise(InputError("no", where=path)), True, "refused"),
        (lambda path: _raise(InputError("no", where="somewhere")), True, "unnamed"),
        (lambda path: _raise(MachineError("no", where=path)), True, "unnamed"),
        (lambda path: _raise(ValueError(path)), True, "unnamed"),
    ],
)
def test_outcomes_are_told_apart(tmp_path, read, guarded, outcome):
    file = tmp_path / "sample.bin"
    assert classify(Target("x", None, read, guarded), tmp_path, file, file, "valid")[0] == outcome


@pytest.mark.parametrize("target", faulty.TARGETS, ids=lambda target: target.name)
def test_faults_are_found_and_the_cases_after_them_are_read(target):
    tally = run.run(target, seed=1, cases=range(3), limit=1.0, module="tests.fuzz.faulty")
    assert tally.counts == {target.name: 3} and [fault["case"] for fault in tally.faults] == [0, 1, 2]

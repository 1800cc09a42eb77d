"""A share of `make fuzz`: mutations of each kind of file between the stages of a finished run."""

import pytest

from tests.fuzz import run, stages

pytestmark = pytest.mark.slow
CASES = range(4)


@pytest.mark.parametrize("target", stages.TARGETS, ids=lambda target: target.name)
def test_a_mutated_file_between_stages_is_refused_or_mended(finished, target, monkeypatch):
    monkeypatch.setenv("FUZZ_RUN", str(finished.results))
    assert not run.run(target, seed=16, cases=CASES).faults

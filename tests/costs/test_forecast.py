"""The time left of a run: by the rates before jobs have ended, by their seconds afterwards."""

import re

import pytest

from tamrl import config
from tamrl.costs import needs
from tamrl.costs.forecast import ALIKE, SHORT, Forecast, expected_job_seconds, jobs_at_once
from tamrl.costs.plan import DISPATCH
from tamrl.costs.size import RunSize
from tamrl.costs.work import NETWORK, RULES, TREE

JOBS = {"simulate_world": 1, "read_network": 2, "train_model": 6, "predict_tiles": 1, "write_map": 3, "write_summary": 1}


@pytest.fixture(scope="module")
def small(root):
    return config.load_files([root / "config/test.yaml"])


def test_rules_without_rates_are_like_those_whose_memory_they_ask_for(root):
    """Where the workflow says so, and nowhere else against it."""
    asked = {}
    for file in (root / "workflow/rules").glob("*.smk"):
        _, *parts = re.split(r"^ *(?:use rule \w+ as|rule) (\w+)", file.read_text(), flags=re.MULTILINE)
        for name, block in zip(parts[::2], parts[1::2], strict=True):
            if match := re.search(r'needs\("(\w+)"\)', block):
                asked[name] = match[1]
    assert len(asked) > 20
    assert {rule: alike for rule, alike in asked.items() if rule != alike} == {
        rule: alike for rule, alike in ALIKE.items() if rule in asked
    }
    assert set(ALIKE.values()) <= set(RULES) and not set(ALIKE) & set(RULES)


def test_expected_seconds_are_those_of_the_plan(small):
    expected, size = expected_job_seconds(JOBS, small, cores=2), RunSize.of(small)
    assert expected["write_map"] == pytest.approx(needs.job_seconds("write_map", size) + DISPATCH)
    assert expected["predict_tiles"] == pytest.approx(needs.job_seconds("predict_tiles", size, threads=2) + DISPATCH)
    kinds = sorted(needs.job_seconds(kind, size) + DISPATCH for kind in (NETWORK, TREE))
    assert kinds[0] < expected["train_model"] < kinds[1]
    assert expected["write_summary"] == SHORT + DISPATCH


def test_parts_of_a_map_share_its_time(small):
    several = small.model_copy(update={"inference": small.inference.model_copy(update={"jobs": 4})})
    whole = expected_job_seconds(["predict_tiles"], several, cores=2)["predict_tiles"] - DISPATCH
    assert expected_job_seconds(["predict_part"], several, cores=2)["predict_part"] == pytest.approx(whole / 4 + DISPATCH)


def test_more_processors_run_more_jobs_at_once(small):
    lanes = [jobs_at_once(JOBS, expected_job_seconds(JOBS, small, cores=n), cores=n) for n in (1, 2, 8)]
    assert lanes[0] == pytest.approx(1, abs=0.01) and 1 < lanes[1] <= 2 and lanes[1] < lanes[2] <= 8


def _walk(jobs, seconds, expected, *, lanes=1.0):
    """A run of one job after the other: the state at the end of each job as time, share and seconds left."""
    forecast, now, states = Forecast(jobs, expected, lanes, 0.0), 0.0, []
    number = 0
    for rule, count in jobs.items():
        for _ in range(count):
            forecast.start(number, rule, now)
            states.append((now + seconds[rule] / 2, forecast.share(now + seconds[rule] / 2), None))
            now += seconds[rule]
            forecast.end(number, now)
            states.append((now, forecast.share(now), forecast.seconds_left(now)))
            number += 1
    return now, states


@pytest.mark.parametrize("factor", [0.25, 1, 4])
def test_a_machine_of_another_speed_is_learnt(factor):
    """Half of the time is half of the bar, and the time left is right once the first jobs have ended."""
    expected = {"a": 20.0, "b": 60.0, "c": 200.0}
    jobs = {"a": 6, "b": 5, "c": 2}
    total, states = _walk(jobs, {rule: factor * value for rule, value in expected.items()}, expected)
    shares = [share for _, share, _ in states]
    assert shares[-1] == 1 and states[-1][2] == 0
    for now, share, left in states:
        if now > total / 4:
            assert share == pytest.approx(now / total, abs=0.1)
            assert left is None or left == pytest.approx(total - now, rel=0.35, abs=20)


def test_a_wrong_rate_is_mended_by_the_first_job():
    expected = {"a": 10.0, "b": 10.0}
    forecast = Forecast({"a": 4, "b": 1}, expected, 1.0, 0.0)
    assert forecast.seconds_left(0.0) == pytest.approx(50)
    forecast.start(1, "a", 0.0)
    forecast.end(1, 100.0)
    assert forecast.job_seconds("a") == 100 and forecast.job_seconds("b") == pytest.approx(40)
    assert forecast.seconds_left(100.0) == pytest.approx(340)


def test_a_failed_job_is_still_to_be_done():
    forecast = Forecast({"a": 2}, {"a": 10.0}, 1.0, 0.0)
    forecast.start(1, "a", 0.0)
    assert 0 < forecast.share(1000.0) < 0.5, "a job that runs long is not done"
    assert forecast.end(1, 5.0, good=False) == 5
    assert forecast.share(5.0) == 0 and forecast.done("a") == 0 and not forecast.running()

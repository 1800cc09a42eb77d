"""What `tamrl run` shows: phases, the time left, a line at least every half a minute, failures with their reason, and the end."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from tamrl import log
from tamrl.command.phases import PHASES, phases_of
from tamrl.command.progress import RunProgress, StartedJob, clock, failure_lines, roughly
from tamrl.command.screen import LiveScreen, PlainScreen, open_screen, phase_table
from tamrl.costs.forecast import Forecast
from tamrl.layout import File, RunLayout
from tamrl.report.summary import _cost
from tamrl.run_record import Hardware, JobCost, Provenance, closing_lines
from tests.workflow.conftest import PATIENCE, ROOT, Project

JOBS = {"read_network": 2, "harmonise_towers": 1, "train_model": 3, "count_frogs": 1}


def _progress() -> RunProgress:
    return RunProgress(Forecast(JOBS, dict.fromkeys(JOBS, 10.0), 1.0, 0.0))


def test_every_rule_of_the_workflow_is_in_one_phase():
    names = {"all", "atlas"}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        names |= set(re.findall(r"^\s*(?:use rule \w+ as|rule) (\w+)", file.read_text(), re.MULTILINE))
    listed = [rule for phase in PHASES for rule in phase.rules]
    assert sorted(listed) == sorted(names)


def test_phases_end_with_their_last_job_and_say_what_they_were_for():
    progress = _progress()
    assert [phase.title for phase in progress.phases] == ["Towers", "Models", "Others"]
    for number, rule in enumerate(["read_network", "read_network", "harmonise_towers"]):
        progress.start(StartedJob(number, rule, ("fluxnet",)), 10.0 * number)
    assert progress.finish(0, 30.0) is None and progress.finish(2, 40.0) is None
    phase = progress.finish(1, 75.0)
    said = "[1/3] Towers done at 1:15, 3 jobs: measured fluxes, tested for quality and brought to one table"
    assert " ".join(progress.finished_line(phase, 75.0).split()) == said
    assert phases_of(["nothing_known"])[0].title == "Others"


def test_the_state_names_share_time_and_jobs():
    progress = _progress()
    for number in range(5):
        progress.start(StartedJob(number, "train_model" if number < 3 else "read_network", ("tamrl", str(number))), 0.0)
    line = progress.status_line(5.0)
    assert re.match(
        r" *\d+ % of the time · 0:05 so far · (about|less than) .* left · running: train_model tamrl-0 \(0:05\)", line
    )
    assert line.endswith("2 more")
    assert (clock(59.6), clock(3661), roughly(3), roughly(600), roughly(7200)) == (
        "1:00",
        "1:01:01",
        "less than a minute",
        "about 10 min",
        "about 2.0 h",
    )


def test_a_job_that_is_tried_again_is_no_failure_any_more():
    progress = _progress()
    progress.start(StartedJob(1, "harmonise_towers"), 0.0)
    assert progress.fail(1, 4.0) == 4 and progress.failed and progress.done(progress.phases[0]) == 0
    progress.start(StartedJob(1, "harmonise_towers"), 5.0)
    assert not progress.failed


def test_without_a_terminal_silence_is_broken_by_the_state():
    stream = io.StringIO()
    screen = PlainScreen(stream, heartbeat=0.2)
    screen.begin(_progress())
    time.sleep(1.1)
    screen.end()
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 6 and all("% of the time" in line for line in lines)
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()
    time.sleep(0.4)
    assert stream.getvalue().splitlines() == lines, "nothing after the end"


def test_a_terminal_shows_a_table_that_goes_and_lines_that_stay():
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        screen = open_screen(stream)
        assert isinstance(screen, LiveScreen)
        screen.begin(_progress())
        screen.say("[1/3] a line that stays")
        screen.end()
    text = b""
    while chunk := _read(leader):
        text += chunk
    shown = text.decode()
    assert "Towers" in shown and "0 of 3 jobs" in shown and "[1/3] a line that stays" in shown
    assert "\x1b[2K" in shown, "the table is taken away"


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # the other side is closed
        return b""


def test_the_table_has_the_phases_that_have_not_ended():
    progress = _progress()
    progress.start(StartedJob(1, "count_frogs"), 0.0)
    progress.finish(1, 10.0)
    console = Console(file=(stream := io.StringIO()), width=120)
    console.print(phase_table(progress, 20.0))
    text = stream.getvalue()
    assert "Towers" in text and "Models" in text and "Others" not in text and "30" in text


LOG = """2026-01-01T10:00:00 INFO    tamrl.towers: 3 towers
2026-01-01T10:00:01 ERROR   tamrl: the file is cut
  where: a.zip
  to do: fetch it again
Traceback (most recent call last):
  File "x.py", line 3, in read
    raise InputError("the file is cut")
tamrl.errors.InputError: the file is cut
  where: a.zip
2026-01-01T10:00:02 WARNING py.warnings: late
"""


def test_of_an_error_its_class_and_message_are_shown_without_the_trace(tmp_path):
    (path := tmp_path / "job.log").write_text(LOG)
    assert log.error_lines(path) == ["InputError: the file is cut", "  where: a.zip", "  to do: fetch it again"]
    path.write_text("2026-01-01T10:00:01 ERROR   tamrl: 'x'\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n")
    assert log.error_lines(path) == ["KeyError: 'x'"]
    path.write_text("2026-01-01T10:00:00 INFO    tamrl: step 1\n" * 40)
    assert len(lines := log.error_lines(path)) == 13 and "stopped from outside" in lines[-1]
    assert "no log" in log.error_lines(tmp_path / "none.log")[0]
    shown = failure_lines(StartedJob(1, "read_network", ("flux\x1b[2Jnet",)), 61.0, ["a.log"], ["bad \x1b[31m"])
    assert shown[0].startswith("FAILED read_network flux") and shown[0].endswith("after 1:01") and shown[1] == "  log: a.log"
    assert not any("\x1b" in line for line in shown), "foreign text moves no cursor"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("terminal") / "project")


def _start(project: Project, *words: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "tamrl", "run", "config/test.yaml", "--cores", "2", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, cwd=project.folder, env=project.environment, text=True, **pipes)


def _run(project: Project, *words: str) -> tuple[int, str, str]:
    with _start(project, *words) as process:
        out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


TOWERS = "results/test/towers/towers.csv"


@pytest.fixture(scope="module")
def made(project) -> tuple[int, str, str]:
    """A run up to the towers: exit code, and what went to both streams."""
    return _run(project, "--", TOWERS)


@pytest.mark.slow
def test_ctrl_c_stops_a_run_and_leaves_no_lock(tmp_path):
    project = Project(tmp_path / "project")
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # a shell's background ignores it
    with _start(project, "--", TOWERS, start_new_session=True, **heard) as process:
        logs = project.results / "logs"
        deadline = time.monotonic() + PATIENCE
        while not (logs.exists() and any(logs.rglob("*.log"))) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all processes
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert "Terminating processes" in err and "Traceback" not in err
    assert not list((project.folder / ".snakemake/locks").glob("*"))


@pytest.mark.slow
def test_a_run_shows_phases_and_keeps_the_output_of_snakemake_in_a_file(project, made):
    code, out, err = made
    assert code == 0, err
    lines = err.splitlines()
    assert re.match(r"tamrl · run test · \d+ jobs · 2 cores · (about|less than)", lines[0])
    name = lines[1].partition(": ")[2]
    ends = [line for line in lines if re.match(r"\[\d/2\] .* done at ", line)]
    assert [line.split(" done ")[0][6:].strip() for line in ends] == ["Virtual Earth", "Towers"]
    written = (project.folder / name).read_text()
    assert "rule write_archives:" in written and "steps (100%) done" in written
    assert not any(word in out + err for word in ("rule write_archives", "reason:", "Finished jobid"))
    assert out.startswith("In all: ") and out.splitlines()[1].startswith("Done.")


@pytest.mark.slow
def test_a_run_with_nothing_to_do_says_so(project, made):
    code, out, err = _run(project, "--", TOWERS)
    assert code == 0 and err.startswith("Nothing to be done") and "Done." in out


@pytest.mark.slow
def test_verbose_brings_the_output_of_snakemake_back(project, made):
    code, out, err = _run(project, "--verbose", "--", "--forcerun", "harmonise_towers", "--", TOWERS)
    assert code == 0 and "rule harmonise_towers:" in err and "Done." in out and "done at" not in err


@pytest.mark.slow
def test_a_failed_job_is_shown_with_rule_log_and_reason(project, made):
    records = project.results / "towers/fluxnet.parquet"
    good = records.read_bytes()
    try:
        records.write_bytes(good[:-9])
        code, out, err = _run(project, "--", TOWERS)
    finally:
        records.write_bytes(good)
    assert code == 1
    assert re.search(r"^FAILED harmonise_towers, after 0:\d\d$", err, re.MULTILINE)
    assert "  log: results/test/logs/harmonise_towers.log" in err
    assert re.search(r"^  \| \w+Error: .*", err, re.MULTILINE) and "fluxnet.parquet" in err
    assert "Traceback" not in err and "reason:" not in err
    assert "1 of them failed" in out and "Stopped. Every finished step is kept" in out


@pytest.mark.slow
def test_a_wrong_configuration_stops_before_snakemake(project):
    code, _, err = _run(project, "--", "--config", "sead=3")
    assert code == 1 and err.startswith("tamrl run: ") and "did you mean seed" in err


def _recorded(folder, *, run="mine"):
    jobs = {"write_map/gpp": JobCost(rule="write_map", seconds=90, memory_mib=2048), "x": JobCost(rule="x", seconds=30)}
    record = Provenance(run=run, config={}, rules=jobs, hardware=Hardware(cores=2, processor="one"))
    here = RunLayout.at(str(folder))
    for rule in ("write_map", "record_provenance"):
        path = Path(here.benchmark(rule))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\tmax_rss\n1\t1\n")
        os.utime(path, (1e9, 1e9))
    record.write(here(File.PROVENANCE))
    (folder / "logs").mkdir()
    (folder / "logs/jobs.tsv").write_text("\t".join(log.COLUMNS) + "\n2026-01-01T00:00:00Z\twrite_map\tgpp\t66\t200\t0\n")
    return record, here


def test_the_last_lines_state_the_costs_of_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record, here = _recorded(Path("results/mine"))
    lines = closing_lines("results/mine", good=True)
    assert lines[0] == "In all: 2 jobs, 2.0 minutes of jobs in all, at most 2.0 GiB in one job; each: results/mine/logs/jobs.tsv"
    assert _cost(record).startswith("2 jobs, 2.0 minutes of jobs in all, at most 2.0 GiB in one job, on 2 cores")
    os.utime(here.benchmark("record_provenance"), (3e9, 3e9))  # it is written after the record
    assert closing_lines("results/mine", good=True) == lines
    assert closing_lines("results/mine", good=False)[0].startswith("In all: 1 jobs, 1.1 minutes")


def test_costs_of_a_record_that_jobs_have_outrun_are_not_stated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, here = _recorded(Path("results/mine"))
    os.utime(here.benchmark("write_map"), (3e9, 3e9))
    assert closing_lines("results/mine", good=True)[0].startswith("In all: 1 jobs, 1.1 minutes")
    Path(here(File.PROVENANCE)).unlink()
    assert closing_lines("results/mine", good=True)[0].startswith("In all: 1 jobs, 1.1 minutes")

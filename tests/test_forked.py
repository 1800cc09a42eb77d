"""Jobs start in processes forked from one that has the libraries, and end as those of Snakemake do."""

import os
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pytest
from snakemake import benchmark

from tamrl import forked

HERE = SimpleNamespace(container_img=None, conda_env=None, env_modules=None, bench_record=None)


def test_a_script_runs_as_the_main_module_of_a_process_of_its_own(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "import atexit, os, pathlib, sys\n"
        "snakemake = 'the job'\n"
        "said = f'{__name__}|{snakemake}|{os.getpid()}'\n"
        "atexit.register(pathlib.Path(__file__).with_suffix('.end').write_text, said)\n"
    )
    forked.execute(HERE, str(script))
    name, job, process = (tmp_path / "job.end").read_text().split("|")
    assert (name, job) == ("__main__", "the job") and int(process) != os.getpid()


def test_a_script_that_fails_fails_its_job(tmp_path):
    script = tmp_path / "job.py"
    script.write_text("raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        forked.execute(HERE, str(script))
    assert failed.value.returncode == 3


def test_an_error_reaches_the_hook_that_writes_it_into_the_log(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "import pathlib, sys\n"
        "def hook(kind, error, trace):\n"
        "    pathlib.Path(__file__).with_suffix('.log').write_text(f'{kind.__name__}: {error}')\n"
        "sys.excepthook = hook\n"
        "raise ValueError('of the job')\n"
    )
    with pytest.raises(subprocess.CalledProcessError) as failed:
        forked.execute(HERE, str(script))
    assert failed.value.returncode == 1 and (tmp_path / "job.log").read_text() == "ValueError: of the job"


def test_a_job_is_looked_at_until_its_end(tmp_path, monkeypatch):
    """What a job takes after the last look is in no benchmark."""
    script, record, looks = tmp_path / "job.py", benchmark.BenchmarkRecord(), []
    script.write_text("import time\nwhile time.process_time() < 4:\n    pass\n")

    class Timer(benchmark.BenchmarkTimer):
        def work(self):
            super().work()
            looks.append(time.monotonic())

    monkeypatch.setattr(benchmark, "BenchmarkTimer", Timer)
    forked.execute(SimpleNamespace(**vars(HERE) | {"bench_record": record}), str(script))
    assert np.diff(looks)[2:].min() >= forked.LOOK, "the interval holds from the start"
    assert record.cpu_time > 4 - 2 * forked.LOOK > 1

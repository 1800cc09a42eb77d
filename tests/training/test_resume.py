"""A killed training continues and ends with the bits of one that was not killed (fault 24); no state is trusted blindly."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tamrl.cache import Cache
from tamrl.training import checkpoint, resume
from tamrl.training.stage import train_model

ROOT = Path(__file__).parents[2]
STEPS = 30


class Killed(Exception):
    """Stands for the end of the process."""


def _arguments(files, output, settings, *, steps=STEPS, seed=1) -> dict:
    about = {"features": {"dynamic": ["air_temperature", "evi"], "static": ["igbp_fraction"]}, "step": "month", "seed": seed}
    options = {"hidden": 8, "code": 4, "dropout": 0.3, "pretrain": 0.3}
    which = {"model": "tamrl", "plugin": "tamrl", "fold": "0", "member": "0"}
    return files | about | which | {"folder": str(output), "training": settings | {"steps": steps}, "options": options}


def _train(*arguments, **changes) -> checkpoint.Trained:
    content = _arguments(*arguments, **changes)
    train_model(**content)
    return checkpoint.load_member(content["folder"])


@pytest.fixture
def kill_at(monkeypatch):
    """End the training once the state of a step was to be kept, every tenth one."""
    monkeypatch.setattr(resume, "EVERY", 10)
    save = resume.Resume.save

    def arm(step: int | None) -> None:
        def saved(self, state, *rest):
            save(self, state, *rest)
            if state.step == step:
                raise Killed

        monkeypatch.setattr(resume.Resume, "save", saved)

    return arm


@pytest.mark.parametrize("step", [10, 17, 30], ids=["as kept", "between", "at the end"])
def test_a_killed_training_ends_with_the_same_bits(files, settings, tmp_path, kill_at, step):
    kill_at(step)
    with pytest.raises(Killed):
        _train(files, tmp_path / "a", settings)
    assert (tmp_path / "a.resume.safetensors").exists() and not (tmp_path / "a").exists()
    kill_at(None)
    continued, whole = _train(files, tmp_path / "a", settings), _train(files, tmp_path / "b", settings)
    assert continued.spec == whole.spec
    assert not list(tmp_path.glob("*resume*"))


def test_it_continues_instead_of_starting_anew(files, settings, tmp_path, kill_at, caplog):
    caplog.set_level("INFO")
    kill_at(17)
    with pytest.raises(Killed):
        _train(files, tmp_path / "a", settings)
    kill_at(None)
    _train(files, tmp_path / "a", settings)
    assert "continues at step 10" in caplog.text


@pytest.mark.parametrize("change", [{"learning_rate": 2e-3}, {"validation": 0.3}])
def test_the_state_of_another_training_is_refused(files, settings, tmp_path, kill_at, caplog, change):
    caplog.set_level("INFO")
    kill_at(17)
    with pytest.raises(Killed):
        _train(files, tmp_path / "a", settings)
    kill_at(None)
    found = _train(files, tmp_path / "a", settings | change)
    assert f"another config.training.{next(iter(change))}" in caplog.text and "continues" not in caplog.text
    assert found.spec.digest == _train(files, tmp_path / "b", settings | change).spec.digest


@pytest.mark.parametrize("sealed", [False, True])
def test_a_pickle_as_state_is_refused_and_never_run(files, settings, tmp_path, kill_at, caplog, sealed):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    if sealed:
        kill_at(10)
        with pytest.raises(Killed):
            _train(files, tmp_path / "a", settings)
        kill_at(None)
        cache = Cache(tmp_path)
        with cache.put("a.resume.safetensors", cache.stored("a.resume.safetensors")) as part:
            part.write_bytes(pickle.dumps(Evil()))
    else:
        (tmp_path / "a.resume.safetensors").write_bytes(pickle.dumps(Evil()))
    _train(files, tmp_path / "a", settings)
    assert ("no state of a training" if sealed else "has no seal") in caplog.text and not (tmp_path / "ran").exists()
    assert not (tmp_path / "a.resume.safetensors").exists()


def test_a_process_killed_for_real_is_continued(files, settings, tmp_path):
    content = _arguments(files, tmp_path / "a", settings, steps=300)
    code = "import json, sys; from tamrl.training.stage import train_model; train_model(**json.loads(sys.argv[1]))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(content)], cwd=tmp_path, env=environment)
    state, deadline = tmp_path / "a.resume.safetensors", time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and state.exists() and not (tmp_path / "a").exists()
    threads = torch.get_num_threads()
    train_model(**content)
    assert checkpoint.load_member(tmp_path / "a").spec.digest == _train(files, tmp_path / "b", settings, steps=300).spec.digest
    assert not list(tmp_path.glob("*resume*")) and torch.get_num_threads() == 1
    torch.set_num_threads(threads)

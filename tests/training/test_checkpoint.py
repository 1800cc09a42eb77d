"""Checkpoints: tensors and JSON only; anything else, or anything changed, is refused."""

import json
import pickle
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tamrl import files, registry
from tamrl.errors import ContractError, TamrlError
from tamrl.samples import standardise
from tamrl.training import checkpoint
from tamrl.training.model_spec import model_dims
from tests import modelling


@pytest.fixture
def trained(samples, spec) -> checkpoint.Trained:
    own = standardise.fit_standardisation(samples, dynamic=spec.dynamic, static=spec.static)
    plugin = registry.load(registry.MODELS, "tamrl")
    torch.manual_seed(4)
    model = plugin.build(model_dims(spec, own), plugin.Options(hidden=8)).eval()
    return modelling.trained(model, spec, own, {"hidden": 8})


@pytest.fixture
def folder(trained, tmp_path):
    checkpoint.save_model(tmp_path / "member-0", trained)
    return tmp_path / "member-0"


def test_a_model_survives(trained, folder):
    again = checkpoint.load_member(folder)
    assert again.spec == trained.spec.model_copy(update={"weights": again.spec.weights}) and again.spec.digest
    x, support, static = torch.randn(3, 20, len(again.spec.inputs.features)), torch.randn(3, 12, 2), torch.randn(3, 17)
    assert torch.equal(again.model.predict(x, support, static), trained.model.predict(x, support, static))


def test_an_option_that_is_null_stays_null(trained, tmp_path):
    spec = trained.spec.model_copy(update={"options": trained.spec.options.model_copy(update={"forgiven": None})})
    checkpoint.save_model(tmp_path / "m", replace(trained, spec=spec))
    assert checkpoint.load_member(tmp_path / "m").spec.options.forgiven is None


def test_a_pickle_is_refused_and_never_run(folder, tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    (folder / checkpoint.WEIGHTS).write_bytes(pickle.dumps(Evil()))
    spec = json.loads((folder / checkpoint.SPEC).read_text())
    spec["weights"] = checkpoint.sha256(folder / checkpoint.WEIGHTS)
    files.write_json(folder / checkpoint.SPEC, spec)
    with pytest.raises(ContractError, match="no safetensors file"):
        checkpoint.load_member(folder)
    assert not ran.exists()


def test_changed_or_missing_weights_are_refused(folder):
    file = folder / checkpoint.WEIGHTS
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ContractError, match="checksum"):
        checkpoint.load_member(folder)
    file.unlink()
    with pytest.raises(ContractError, match="lacks weights"):
        checkpoint.load_member(folder)


def test_an_ensemble_of_strangers_is_refused(trained, folder, tmp_path):
    for member, kin in (("1", "k"), ("2", "other")):
        training = trained.spec.training.model_copy(update={"kin": kin})
        own = replace(trained, spec=trained.spec.model_copy(update={"member": member, "training": training}))
        checkpoint.save_model(tmp_path / f"member-{member}", own)
    paths = [str(tmp_path / f"member-{k}") for k in range(3)]
    assert [m.spec.member for m in checkpoint.load_ensemble(paths[:2])] == ["0", "1"]
    with pytest.raises(ContractError, match="member-2"):
        checkpoint.load_ensemble(paths)
    with pytest.raises(ContractError, match="twice"):
        checkpoint.load_ensemble([paths[0], paths[0]])


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"hidden": 10**9}},
        {"options": {"hidden": 16_384}},
        {"options": {"hidden": "x"}},
        {"inputs": {}},
        {"standardisation": None},
        {"plugin": "os"},
    ],
)
def test_a_description_that_does_not_fit_is_named_before_memory_is_taken(folder, change):
    spec = json.loads((folder / checkpoint.SPEC).read_text())
    files.write_json(folder / checkpoint.SPEC, spec | change)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 29), before[1]))
    try:
        with pytest.raises(TamrlError, match=r"member-0|no plug-in"):
            checkpoint.load_member(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)

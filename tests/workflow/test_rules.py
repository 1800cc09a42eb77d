"""What a rule names are the arguments of its stage."""

import importlib
import inspect
import json
import subprocess
import sys

import pytest

from tamrl.workflow import NO_ARGUMENTS

LIST = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings, StorageSettings, WorkflowSettings
with SnakemakeApi(OutputSettings()) as api:
    flow = api.workflow(ResourceSettings(cores=1), ConfigSettings(configfiles=[Path(p) for p in sys.argv[1:]]), StorageSettings(),
                        snakefile=Path("Snakefile"))._workflow
    found = {}
    for rule in flow.rules:
        if rule.name not in ("all", "atlas"):
            parts = [list(dict(part.items())) for part in (rule.input, rule.output, rule.params)]
            found[rule.name] = [rule.params.stage(None), *parts, sorted(rule.wildcard_names)]
    print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["config/test.yaml", "config/adapt.yaml", "config/real.yaml"])
def found(request, root):

    done = subprocess.run([sys.executable, "-c", LIST, request.param], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_rules_name_the_arguments_of_their_stages(found):
    for rule, (stage, inputs, outputs, params, wildcards) in found.items():
        module, _, name = stage.rpartition(".")
        function = getattr(importlib.import_module(module), name)
        asked = inspect.signature(function).parameters
        given = [*inputs, *outputs, *(p for p in params if p not in NO_ARGUMENTS - asked.keys())]
        assert len(given) == len(set(given)), rule
        assert set(given) <= asked.keys(), (rule, set(given) - asked.keys())
        needed = {name for name, about in asked.items() if about.default is about.empty}
        assert needed <= {*given, *wildcards, "threads"}, (rule, needed - {*given, *wildcards, "threads"})
        assert hasattr(function, "__wrapped__"), f"{stage} is a stage"


def test_no_rule_has_more_than_a_dozen_keywords(found):
    """A rule that passes more asks for an object that holds them."""
    for rule, (_, inputs, outputs, params, _) in found.items():
        named = [*inputs, *outputs, *(name for name in params if name not in NO_ARGUMENTS)]
        assert len(named) <= 12, (rule, named)


def test_every_rule_has_a_stage(found):
    assert len(found) > 15


def test_every_rule_tells_its_stage_whether_the_world_is_virtual(found):
    for rule, (stage, _, _, params, _) in found.items():
        module, _, name = stage.rpartition(".")
        for argument in ("virtual", "identity", "description"):  # identity and description of a run hold it too
            if argument in inspect.signature(getattr(importlib.import_module(module), name)).parameters:
                assert argument in params, rule


def test_every_rule_says_in_a_comment_what_it_does(root):
    """`message:` would do, but Snakemake 9 then hides name, files and resources of the jobs in dry runs."""
    for file in [root / "Snakefile", *(root / "workflow/rules").glob("*.smk")]:
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.lstrip().startswith(("rule ", "use rule ")):
                comments = line.partition("#")[2], lines[number - 1].strip().partition("# ")[2]
                assert any(len(text) > 10 for text in comments), f"{file.name}: {line}"

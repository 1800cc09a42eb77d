"""Files that other services read agree with the project: one version, one title, one set of linters, one environment."""

import json
import re
import tomllib

import pytest
import yaml

import tamrl

FORMS = ("run", "provider", "numbers")


def _yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_version_title_and_authors_are_the_same_everywhere(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    citation, meta = _yaml(root / "CITATION.cff"), json.loads((root / "codemeta.json").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "tamrl.__version__"}
    assert tamrl.__version__ == citation["version"] == meta["version"]
    assert citation["title"] == meta["name"] and meta["identifier"] == project["project"]["name"]
    name, _, title = citation["title"].partition(": ")
    assert name == "tamrl" and project["project"]["description"].startswith(title[0].upper() + title[1:])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in meta["author"]]
    assert (citation["abstract"], citation["keywords"]) == (meta["description"], meta["keywords"])
    assert citation["license"] == project["project"]["license"] == meta["license"].rpartition("/")[2]
    papers = [(paper["title"], f"https://doi.org/{paper['doi']}") for paper in citation["references"]]
    assert papers == [(paper["name"], paper["identifier"]) for paper in meta["referencePublication"]]
    assert meta["runtimePlatform"] == f"Python {project['project']['requires-python']}"
    assert all((root / meta[key]).is_file() for key in ("readme", "softwareHelp"))


def test_the_catalog_finds_what_it_asks_for(root):
    usage = _yaml(root / ".snakemake-workflow-catalog.yml")["usage"]
    rules = "\n".join(file.read_text() for file in (root / "workflow/rules").glob("*.smk"))
    deployed = {"conda": "conda:" in rules, "apptainer": bool(re.search(r"^ *container(ized)?:", rules, re.MULTILINE))}
    assert usage["software-stack-deployment"] == deployed | {"apptainer+conda": all(deployed.values())}
    assert usage["report"] is bool(re.search(r"^report:", (root / "Snakefile").read_text(), re.MULTILINE))
    assert (root / "config/README.md").is_file() and (root / "README.md").is_file()


def test_hooks_are_the_linters_of_make_lint(root):
    (local,) = _yaml(root / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local", "with the versions of the lock"
    recipe = re.search(r"^lint: .*\n((?:\t.*\n)+)", (root / "Makefile").read_text(), re.MULTILINE)[1]
    linters = {re.sub(r" (--check|\.|Snakefile|workflow)(?= |$)", "", line.strip()) for line in recipe.splitlines()}
    wanted = {line.replace("$(BIN)", ".venv/bin") for line in linters if not line.startswith("$(TAMRL)")}
    assert {hook["entry"] for hook in local["hooks"]} == wanted
    assert all(hook["language"] == "system" and re.compile(hook.get("files", "")) for hook in local["hooks"])


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_issues_are_what_their_service_takes(root, form):
    content = _yaml(root / f".github/ISSUE_TEMPLATE/{form}.yml")
    assert set(content) == {"name", "description", "labels", "body"}
    assert len(ids := [part["id"] for part in content["body"]]) == len(set(ids))
    for part in content["body"]:
        assert part["type"] in ("input", "textarea", "dropdown") and part["attributes"]["label"]
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert set(part["attributes"]) <= {"label", "description", "placeholder", "render", "options"}
        assert ("options" in part["attributes"]) == (part["type"] == "dropdown")
    assert any(part.get("validations", {}).get("required") for part in content["body"])


def test_there_is_no_other_form(root):
    assert {file.stem for file in (root / ".github/ISSUE_TEMPLATE").iterdir()} == {*FORMS, "config"}


def test_commands_in_the_forms_exist(root):
    texts = "\n".join((root / f".github/ISSUE_TEMPLATE/{form}.yml").read_text() for form in FORMS)
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    assert (named := set(re.findall(r"`make ([a-z-]+)`", texts))) and named <= targets


def test_both_containers_hold_the_same_environment(root):
    """The image of Docker is made as that of Apptainer, which tests/workflow/test_lint.py compares with the lock."""
    definition, image = (root / "envs/apptainer.def").read_text(), (root / "envs/Dockerfile").read_text()
    image = re.sub(r"\\\n\s*", "", image)
    assert re.search(r"^From: (.*)", definition, re.MULTILINE)[1] == re.search(r"^FROM (.*)", image, re.MULTILINE)[1]
    section = re.search(r"%files\n(.*?)\n\n", definition, re.DOTALL)[1]
    copied = [tuple(line.split()) for line in section.splitlines()]
    assert copied == re.findall(r"^COPY (\S+) (\S+)$", image, re.MULTILINE)
    for pattern in (r"apt-get install .*?(?= &&|$)", r"PIP_NO_CACHE_DIR=1 sh .*", r"python -c .*", r"OMP_NUM_THREADS.*"):
        one, two = (re.search(pattern, text, re.MULTILINE)[0].strip() for text in (definition, image))
        assert one == two, pattern
    ignored = (root / "envs/Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*" and all(f"!{source.split('/')[0]}" in ignored for source, _ in copied)


def test_the_recipe_of_conda_needs_what_the_package_needs(root):
    recipe, project = _yaml(root / "envs/recipe.yaml"), tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert recipe["context"]["version"] == tamrl.__version__ and recipe["about"]["license"] == project["license"]
    names = {"matplotlib": "matplotlib-base", "netCDF4": "netcdf4", "torch": "pytorch"}  # on conda-forge
    wanted = [
        re.fullmatch(r"([\w-]+)(.*)", need).groups() for need in [f"python{project['requires-python']}", *project["dependencies"]]
    ]
    assert {" ".join((names.get(name, name), bound)).strip() for name, bound in wanted} == set(recipe["requirements"]["run"])
    (script,) = recipe["build"]["python"]["entry_points"]
    assert dict([script.split(" = ")]) == project["scripts"] and recipe["about"]["summary"] == project["description"]

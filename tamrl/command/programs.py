"""Subcommands that start what the package has otherwise: runs, plans, repetitions, archives, configurations and audits."""

import argparse
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tamrl.command.parsers import add_command
from tamrl.errors import InputError
from tamrl.provenance import ROOT

SHARE = "share/tamrl"
"""Where an installation has the files of the workflow."""

RUN = """Make a run: from raw inputs to maps and report, in results/<run> of the working folder.

A stopped run goes on with the same command. Files of the configuration are laid over the defaults and over each other. One that
is not in the working folder is taken from the package (config/real.yaml, config/test.yaml). Options behind -- go to Snakemake.
The terminal shows phases with the time left, and of a job that fails its rule, its log and the error in it. What Snakemake
prints goes to a file below .snakemake/log, or with --verbose to the terminal.

examples:
  tamrl run                                   the virtual Earth at 1 degree
  tamrl run config/real.yaml --cores 8
  tamrl run config/global.yaml mine.yaml --dry-run
  tamrl run config/real.yaml -- --until train_model"""

PLAN = """Estimate time, memory and disk of a run on 1, 16 and 256 nodes, and what it will download. Nothing is run.

example:
  tamrl plan config/global.yaml"""

REPRODUCE = """Repeat a run from its provenance.json into results/<run>-again, and compare the products number for number.

Commands and paths outside the project that the record names are shown first, and used only with --accept-commands.

example:
  tamrl reproduce results/real --cores 8"""

ATLAS = """Make the atlas of a run alone, with what it needs: look, click and compare in a browser.

example:
  tamrl atlas config/real.yaml --cores 8"""

SCALING = """Fit the rates of the plan to finished runs, besides those that it is fitted to; in a checkout only.

example:
  tamrl scaling results/default results/real"""

WORLDS = """Run many virtual Earths and write the coverage of all intervals to docs/coverage.md.

example:
  tamrl worlds --worlds 5 --cores 8"""

ARCHIVE = """Pack a finished run with its workflow into one RO-Crate, to be deposited and cited.

example:
  tamrl archive results/real"""

CONFIG = """Print a configuration with all its keys, checked: the defaults, or files laid over them.

examples:
  tamrl config > mine.yaml
  tamrl config config/real.yaml mine.yaml
  tamrl config --schema > schema.json         for editors that complete and check YAML
  tamrl config --write                        config/config.yaml and config/schema.json of a checkout, again"""

AUDIT = """Ask for known vulnerabilities of the locked packages and write docs/audit.md; in a checkout only.

The exit code is 1 if there are any, and 2 if a service did not answer.

example:
  tamrl audit .venv/audit/bin/pip-audit"""


def add_programs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands."""
    run = add_command(commands, "run", run_workflow, description=RUN, summary="make a run, or go on with it")
    _add_run_options(run)
    run.add_argument("--dry-run", action="store_true", help="list what would be done")
    atlas = add_command(commands, "atlas", run_workflow, description=ATLAS, summary="the atlas of a run alone")
    _add_run_options(atlas)
    atlas.set_defaults(dry_run=False, targets=["atlas"])
    plan = add_command(commands, "plan", plan_run, description=PLAN, summary="what a run will take")
    plan.add_argument("config", nargs="*", metavar="CONFIG")
    again = add_command(commands, "reproduce", reproduce_run, description=REPRODUCE, summary="repeat a finished run and compare")
    again.set_defaults(starts_snakemake=True)
    again.add_argument("run", metavar="RUN", help="folder of a run, such as results/real")
    again.add_argument("--accept-commands", action="store_true", help="take commands and outer paths from the record")
    again.add_argument("--over", metavar="FILE", help="configuration laid over the recorded one")
    again.add_argument("--cores", help="cores to use, by default all, or those of the profile")
    again.add_argument("--profile", metavar="FOLDER", help="workflow profile, such as workflow/profiles/slurm (docs/cluster.md)")
    archive = add_command(commands, "archive", archive_run, description=ARCHIVE, summary="pack a finished run for deposit")
    archive.add_argument("run", metavar="RUN", help="folder of a run")
    config = add_command(commands, "config", print_config, description=CONFIG, summary="print and check a configuration")
    config.add_argument("config", nargs="*", metavar="CONFIG")
    form = config.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="the JSON schema of all keys")
    form.add_argument("--write", action="store_true", help="write the generated files of a checkout")
    audit = add_command(commands, "audit", audit_packages, description=AUDIT, summary="known vulnerabilities of the packages")
    audit.add_argument("pip_audit", metavar="PIP_AUDIT", help="the program pip-audit")
    scaling = add_command(commands, "scaling", fit_plan, description=SCALING, summary="fit the plan to finished runs")
    scaling.add_argument("runs", nargs="+", metavar="RUN", help="folder of a finished run")
    worlds = add_command(commands, "worlds", simulate_worlds, description=WORLDS, summary="coverage on many virtual Earths")
    worlds.add_argument("--worlds", default="20", help="how many, by default 20")
    worlds.add_argument("--cores", default="all", help="cores to use, by default all")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what all commands take that start the workflow."""
    parser.set_defaults(starts_snakemake=True, targets=[])
    parser.add_argument("config", nargs="*", metavar="CONFIG", help="YAML, each laid over those before it")
    parser.add_argument("--cores", help="cores to use, by default all, or those of the profile")
    parser.add_argument("--profile", metavar="FOLDER", help="workflow profile, such as workflow/profiles/slurm (docs/cluster.md)")
    parser.add_argument("--verbose", action="store_true", help="show all that Snakemake prints")


def workflow_folder() -> Path:
    """Folder of the Snakefile, `workflow/` and `config/`: the checkout, or where the package is installed.

    Raises `InputError` if they were not installed.
    """
    places = [ROOT, *(Path(base) / SHARE for base in (ROOT, sysconfig.get_path("data"), site.getuserbase()))]
    folder = next((place for place in places if (place / "Snakefile").is_file()), None)
    if folder is None:
        shown = ", ".join(map(str, places))
        raise InputError("the files of the workflow are not installed", found=f"no Snakefile in {shown}", todo="install it again")
    return folder


def find_config(names: Sequence[str]) -> list[str]:
    """Paths of files of configuration: of the working folder, else those that come with the package.

    Raises `InputError`, which names the files that come with it.
    """
    paths = []
    for name in names:
        shipped = workflow_folder() / name
        if not (Path(name).is_file() or shipped.is_file()):
            known = sorted(f"config/{file.name}" for file in (workflow_folder() / "config").glob("*.yaml"))
            raise InputError("there is no such configuration", where=name, found=", ".join(known), todo="check the path")
        paths.append(name if Path(name).is_file() else str(shipped))
    return paths


def run_workflow(options: argparse.Namespace) -> int:
    """Replace this process by Snakemake on the workflow, so that signals and the exit code are those of Snakemake."""
    from tamrl.intake import document, machine

    if importlib.util.find_spec("snakemake") is None:
        raise ModuleNotFoundError(name="snakemake")
    folder = workflow_folder()
    files = [str(folder / "config/config.yaml"), *find_config(options.config)]
    profile = _find_profile(options.profile) if options.profile else None
    machine.check_machine()
    for file in (*files, *(sorted(Path(profile).glob("config*.yaml")) if profile else ())):
        document.read_document(file)
    program = "snakemake" if options.verbose or options.dry_run else "tamrl.command.watch"
    command = [sys.executable, "-m", program, "--snakefile", str(folder / "Snakefile"), *_where(options.cores, profile)]
    command += ["--configfile", *files, *(["--dry-run"] if options.dry_run else []), "--rerun-incomplete"]
    command += options.further  # behind an option, or targets would be files of the configuration
    command += ["--", *options.targets] if options.targets else []
    sys.stdout.flush()
    os.execv(sys.executable, command)


def _where(cores: str | None, profile: str | None) -> list[str]:
    """Options of Snakemake for the cores and the profile; a profile has its number of cores, unless one is asked for."""
    chosen = cores or (None if profile else "all")
    return [*(["--workflow-profile", profile] if profile else []), *(["--cores", chosen] if chosen else [])]


def _find_profile(name: str) -> str:
    """Path of a profile: of the working folder, else one that comes with the package."""
    shipped = workflow_folder() / name
    if not (Path(name).is_dir() or shipped.is_dir()):
        known = sorted(f"workflow/profiles/{path.name}" for path in (workflow_folder() / "workflow/profiles").glob("*"))
        raise InputError("there is no such profile", where=name, found=", ".join(known), todo="check the path")
    return name if Path(name).is_dir() else str(shipped)


def plan_run(options: argparse.Namespace) -> int:
    """Print the plan of a run."""
    from tamrl.costs.__main__ import main

    return main(find_config(options.config))


def reproduce_run(options: argparse.Namespace) -> int:
    """Repeat a run."""
    from tamrl.reproduce import ACCEPT, main

    profile = _find_profile(options.profile) if options.profile else None
    words = [options.run, *([ACCEPT] if options.accept_commands else []), *(["--over", options.over] if options.over else [])]
    return main([*words, "--snakefile", str(workflow_folder() / "Snakefile"), *_where(options.cores, profile), *options.further])


def fit_plan(options: argparse.Namespace) -> int:
    """Add finished runs to those that the rates of the plan are fitted to."""
    from tamrl.costs.fit import fit_runs

    fit_runs(options.runs)
    return 0


def simulate_worlds(options: argparse.Namespace) -> int:
    """Run virtual Earths and write the page of their coverage."""
    from tamrl.worlds import main

    return main(["--worlds", options.worlds, "--cores", options.cores])


def archive_run(options: argparse.Namespace) -> int:
    """Pack a run."""
    from tamrl.archive import main

    return main([options.run])


def print_config(options: argparse.Namespace) -> int:
    """Print the defaults, a checked configuration or the schema; or write the generated files of a checkout."""
    import yaml

    from tamrl import config

    if options.write:
        config.write_generated(workflow_folder() / "config")
    elif options.schema:
        print(config.schema_json(), end="")
    elif options.config:
        content = config.load_files(find_config(options.config)).model_dump(mode="json")
        print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120), end="")
    else:
        print(config.defaults_yaml(), end="")
    return 0


def audit_packages(options: argparse.Namespace) -> int:
    """Ask the advisory services."""
    if not (ROOT / "requirements.lock.txt").is_file():
        raise InputError(
            "the locks of the packages are in a checkout alone", found=f"none in {ROOT}", todo="run it in a checkout"
        )
    from tamrl.audit import main

    return main(options.pip_audit)

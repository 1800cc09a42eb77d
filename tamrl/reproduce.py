"""`make reproduce RUN=results/x`: repeat a run from its `provenance.json`, and compare what came out.

The repetition is `results/<run>-again`, from the recorded configuration; the products are compared by their numbers
(`record.content`), for files carry the time of their writing. The record may be a stranger's: commands in it, and paths that
lead out of the project and its data, are shown and taken only when that is said (`ACCEPT=yes`).
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tamrl import config, files, provenance, record
from tamrl.errors import InputError
from tamrl.intake import border, document
from tamrl.layout import RunLayout
from tamrl.record_paths import ELSEWHERE, portable

AGAIN = "-again"
ACCEPT = "--accept-commands"
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
COMMANDS = ("launcher",)
"""Names of keys whose values are run."""


def read(folder: str | Path) -> dict[str, Any]:
    """The record in a folder, whose paths of products lie within the run; it may come from elsewhere and have no seal.

    Raises
    ------
    InputError
        If it is no record.
    """
    path = Path(folder) / "provenance.json"
    with border.reading("the record of the run cannot be read", where=path, todo="run make maps to its end first"):
        record = json.loads((files.verified(path) if files.seal_file(path).is_file() else path).read_text(encoding="utf-8"))
        run, _ = record["run"], record["config"]["inference"]
        names = [*record.get("outputs", {}), *record.get("contents", {})]
    strange = [name for name in names if not name.startswith(f"{RunLayout(run).folder}/") or ".." in PurePosixPath(name).parts]
    if strange or not re.fullmatch(NAME, run):
        raise InputError("the record is not that of a run", where=path, found=(strange or [run])[:5])
    return record


def foreign(recorded: dict[str, Any], own: dict[str, Any] | None = None) -> dict[str, str]:
    """What of the recorded configuration would be run, or leads out of the project and its data, by key.

    Not what is so by default, or in the keys that you lay over it (`own`).
    """
    plain = dict(_leaves(portable(config.load({}).model_dump(mode="json"))))
    asked, mine = dict(_leaves(config.overlay(recorded["config"], own or {}))), dict(_leaves(own or {}))
    theirs = {k: v for k, v in asked.items() if portable(v) != plain.get(k) and k not in mine}
    return {k: v for k, v in theirs.items() if k.split(".")[-1] in COMMANDS or _leaves_project(v)}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts within nested mappings and lists, by key with dots."""
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, f"{key}.{name}".strip("."))
    elif isinstance(value, str):
        yield key, value


def _leaves_project(text: str) -> bool:
    address = "://" in text and " " not in text
    return address or text.startswith(("/", "~", ELSEWHERE)) or ".." in PurePosixPath(text).parts


def accepted(found: dict[str, str], *, said: bool) -> bool:
    """Show what `foreign` found; whether it may be taken: it was `said` before, or the terminal says so now."""
    for key, value in found.items():
        print(f"from the record: {key!a}: {value!a}")
    if not found or said:
        return True
    if sys.stdin.isatty() and input("Take these commands and paths from the record? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    todo = "say ACCEPT=yes to take them as they are, or lay your own over them: CONFIG=own.yaml"
    print(f"Nothing was run. Look at these values, then {todo}.", file=sys.stderr)
    return False


def configuration(recorded: dict[str, Any]) -> dict[str, Any]:
    """The recorded configuration under the name of the repetition; inputs that the run made itself are made again."""
    run = recorded["run"]
    return _renamed(recorded["config"] | {"run": run + AGAIN}, f"{RunLayout(run).folder}/", f"{RunLayout(run + AGAIN).folder}/")


def _renamed(value: Any, old: str, new: str) -> Any:
    """`value` with `old` replaced at the beginning of every text in it."""
    if isinstance(value, dict):
        return {key: _renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in value]
    return new + value.removeprefix(old) if isinstance(value, str) and value.startswith(old) else value


def changed(recorded: dict[str, Any]) -> list[str]:
    """What of code, libraries and lock is not as it was; the numbers may then differ."""
    now = {"code": record.code(recorded["config"]), "software": provenance.software(), "lock": provenance.lock_digest()}
    differences = []
    for what in ("code", "software"):
        was = recorded.get(what, {})
        differences += [
            f"{what} {name}: {was[name]} then, {now[what].get(name)} now" for name in was if was[name] != now[what].get(name)
        ]
    if recorded.get("lock", now["lock"]) != now["lock"]:
        differences.append(f"requirements.lock.txt: {recorded['lock']} then, {now['lock']} now")
    return differences


def compare(recorded: dict[str, Any], root: Path) -> dict[str, str]:
    """Of each recorded product `same`, `differs` or `missing` in the repetition below `root`.

    Raises
    ------
    InputError
        If the record is of a version that kept no digests of contents.
    """
    if not recorded.get("contents"):
        raise InputError(
            "the record keeps no digests of contents", where=recorded["run"], todo="run it once more with this version"
        )
    verdicts = {}
    for path, digest in recorded["contents"].items():
        again = root / _renamed(path, f"{RunLayout(recorded['run']).folder}/", f"{RunLayout(recorded['run'] + AGAIN).folder}/")
        verdicts[path] = "missing" if not again.exists() else "same" if record.content(again) == digest else "differs"
    return verdicts


def main(arguments: list[str]) -> int:
    """Repeat the run in the folder `arguments[0]`; what is not `asked` for here goes to Snakemake. Returns the exit code."""
    asked = argparse.ArgumentParser(prog="tamrl.reproduce", allow_abbrev=False)
    asked.add_argument("folder")
    asked.add_argument(ACCEPT, action="store_true", help="take commands and outer paths from the record")
    asked.add_argument("--over", metavar="FILE", help="configuration laid over that of the record, such as paths of this machine")
    options_given, options = asked.parse_known_args(arguments)
    recorded, overlay = read(options_given.folder), document.read(options_given.over) if options_given.over else {}
    if not accepted(foreign(recorded, overlay), said=options_given.accept_commands):
        return 2
    wanted = config.overlay(configuration(recorded), overlay) | {"run": recorded["run"] + AGAIN}
    config.load(wanted)
    for line in changed(recorded):
        print(f"not as it was: {line!a}")
    again = Path(options_given.folder).with_name(Path(options_given.folder).name + AGAIN)
    with files.atomic(again / "config.json") as part:
        part.write_text(json.dumps(wanted, indent=1), encoding="utf-8")  # not as a record: with the paths of this machine
    command = [sys.executable, "-m", "snakemake", "--configfile", str(again / "config.json"), "--rerun-incomplete"]
    done = subprocess.run([*command, *(options or ["--cores", str(os.cpu_count())])], check=False)
    if done.returncode:
        return done.returncode
    verdicts = compare(recorded, Path())
    files.write_json(again / "reproduced.json", verdicts)
    for path, verdict in verdicts.items():
        print(f"{verdict:8} {path}")
    same = sum(verdict == "same" for verdict in verdicts.values())
    print(f"{same} of {len(verdicts)} products are the same, number for number.")
    return 0 if same == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make reproduce RUN=results/x`: repeat a run from its `provenance.json`, and compare the products.

The repetition `results/<run>-again` uses the recorded configuration. Products are compared by their content
(`record.content_digest`), because files contain the time of their writing. A record may come from a stranger: its commands, and
paths outside the project and its data, are shown and used only with consent (`ACCEPT=yes`).
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tamrl import config, files, provenance, record
from tamrl.errors import InputError
from tamrl.intake import document
from tamrl.layout import RunLayout
from tamrl.record_paths import ELSEWHERE, portable
from tamrl.run_record import FILE, Provenance

AGAIN = "-again"
ACCEPT = "--accept-commands"
COMMANDS = ("launcher",)
"""Keys whose values are executed."""


def find_unsafe_values(recorded: config.Raw, overrides: config.Raw | None = None) -> dict[str, str]:
    """Find commands in a recorded configuration, and paths that lead out of the project and its data, by key.

    Defaults are safe, and so are keys that `overrides` lay over the record.
    """
    defaults = dict(_texts(portable(config.load({}).model_dump(mode="json"))))
    wanted, mine = dict(_texts(config.overlay(recorded, overrides or {}))), dict(_texts(overrides or {}))
    theirs = {key: text for key, text in wanted.items() if portable(text) != defaults.get(key) and key not in mine}
    return {key: text for key, text in theirs.items() if key.split(".")[-1] in COMMANDS or _leaves_project(text)}


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts in nested mappings and lists, by key with dots."""
    if isinstance(value, (Mapping, list)):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _texts(item, f"{key}.{name}".strip("."))
    elif isinstance(value, str):
        yield key, value


def _leaves_project(text: str) -> bool:
    address = "://" in text and " " not in text
    return address or text.startswith(("/", "~", ELSEWHERE)) or ".." in PurePosixPath(text).parts


def confirm_values(values: Mapping[str, str], *, accepted: bool) -> bool:
    """Show values of a record and return whether they may be used: `accepted` before, or confirmed in the terminal now."""
    for key, text in values.items():
        print(f"from the record: {key!a}: {text!a}")
    if not values or accepted:
        return True
    if sys.stdin.isatty() and input("Take these commands and paths from the record? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    todo = "say ACCEPT=yes to take them as they are, or lay your own over them: CONFIG=own.yaml"
    print(f"Nothing was run. Look at these values, then {todo}.", file=sys.stderr)
    return False


def repeated_configuration(recorded: Provenance) -> dict[str, Any]:
    """Return the recorded configuration under the name of the repetition; inputs that the run made are made again."""
    renamed: dict[str, Any] = _moved(config.rename_keys(recorded.config), recorded)
    return renamed | {"run": recorded.run + AGAIN}


def _moved(value: Any, recorded: Provenance) -> Any:
    """Replace the folder of the run by that of the repetition at the beginning of every text in `value`."""
    if isinstance(value, dict):
        return {key: _moved(item, recorded) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, recorded) for item in value]
    if isinstance(value, str) and value.startswith(f"{recorded.layout.folder}/"):
        return RunLayout(recorded.run + AGAIN).folder + value.removeprefix(recorded.layout.folder)
    return value


def list_changes(recorded: Provenance) -> list[str]:
    """List code, libraries and locks that differ from those of the run, so that numbers may differ too."""
    digests = {module: provenance.code_digest(module) for module in recorded.code}
    now = {"code": digests, "software": provenance.software()}
    changes = [
        f"{kind} {name}: {then} then, {now[kind].get(name)} now"
        for kind, recorded_ones in (("code", recorded.code), ("software", recorded.software))
        for name, then in recorded_ones.items()
        if then != now[kind].get(name)
    ]
    if recorded.lock not in (None, provenance.lock_digest()):
        changes.append(f"requirements.lock.txt: {recorded.lock} then, {provenance.lock_digest()} now")
    return changes


def compare_products(recorded: Provenance, root: Path) -> dict[str, str]:
    """Compare each recorded product with the repetition below `root`: `same`, `differs` or `missing`.

    Raises `InputError` if the record of an earlier version has no digests of contents.
    """
    if not recorded.contents:
        todo = "run it once more with this version"
        raise InputError("the record keeps no digests of contents", where=recorded.run, todo=todo)
    verdicts = {}
    for path, digest in recorded.contents.items():
        again = root / _moved(path, recorded)
        same = again.exists() and record.content_digest(again) == digest
        verdicts[path] = "same" if same else "differs" if again.exists() else "missing"
    return verdicts


def main(arguments: list[str]) -> int:
    """Repeat the run in the folder `arguments[0]`; unknown options go to Snakemake. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tamrl.reproduce", allow_abbrev=False)
    parser.add_argument("folder")
    parser.add_argument(ACCEPT, action="store_true", help="take commands and outer paths from the record")
    parser.add_argument("--over", metavar="FILE", help="configuration laid over the recorded one, such as paths of this machine")
    options, for_snakemake = parser.parse_known_args(arguments)
    recorded = Provenance.read(Path(options.folder) / FILE)
    overrides = document.read_document(options.over) if options.over else {}
    if not confirm_values(find_unsafe_values(recorded.config, overrides), accepted=options.accept_commands):
        return 2
    wanted = config.overlay(repeated_configuration(recorded), overrides) | {"run": recorded.run + AGAIN}
    config.load(wanted)
    for line in list_changes(recorded):
        print(f"differs from the run: {line!a}")
    again = Path(options.folder).with_name(Path(options.folder).name + AGAIN)
    files.save_text(again / "config.json", json.dumps(wanted, indent=1))  # not as a record: with the paths of this machine
    command = [sys.executable, "-m", "tamrl.command.watch", "--configfile", str(again / "config.json"), "--rerun-incomplete"]
    done = subprocess.run([*command, *(for_snakemake or ["--cores", str(os.cpu_count())])], check=False)
    if done.returncode:
        return done.returncode
    verdicts = compare_products(recorded, Path())
    files.write_json(again / "reproduced.json", verdicts)
    for path, verdict in verdicts.items():
        print(f"{verdict:8} {path}")
    same = sum(verdict == "same" for verdict in verdicts.values())
    print(f"{same} of {len(verdicts)} products are the same, number for number.")
    return 0 if same == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

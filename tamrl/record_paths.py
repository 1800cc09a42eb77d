"""Paths in records: nothing that leaves a run names the machine, its users or the place of their files."""

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

DATA = "{data}"
"""Stands for `TAMRL_DATA`; the configuration understands it."""

HOME = "~"

ELSEWHERE = "{elsewhere}"
"""Stands for the folders above a file outside the project and its data."""

_ABSOLUTE = re.compile(r"""(?:^|(?<=['"]))(/[^/'"\n]+)/([^'"\n]*/)?([^'"\n]*)""")


def data_folder() -> Path:
    """Where shared data lie: `TAMRL_DATA`, default `../shared/data`."""
    return Path(os.environ.get("TAMRL_DATA", "../shared/data"))


def portable(content: Any) -> Any:
    """JSON-like content in which paths below the project are relative, and others begin with `DATA`, `HOME` or `ELSEWHERE`."""
    return _without_places(content, _known_folders(os.getcwd(), str(data_folder()), os.path.expanduser("~")))  # noqa: PTH109, PTH111 (fast)


def _without_places(content: Any, known: list[tuple[str, re.Pattern[str], str]]) -> Any:
    if isinstance(content, dict):
        return {_without_places(key, known): _without_places(value, known) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_without_places(value, known) for value in content]
    if not isinstance(content, str) or "/" not in content:
        return content
    for place, pattern, name in known:
        if place in content:
            content = pattern.sub(name, content)
    quoted = content.startswith("/") or "'/" in content or '"/' in content
    return _ABSOLUTE.sub(_elsewhere, content) if quoted else content


@cache
def _known_folders(project: str, data: str, home: str) -> list[tuple[str, re.Pattern[str], str]]:
    """The folders of the project, of the data and of the user with what stands for them, the longest first."""
    named = {home: HOME, os.path.realpath(data): DATA, str(Path(data).absolute()): DATA, data: DATA}
    named |= {os.path.realpath(project): "", project: ""}
    patterns = []
    for place, name in sorted(named.items(), key=lambda item: -len(item[0])):
        begins = r"(?<![\w.~/}-])" if Path(place).is_absolute() else r"""(?:^|(?<=['"]))"""
        if len(place) > 1:
            text = f"{begins}{re.escape(place)}"
            patterns += [] if name else [(place, re.compile(rf"{text}/(?=[^/])"), "")]
            patterns.append((place, re.compile(rf"{text}(?![\w.~-])"), name or "."))
    return patterns


def _elsewhere(path: re.Match[str]) -> str:
    """What stands for an absolute path, if it is one of this machine and not that of a layer within a file."""
    root, between, name = path.groups()
    if not Path(root).is_dir():
        return str(path[0])
    folder = hashlib.sha256(f"{root}/{between or ''}".encode()).hexdigest()[:6]  # files of one name stay apart
    return f"{ELSEWHERE}/{folder}/{name}"

"""Paths in records, without names of the machine, its users or their folders."""

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

DATA = "{data}"
"""Replaces `TAMRL_DATA`; the configuration understands it."""

HOME = "~"

ELSEWHERE = "{elsewhere}"
"""Replaces the folders above a file outside the project and its data."""

_ABSOLUTE = re.compile(r"""(?:^|(?<=['"]))(/[^/'"\n]+)/([^'"\n]*/)?([^'"\n]*)""")


def data_folder() -> Path:
    """Return the folder of shared data: `TAMRL_DATA`, by default `../shared/data`."""
    return Path(os.environ.get("TAMRL_DATA", "../shared/data"))


def portable(content: Any) -> Any:
    """Return JSON-like content with relative paths below the project; others begin with `DATA`, `HOME` or `ELSEWHERE`."""
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
    """Return patterns and replacements of the folders of the project, of the data and of the user, the longest first."""
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
    """Return the replacement of an absolute path of this machine; paths of layers within files stay."""
    root, between, name = path.groups()
    if not Path(root).is_dir():
        return str(path[0])
    folder = hashlib.sha256(f"{root}/{between or ''}".encode()).hexdigest()[:6]  # files of one name stay apart
    return f"{ELSEWHERE}/{folder}/{name}"

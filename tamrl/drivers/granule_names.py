"""Names of NASA's files: which of several files of one day or composite was made last."""

import logging
import re
from collections.abc import Iterable

_log = logging.getLogger(__name__)

_NAME = re.compile(r"(?P<what>[^.]+\.A\d{7}\.\d{3})\.(?P<made>\d+)\.(?:nc|hdf|h5)")


def production_date(name: str) -> tuple[str, str] | None:
    """Product, day and collection of a file, and when it was made (YYYYDDDHHMMSS); None if the name does not say so."""
    match = _NAME.fullmatch(name)
    return (match["what"], match["made"]) if match else None


def newer(one: str, other: str) -> str | None:
    """The one of two names of files of the same content that was made later; None if they do not say so, or the same."""
    first, second = production_date(one), production_date(other)
    if not first or not second or first[0] != second[0] or first[1] == second[1]:
        return None
    return one if first[1] > second[1] else other


def newest(names: Iterable[str], *, where: object) -> list[str]:
    """The names, of each content the one that was made last; the log says which others there are."""
    chosen: dict[str, str] = {}
    for name in names:
        made = production_date(name)
        key = made[0] if made else name
        before = chosen.setdefault(key, name)
        if before != name and (latest := newer(before, name)):
            chosen[key] = latest
            _log.warning("%s: %s was made anew, %s is left out", where, latest, name if latest == before else before)
    return list(chosen.values())

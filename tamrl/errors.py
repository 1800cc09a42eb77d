"""Named errors: each says what was asked, where it was looked for, what was found and what to do."""

import difflib
from collections.abc import Iterable

from tamrl.escaping import for_log


class TamrlError(Exception):
    """Base of every error this package raises on purpose; logins in addresses are never shown.

    Parameters
    ----------
    asked : str
        What was wanted.
    where : object, optional
        The file, key or place where it was looked for.
    found : object, optional
        What was there instead.
    todo : str, optional
        What the reader can do about it.
    """

    def __init__(self, asked: str, *, where: object = None, found: object = None, todo: str | None = None):
        self.asked, self.todo = for_log(asked), None if todo is None else for_log(todo)
        self.where, self.found = _shown(where), _shown(found)
        lines = [asked]
        lines += [f"  where: {where}"] if where is not None else []
        lines += [f"  found: {found}"] if found is not None else []
        lines += [f"  to do: {todo}"] if todo else []
        super().__init__(for_log("\n".join(lines)))


def _shown(part: object) -> object:
    """A part of an error as a reader may see it."""
    return for_log(part) if isinstance(part, str | BaseException) else part


class ConfigError(TamrlError):
    """A key, value or combination in the configuration is not allowed."""


class InputError(TamrlError):
    """A raw input is missing, unreadable or not what its format says."""


class MachineError(TamrlError):
    """The machine or its file system refuses (no space, too many open files, a lost network drive): no input is to blame."""


class UnitError(TamrlError):
    """A unit is unknown, or values cannot have the unit they claim."""


class ContractError(TamrlError):
    """A file between two stages does not hold what its contract promises."""


class TrainingError(TamrlError):
    """Training cannot give usable weights."""


class DownloadError(TamrlError):
    """A download failed, or its bytes do not match their checksum."""


class OutageError(DownloadError):
    """The network or a server fails for now: no file is to blame, and the same command asks again for what is missing."""


class PluginError(TamrlError):
    """A plug-in file is missing or lacks a part of its contract."""


def near(name: str, known: Iterable[str]) -> str:
    """A hint that lists the near misses of `name` among `known`, or all of them if none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from: {', '.join(known)}"

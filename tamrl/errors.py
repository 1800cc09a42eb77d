"""Errors of this package: each states the problem, its place, the value at fault and what to do."""

import difflib
from collections.abc import Iterable

from tamrl.escaping import for_log


class TamrlError(Exception):
    """Base of all errors that this package raises on purpose. Logins in addresses are never shown.

    Parameters
    ----------
    asked : the requirement that is not met, or the action that failed
    where : the file, key or place
    found : the value or state that is at fault
    todo : what the user can do about it
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
    """Return a part of an error in a form that may be shown."""
    return for_log(part) if isinstance(part, str | BaseException) else part


class ConfigError(TamrlError):
    """A key, value or combination in the configuration is not allowed."""


class InputError(TamrlError):
    """A raw input is missing, unreadable or not what its format says."""


class MachineError(TamrlError):
    """The machine or its file system refuses (disk full, too many open files, lost network drive); the input is not to blame."""


class UnitError(TamrlError):
    """A unit is unknown, or values cannot have the unit they claim."""


class ContractError(TamrlError):
    """A file between two stages breaks its contract."""


class StoreRemovedError(ContractError):
    """A store, or a part of it, was removed while it was written."""


class TrainingError(TamrlError):
    """Training cannot give usable weights."""


class DownloadError(TamrlError):
    """A download failed, or its bytes do not match their checksum."""


class OutageError(DownloadError):
    """The network or a server fails temporarily; the same command later continues with what is missing."""


class PluginError(TamrlError):
    """A plug-in file is missing or lacks a part of its contract."""


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint with the names in `known` that are similar to `name`, or with all of them if none is."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from: {', '.join(known)}"

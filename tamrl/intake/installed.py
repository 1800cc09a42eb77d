"""Files of packages that are installed for their data alone: no code of theirs is imported."""

import importlib.metadata
from pathlib import Path

from tamrl.errors import InputError


def installed_file(package: str, name: str, *, todo: str) -> Path:
    """Return a file of a package; raises `InputError` with the command to give if the package or its file is not there."""
    try:
        path = Path(str(importlib.metadata.distribution(package).locate_file(name)))
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"the data package {package} is not installed", todo=todo) from None
    if not path.is_file():
        raise InputError(f"the data package {package} lacks its file", where=path, todo=todo)
    return path

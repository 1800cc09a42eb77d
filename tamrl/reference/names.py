"""Files of a product: their names are compared with the declared one, and tell variable and date."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from tamrl.errors import InputError
from tamrl.reference.layouts import GriddedLayout


@dataclass(frozen=True)
class ProductFile:
    """A file of a product, with what its name says."""

    path: Path
    variable: str | None
    """The only variable of the file, where its name has one."""
    edition: str
    """Version, resolution, model or scenario: the same for all files of a comparison."""
    day: np.datetime64 | None
    """First day (datetime64[D]) of the file's time, as far as the name tells it; January or the first of a month otherwise."""


def match_files(patterns: Iterable[str]) -> list[Path]:
    """Files that paths or patterns such as `data/GPP_*.nc` name, in order, each once.

    Raises `InputError` if a pattern names no file.
    """
    listed: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        root = Path(path.anchor or ".")
        matches = [path] if path.is_file() else sorted(root.glob(str(path.relative_to(root) if path.anchor else path)))
        matches = [match for match in matches if match.is_file()]
        if not matches:
            raise InputError("no file of the product", where=pattern, todo="give paths or patterns such as 'data/GPP_*.nc'")
        listed += matches
    return sorted(dict.fromkeys(listed))


def name_files(files: Sequence[Path], layout: GriddedLayout) -> list[ProductFile]:
    """Return the files with what their names say, in the order of their dates.

    Raises `InputError` if a name is not that of the layout, or files are of several editions.
    """
    named = [_read_name(path, layout) for path in files]
    if len(editions := sorted({file.edition for file in named})) > 1:
        todo = "compare one edition at a time: give its files alone"
        raise InputError("files of several editions", where=named[0].path.parent, found=", ".join(editions), todo=todo)
    never = np.datetime64("0001-01-01", "D")
    return sorted(named, key=lambda file: (never if file.day is None else file.day, str(file.variable), file.path))


def available_quantities(named: Sequence[ProductFile], layout: GriddedLayout) -> list[str]:
    """Quantities for which the files of every variable are present.

    Raises `InputError` if there is none.
    """
    held = {file.variable.lower() for file in named if file.variable is not None}
    one_each = any(file.variable is not None for file in named)
    quantities = [q for q, flux in layout.quantities.items() if not one_each or {t.lower() for t in flux.terms} <= held]
    if not quantities:
        needed = "; ".join(f"{q}: {', '.join(flux.terms)}" for q, flux in layout.quantities.items())
        raise InputError("no quantity has all its files", where=named[0].path.parent, found=", ".join(sorted(held)), todo=needed)
    return quantities


def _read_name(path: Path, layout: GriddedLayout) -> ProductFile:
    match = re.fullmatch(layout.files, path.name)
    if match is None:
        packed = path.name.endswith((".gz", ".zip"))
        todo = f"{'unpack the file; ' if packed else ''}names look like {layout.example}"
        raise InputError("a file of another name than the product's", where=path, found=path.name, todo=todo)
    parts = match.groupdict()
    return ProductFile(path, parts.get("variable"), parts.get("edition") or "", _first_day(parts, path))


def _first_day(parts: dict[str, str | None], path: Path) -> np.datetime64 | None:
    if not (year := parts.get("year")):
        return None
    try:
        return np.datetime64(date(int(year), int(parts.get("month") or 1), 1), "D")
    except ValueError as error:
        raise InputError("the name of a file holds no date", where=path, found=error, todo="give the file its own name") from None

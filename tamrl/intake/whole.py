"""Whether a file is as long as it declares, by the rules of its format; a short file is refused before it is used."""

from pathlib import Path


def check(path: Path, *, where: object = None) -> None:
    """Refuse a file that is shorter than it declares; files of formats that declare no size pass.

    Parameters
    ----------
    path : Path
    where : object, optional
        What errors name instead of `path` (a zip with its member, say).

    Raises
    ------
    InputError
        With the size declared and the size found.
    """

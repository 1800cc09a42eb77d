"""Logging of a rule: everything into the rule's log file, progress on the terminal.

Scripts call `to_file` once; stages use `logging.getLogger(__name__)` and `progress`.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_SECONDS_BETWEEN_LINES = 5.0


def to_file(path: str | Path) -> None:
    """Send all log records of this process to `path`, and warnings and errors to the terminal too."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.INFO)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"))
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.ERROR)
    screen.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(file)
    root.addHandler(screen)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type, error: BaseException, trace: object) -> None:
    """Write an uncaught error with its trace to the log file; the terminal gets the message alone."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            record = logging.LogRecord("tamrl", logging.ERROR, "", 0, str(error), None, (kind, error, trace))
            handler.emit(record)
    print(f"{kind.__name__}: {error}", file=sys.stderr)


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`; say every few seconds how many are done and about how long the rest takes.

    On a terminal the line goes to stderr; otherwise only to the log.
    """
    total = len(items) if total is None and hasattr(items, "__len__") else total
    start = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said > _SECONDS_BETWEEN_LINES:
            said = now
            _say(what, done, total, now - start)
        yield item
    logging.getLogger("tamrl.progress").info("%s: finished in %.1f s", what, time.monotonic() - start)


def _say(what: str, done: int, total: int | None, seconds: float) -> None:
    left = f"/{total}, about {seconds / done * (total - done):.0f} s left" if total else ""
    line = f"{what}: {done}{left}"
    logging.getLogger("tamrl.progress").info(line)
    if sys.stderr.isatty():
        print(f"    {line}", file=sys.stderr, flush=True)

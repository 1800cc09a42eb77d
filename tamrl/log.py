"""Log a rule: all records to the log file of the rule, progress to the terminal, and one line per job to `logs/jobs.tsv`.

Scripts call `to_file` once; stages use `logging.getLogger(__name__)` and `progress`.
"""

import atexit
import logging
import math
import os
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tamrl import escaping, lineage

T = TypeVar("T")
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ([A-Z]+) +\S+: ")
"""Beginning of a record in a log, with its level."""

TRACE = "Traceback (most recent call last):"
CLASS = re.compile(r"([A-Za-z_][\w.]*)(:|$)")
"""Beginning of the last line of a trace."""

_SECONDS_BETWEEN_LINES = 5.0

JOURNAL = "jobs.tsv"
COLUMNS = ("ended", "rule", "wildcards", "seconds", "memory_mib", "exit")
_error: list[str] = []
"""Class of the error that ended this process, if any."""


class _Shown(logging.Formatter):
    """Spells out control characters of foreign text, so that they do not move the cursor of a reader of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return escaping.for_log(super().format(record))


def to_file(path: str | Path) -> None:
    """Send all log records of this process to `path`, errors also to the terminal; append a line to the journal at its end.

    `path` is `<run>/logs/<rule>/<wildcards>.log` or `<run>/logs/<rule>.log`. A killed job leaves no line.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    root.handlers.clear()
    lineage.note_job(_place(Path(path))[1], getattr(sys.modules["__main__"], "snakemake", None))
    root.setLevel(logging.INFO)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(_Shown(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"))
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.ERROR)
    screen.setFormatter(_Shown("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(file)
    root.addHandler(screen)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    atexit.register(_note_end, Path(path), time.monotonic())


def _place(path: Path) -> tuple[Path | None, str, str]:
    """Return the folder of logs of the run, the rule of a log file and its wildcards; None and empty texts elsewhere."""
    folder = next((parent for parent in path.parents if parent.name == "logs"), None)
    rule, *wildcards = path.relative_to(folder).with_suffix("").parts if folder else ("",)
    return folder, rule, "/".join(wildcards)


def _note_end(path: Path, begun: float) -> None:
    """Append a line to the journal of the run, in one write, so that lines of jobs that end together do not mix."""
    folder, rule, wildcards = _place(path)
    if folder is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    ended, seconds = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), time.monotonic() - begun
    values = (ended, rule, wildcards, f"{seconds:.1f}", f"{used:.0f}", _error[0] if _error else "0")
    journal = folder / JOURNAL
    try:
        for line, flags in ((COLUMNS, os.O_EXCL), (values, 0)):
            with suppress(FileExistsError):  # another job has written the heading
                _append(journal, "\t".join(line) + "\n", flags)
    except OSError as error:
        logging.getLogger("tamrl").warning("%s gets no line of this job: %s", journal, error)


def _append(journal: Path, line: str, flags: int) -> None:
    handle = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | flags, 0o644)
    try:
        size = os.fstat(handle).st_size
        half = size and os.pread(handle, 1, size - 1) != b"\n"  # of a job on a disk that was full
        os.write(handle, ("\n" * bool(half) + line).encode())
    finally:
        os.close(handle)


PRODUCTS = {
    "Maps": "maps/",
    "Report": "report.html",
    "Numbers": "summary.md",
    "Look": "atlas/index.html",
    "Few-shot": "adaptation/adaptation.md",
    "Search": "search.md",
    "Chosen settings": "searched.yaml",
}
"""What a person opens first after a run, relative to its folder."""


def finished_products(run: str | Path) -> str:
    """Return the products of a run that are there, in one line; a run asked for single files may have none of them."""
    return "   ".join(f"{name}: {run}/{path}" for name, path in PRODUCTS.items() if (Path(run) / path).exists())


def journal_summary(run: str | Path) -> str:
    """Summarise the jobs of the run in this folder by their latest lines in the journal; damaged lines are ignored."""
    journal = Path(run) / "logs" / JOURNAL
    try:
        lines = journal.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    latest = {tuple(fields[1:3]): fields for fields in map(_fields, lines) if fields}
    if not latest:
        return "no job has ended"
    minutes = sum(float(fields[3]) for fields in latest.values()) / 60
    most = max(latest.values(), key=lambda fields: float(fields[4]))
    failed = sum(fields[5] != "0" for fields in latest.values())
    trouble = f", {failed} of them failed" if failed else ""
    return f"{len(latest)} jobs{trouble}, {minutes:.1f} minutes of jobs, most memory {most[4]} MiB ({most[1]}); each: {journal}"


def _fields(line: str) -> list[str] | None:
    """Return the fields of a line of the journal; None for a damaged line."""
    fields = line.split("\t")
    try:
        complete = len(fields) == len(COLUMNS) and math.isfinite(float(fields[3]) + float(fields[4])) and bool(fields[5])
    except ValueError:
        return None
    return fields if complete else None


def error_lines(path: str | Path, most: int = 12) -> list[str]:
    """Return the last error in the log of a job, its class and message without the trace; without an error, the last lines."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ["there is no log: the job did not begin, or its machine ended it"]
    if not (errors := [k for k, line in enumerate(lines) if (match := RECORD.match(line)) and match[1] == "ERROR"]):
        return [*lines[-most:], "no error in the log: the job was stopped from outside, for example for its memory"]
    block = lines[errors[-1] :]
    length = next((k for k, line in enumerate(block) if k and (RECORD.match(line) or line == TRACE)), len(block))
    message = [RECORD.sub("", block[0]), *block[1:length]]
    ends = [match[1] for line in block[length:] if (match := CLASS.match(line))]
    if ends and block[length : length + 1] == [TRACE]:
        message[0] = f"{ends[-1].rpartition('.')[2]}: {message[0]}"
    return message[:most]


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an uncaught error with its trace to the log file, and only the message to the terminal."""
    _error.append(kind.__name__)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            record = logging.LogRecord("tamrl", logging.ERROR, "", 0, str(error), None, (kind, error, trace))
            handler.emit(record)
    print(escaping.for_log(f"{kind.__name__}: {error}"), file=sys.stderr)


def progress(items: Iterable[T], title: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`; every few seconds log how many are done and the time that the rest will take.

    On a terminal the line goes to stderr; otherwise only to the log.
    """
    total = len(items) if total is None and isinstance(items, Sized) else total
    start = last_line = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last_line > _SECONDS_BETWEEN_LINES:
            last_line = now
            _log_progress(title, done, total, now - start)
        yield item
    logging.getLogger("tamrl.progress").info("%s: finished in %.1f s", title, time.monotonic() - start)


def _log_progress(title: str, done: int, total: int | None, seconds: float) -> None:
    left = f"/{total}, about {seconds / done * (total - done):.0f} s left" if total else ""
    line = f"{title}: {done}{left}"
    logging.getLogger("tamrl.progress").info(line)
    if sys.stderr.isatty():
        print(f"    {line}", file=sys.stderr, flush=True)

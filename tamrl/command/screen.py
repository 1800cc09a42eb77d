"""What a run shows: in a terminal a table that is updated in place, elsewhere one plain line for each event."""

import threading
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tamrl.command.progress import RunProgress, clock

HEARTBEAT = 30.0
"""Longest silence of a run (s)."""

BAR = 20
"""Characters of the bar of a phase."""


class PlainScreen:
    """One line for each event, and one of the state after each `heartbeat` seconds without any."""

    def __init__(self, stream: TextIO, heartbeat: float = HEARTBEAT):
        self._stream, self._heartbeat = stream, heartbeat
        self._progress: RunProgress | None = None
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None

    def begin(self, progress: RunProgress) -> None:
        """Show a run from now on."""
        self._progress = progress
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def say(self, *lines: str) -> None:
        """Show lines that stay."""
        with self._lock:
            print(*lines, sep="\n", file=self._stream, flush=True)
            self._last = time.monotonic()

    def end(self) -> None:
        """Show the run no longer."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(max(self._last + self._heartbeat - time.monotonic(), 0.01)):
            with self._lock:
                if self._progress and time.monotonic() - self._last >= self._heartbeat:
                    self.say(self._progress.status_line(time.monotonic()))


class LiveScreen:
    """A table of the phases below the lines that stay, drawn again twice a second."""

    def __init__(self, stream: TextIO):
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None

    def begin(self, progress: RunProgress) -> None:
        """Show a run from now on."""
        self._live = Live(
            console=self._console,
            get_renderable=lambda: phase_table(progress, time.monotonic()),
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def say(self, *lines: str) -> None:
        """Show lines that stay."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def end(self) -> None:
        """Show the run no longer."""
        if self._live:
            self._live.stop()
            self._live = None


Screen = PlainScreen | LiveScreen


def open_screen(stream: TextIO) -> Screen:
    """The screen for a stream, which is a terminal or not."""
    return LiveScreen(stream) if stream.isatty() and Console(file=stream).is_terminal else PlainScreen(stream)


def phase_table(progress: RunProgress, now: float) -> Group:
    """The phases that have not ended, with bars by time, and the state of the run below them."""
    table = Table.grid(padding=(0, 1))
    for phase in progress.phases:
        done, total = progress.done(phase), progress.total(phase)
        if done < total:
            share = progress.forecast.share(now, phase.rules)
            bar = ProgressBar(total=1.0, completed=share, width=BAR)
            seconds = sum(
                (progress.forecast.jobs[rule] - progress.forecast.done(rule)) * progress.forecast.job_seconds(rule)
                for rule in phase.rules
            )
            cells: Sequence[str] = (f"{done} of {total} jobs", f"{clock(seconds)} of jobs to come")
            table.add_row(progress.place(phase), phase.title, bar, *cells)
    return Group(table, Text(progress.status_line(now), no_wrap=True, overflow="ellipsis"))

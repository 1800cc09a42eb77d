"""Snakemake with a terminal to be read: `python -m tamrl.command.watch` takes the options of Snakemake.

A logger plug-in of Snakemake shows phases, the time left and failures. When jobs begin, what Snakemake and they print goes to
Snakemake's own log file. Options that only list or change something (`--dry-run`, `--lint`, `--unlock`) work as in Snakemake.
"""

import argparse
import logging
import os
import sys
import time
import types
from collections.abc import Sequence
from typing import Any, ClassVar

from snakemake import cli
from snakemake.logging import logger
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent, logger_plugin_module_prefix
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from tamrl import config as configuration
from tamrl import forked, log
from tamrl.command.progress import RunProgress, StartedJob, failure_lines, roughly
from tamrl.command.screen import open_screen
from tamrl.costs.data import data_needs
from tamrl.costs.forecast import Forecast
from tamrl.errors import TamrlError
from tamrl.intake import document
from tamrl.layout import RunLayout
from tamrl.run_record import closing_lines
from tamrl.sections.run import Config

NAME = "tamrl"
"""Of the plug-in."""

LISTING = {
    "dryrun",
    "touch",
    "lint",
    "list_rules",
    "list_target_rules",
    "list_changes",
    "list_input_changes",
    "list_params_changes",
    "list_untracked",
    "list_conda_envs",
    "dag",
    "rulegraph",
    "filegraph",
    "d3dag",
    "summary",
    "detailed_summary",
    "archive",
    "unlock",
    "report",
    "containerize",
    "export_cwl",
    "delete_all_output",
    "delete_temp_output",
    "print_compilation",
    "cleanup_metadata",
    "conda_cleanup_envs",
    "conda_create_envs_only",
    "container_cleanup_images",
    "logger",
    "quiet",
    "verbose",
    "debug_dag",
}
"""Options of Snakemake that run nothing, or that ask for another output."""

SHOWN_MESSAGES = ("Nothing to be done", "Terminating processes", "Will exit after finishing")
"""Beginnings of messages of Snakemake that are shown."""

FINAL = "At least one job did not complete successfully"


class LogHandler(LogHandlerBase):
    """The plug-in: it turns the events of Snakemake into lines."""

    run: ClassVar[Config]
    """Configuration of the run."""

    def __post_init__(self) -> None:
        self.screen = open_screen(os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace"))
        self.progress: RunProgress | None = None
        self._cores: int | None = None
        self._log_file: str | None = None
        self._closing = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        logger.propagate = False
        logger.addFilter(self._divert)

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def _divert(self, record: logging.LogRecord) -> bool:
        """Send what this process and its jobs print to the log file, before the first job begins.

        Handlers of plug-ins run in a thread of their own, a filter of the logger in that which starts the jobs.
        """
        if getattr(record, "event", None) == LogEvent.RUN_INFO and self._log_file is None:
            name = next((handler.baseFilename for handler in logger.handlers if isinstance(handler, logging.FileHandler)), None)
            if name:
                self._log_file = name
                sys.stdout.flush()
                sys.stderr.flush()
                file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                os.dup2(file, 1)
                os.dup2(file, 2)
                os.close(file)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Show an event."""
        try:
            self._show(record, time.monotonic())
        except Exception:
            self.handleError(record)

    def _show(self, record: logging.LogRecord, now: float) -> None:
        event, values = getattr(record, "event", None), record.__dict__
        if event == LogEvent.RESOURCES_INFO:
            self._cores = values.get("cores", self._cores)
        elif event == LogEvent.RUN_INFO and self.progress is None:
            self._begin({rule: count for rule, count in values["stats"].items() if rule != "total"}, now)
        elif event == LogEvent.JOB_INFO and self.progress:
            wildcards = tuple(str(value) for name, value in values["wildcards"].items() if name != "run")
            self.progress.start(StartedJob(values["jobid"], values["rule_name"], wildcards, tuple(values["log"])), now)
        elif event == LogEvent.JOB_FINISHED and self.progress:
            if phase := self.progress.finish(values["job_id"], now):
                self.screen.say(self.progress.finished_line(phase, now))
        elif event == LogEvent.JOB_ERROR and self.progress:
            self._fail(values["jobid"], tuple(values["log"]), now)
        elif event in (None, LogEvent.ERROR):
            self._message(record)

    def _begin(self, jobs: dict[str, int], now: float) -> None:
        forecast = Forecast.of(jobs, self.run, cores=self._cores, begun=now)
        self.progress = RunProgress(forecast)
        count, cores = sum(jobs.values()), f" · {self._cores} cores" if self._cores else ""
        self.screen.say(
            f"tamrl · run {self.run.run} · {count} jobs{cores} · {roughly(forecast.seconds_left(now))}",
            *(f"output of Snakemake and its jobs: {os.path.relpath(name)}" for name in [self._log_file] if name),
        )
        if wants := data_needs(self.run):
            self.screen.say(f"{self.run.run} will need", *(f"  {need}" for need in wants))
        self.screen.begin(self.progress)

    def _fail(self, number: int, logs: tuple[str, ...], now: float) -> None:
        if self.progress is None or number not in self.progress.forecast.running():
            return  # told already, as a member of a group
        job = self.progress.jobs[number]
        reason = [line for name in logs for line in log.error_lines(name)]
        self.screen.say(*failure_lines(job, self.progress.fail(number, now), logs, reason))

    def _message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        known = self.progress is not None and FINAL in text  # the last lines say so
        if (record.levelno >= logging.WARNING and not known) or text.startswith(SHOWN_MESSAGES):
            self.screen.say(text.strip())

    def close(self) -> None:
        """Leave the terminal as it was."""
        logger.removeFilter(self._divert)
        self.screen.end()
        super().close()

    def conclude(self, *, good: bool) -> None:
        """Show what was made, where, and what to do next."""
        if self.progress is not None or good:
            print(*closing_lines(RunLayout(self.run.run).folder, good=good), sep="\n", file=self._closing, flush=True)


def shows(options: argparse.Namespace) -> bool:
    """Whether Snakemake will run jobs with these options, and nobody asked for its own output."""
    return options.mode.name == "DEFAULT" and not any(getattr(options, name, None) for name in LISTING)


def read_configuration(options: argparse.Namespace) -> Config:
    """The configuration that Snakemake will have with these options."""
    raw: configuration.Raw = {}
    for name in options.configfile or ():
        raw = configuration.overlay(raw, document.read_document(name))
    values: dict[str, Any] = cli.parse_config(options.config) if options.config else {}
    return configuration.load(configuration.overlay(raw, values))


def main(words: Sequence[str]) -> int:
    """Run Snakemake with these options; returns its exit code."""
    _, options = cli.parse_args(list(words))
    if not shows(options):
        return _snakemake(words)
    handlers: list[LogHandler] = []

    class Plugin(LogHandler):
        """The plug-in of this run."""

        run = read_configuration(options)

        def __post_init__(self) -> None:
            super().__post_init__()
            handlers.append(self)

    module = types.ModuleType(f"{logger_plugin_module_prefix}{NAME}")
    module.LogHandler = Plugin  # type: ignore[attr-defined]
    LoggerPluginRegistry().register_plugin(module.__name__, module)
    forked.fork_jobs()
    code = _snakemake(["--logger", NAME, *words])
    for handler in handlers:
        handler.conclude(good=code == 0)
    return code


def _snakemake(words: Sequence[str]) -> int:
    try:
        cli.main(list(words))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TamrlError as error:
        sys.exit(f"tamrl run: {error}")

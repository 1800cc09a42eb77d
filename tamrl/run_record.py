"""`provenance.json`: what a run was made from, with what, and at what cost, so that it can be repeated and compared."""

import json
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tamrl import files, log
from tamrl.errors import InputError
from tamrl.intake import border
from tamrl.layout import File, RunLayout

FILE = "provenance.json"
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
LATER = {"record_provenance", "check_products", "build_atlas", "build_site"}
"""Rules with a benchmark whose jobs may end after the record, which does not count them."""


class _Record(BaseModel):
    """Part of a record; keys of other versions are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProductOrigin(_Record):
    """How products of one rule were made."""

    code: str | None = None
    """Digest of the code."""
    settings: str | None = None
    """Digest of the parameters of the rule."""
    seed: int | None = None
    software: dict[str, str] = Field(default_factory=dict)
    """Versions of the libraries that were loaded."""
    instructions: str = "unknown"
    """Instruction sets of the processor, and the accelerator."""
    products: int = 0
    """Number of products."""
    first: str = ""
    """When the first of them was written (UTC)."""
    last: str = ""


class Hardware(_Record):
    """Kind of machine; nothing that names it."""

    machine: str = ""
    system: str = ""
    processor: str = ""
    cores: int | None = None
    memory_gib: float | None = None
    accelerators: tuple[str, ...] = ()


class JobCost(_Record):
    """What a job took."""

    rule: str = ""
    """Rule of the job; earlier versions did not record it."""
    seconds: float
    memory_mib: float | None = None
    """Peak memory; null for jobs of less than some seconds."""


class RecordedInputs(_Record):
    """What the run read, by SHA-256."""

    drivers: dict[str, Any] | None = None
    """SHA-256 of the cube's manifest and versions of the sources; null in a run without grids."""
    towers: dict[str, str] = Field(default_factory=dict)
    raw: dict[str, str] = Field(default_factory=dict)


class Provenance(_Record):
    """The record of a run."""

    run: str = Field(pattern=f"^{NAME}$")
    config: dict[str, Any]
    """The configuration; keys are those of the version that ran."""
    recorded: str = ""
    """When (UTC)."""
    name: str | None = None
    """Title of a run on the virtual Earth, which says so; other runs have none."""
    description: str | None = None
    keywords: tuple[str, ...] | None = None
    config_digest: str = ""
    """Of the keys that shape numbers, as the maps carry it."""
    seed: int | None = None
    code: dict[str, str] = Field(default_factory=dict)
    """Digest of each stage and plug-in, with all that it imports."""
    lock: str | None = None
    """Digest of the lock of packages."""
    git_revision: str = "unknown"
    software: dict[str, str] = Field(default_factory=dict)
    made: dict[str, tuple[ProductOrigin, ...]] = Field(default_factory=dict)
    """How the products were made, by rule; tiles of maps are `tiles`."""
    mixed: tuple[str, ...] = ()
    """Sentences on products of one kind that were made differently."""
    hardware: Hardware = Hardware()
    inputs: RecordedInputs = RecordedInputs()
    outputs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each product."""
    contents: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of what each product says: of NetCDF the names, shapes and numbers, else of the bytes."""
    rules: dict[str, JobCost] = Field(default_factory=dict)

    @property
    def virtual(self) -> bool:
        """Whether the inputs were simulated."""
        return bool(self.config.get("twin"))

    @property
    def cost(self) -> str:
        """Number, minutes and memory of all jobs, in words."""
        seconds, memory = sum(job.seconds for job in self.rules.values()), max(job.memory_mib or 0 for job in self.rules.values())
        return f"{len(self.rules)} jobs, {seconds / 60:.1f} minutes of jobs in all, at most {memory / 1024:.1f} GiB in one job"

    @property
    def layout(self) -> RunLayout:
        """Paths of the run."""
        return RunLayout(self.run)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read `provenance.json`. It may come from elsewhere and have no seal.

        Raises `InputError` if it is no record, or names products outside of the run.
        """
        path = Path(path)
        with border.reading("the record of the run cannot be read", where=path, todo="run make maps to its end first"):
            text = (files.verified(path) if files.seal_file(path).is_file() else path).read_text(encoding="utf-8")
            try:
                record = cls.model_validate(json.loads(text))
            except ValidationError as error:
                raise InputError("the record of the run cannot be read", where=path, found=error) from error
        within = re.compile(rf"{re.escape(record.layout.folder)}/")
        names = [*record.outputs, *record.contents]
        if strange := [name for name in names if not within.match(name) or ".." in PurePosixPath(name).parts]:
            raise InputError("the record is not that of a run", where=path, found=strange[:5])
        return record

    def write(self, path: str | Path) -> None:
        """Write the record, sealed and without paths of this machine."""
        unsaid = {key for key in ("name", "description", "keywords") if getattr(self, key) is None}
        files.write_json(path, self.model_dump(mode="json", exclude=unsaid))


def closing_lines(run: str, *, good: bool) -> list[str]:
    """Return what is said at the end of a run: its costs, what was made and where, or how to go on.

    The costs of a finished run are those of its record, as in `summary.md`; else those of its journal.
    """
    here = RunLayout.at(run)
    if not good:
        advice = "Every finished step is kept: mend the cause and give the same command again."
        return [f"In all: {log.journal_summary(run)}", f"Stopped. {advice} Logs: {here(File.LOGS)}/"]
    costs = log.journal_summary(run)
    with suppress(InputError):
        if _is_newest(recorded := Path(here(File.PROVENANCE)), here):
            costs = f"{Provenance.read(recorded).cost}; each: {here(File.LOGS)}/{log.JOURNAL}"
    return [f"In all: {costs}", f"Done. {log.finished_products(run)}".rstrip()]


def _is_newest(record: Path, run: RunLayout) -> bool:
    """Whether no job but those that need the record, or that it does not count, has ended after it."""
    if not record.is_file():
        return False
    folder, when = Path(run(File.BENCHMARKS)), record.stat().st_mtime
    ended = {
        path.relative_to(folder).parts[0].removesuffix(".tsv") for path in folder.rglob("*.tsv") if path.stat().st_mtime > when
    }
    return ended <= LATER

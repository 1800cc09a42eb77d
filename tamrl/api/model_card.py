"""The card of a released model: what trained it, what it reads, how well it does at unseen towers, and its limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import pandas as pd
from pydantic import ValidationError

from tamrl import variables
from tamrl.carbon import FLUXES, UNITS
from tamrl.documents import Document, DocumentPart
from tamrl.errors import ConfigError
from tamrl.intake import document
from tamrl.markdown import markdown_table


class DataSource(DocumentPart):
    """Data of others behind a model."""

    title: str
    author: str
    year: int | None = None
    doi: str | None = None
    url: str | None = None
    licence: str
    use: str
    """What the model has of it."""


class Statement(DocumentPart):
    """What people write of a model; the rest of its card is measured."""

    title: str
    summary: str
    network: str
    """Of the training towers."""
    data: tuple[DataSource, ...]
    uses: tuple[str, ...]
    limits: tuple[str, ...]

    @classmethod
    def of_file(cls, path: str | Path) -> Self:
        """Read the YAML or JSON of a statement; raises `ConfigError`, which names what is wrong."""
        try:
            return cls.model_validate(document.read_document(path))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            keys = ", ".join(cls.model_fields)
            raise ConfigError(f"{place}: {first['msg']}", where=path, todo=f"the keys are {keys}") from None


class TrainingTower(DocumentPart):
    """A tower that trained the model."""

    site: str
    lat: float
    lon: float
    igbp: str | None
    koppen: str | None
    first: str | None
    last: str | None
    """Days of its record, where the run states them."""


class Driver(DocumentPart):
    """A driver that the model reads."""

    name: str
    meaning: str
    units: str
    columns: tuple[str, ...]
    """Names of columns by which a table may have it, in the unit of tower files."""
    column_units: str | None


class Score(DocumentPart):
    """Errors at towers that did not train: medians over towers, in the unit of the flux; `nse` and `r2` without unit."""

    flux: str
    scale: str
    towers: int
    rmse: float
    rmse_p90: float
    mae: float
    bias: float
    nse: float | None
    r2: float | None
    """None with too few values a tower."""


class IntervalScore(DocumentPart):
    """How the 90 % intervals did at towers that neither trained nor calibrated: of what a tower measures."""

    flux: str
    scale: str
    towers: int
    coverage: float
    half_width: float
    """Half of the mean width, in the unit of the flux."""


class ModelCard(Document):
    """The card."""

    content: ClassVar[str] = "the card of a model"

    name: str
    statement: Statement
    version: str
    """Of tamrl."""
    model: str
    settings: dict[str, str]
    """Options of the model and of its training, as text."""
    step: str
    members: int
    folds: int
    """How many parts of the towers were held out in turn, for scores and intervals."""
    drivers: tuple[Driver, ...]
    towers: tuple[TrainingTower, ...]
    scores: tuple[Score, ...]
    intervals: tuple[IntervalScore, ...]
    skill: dict[str, str]
    """What site means of each flux are worth."""
    software: dict[str, str]

    def markdown(self, digest: str) -> str:
        """The card as a page; `digest` is that of the file of the model."""
        statement = self.statement
        parts = [f"# {statement.title}", statement.summary, *self._origin(digest), *self._tables()]
        parts += ["## For what it is", _bullets(statement.uses), "## What it is not for", _bullets(statement.limits)]
        return "\n\n".join([*parts, *self._training()]) + "\n"

    def _origin(self, digest: str) -> list[str]:
        rows = [
            ("name", f"`{self.name}`"),
            ("model", f"`{self.model}`, {self.members} member{'s' if self.members > 1 else ''}, steps of a {self.step}"),
            ("made by", f"tamrl {self.version}; {', '.join(f'{name} {version}' for name, version in self.software.items())}"),
            ("SHA-256 of its content", f"`{digest}`"),
        ]
        heads = ("data", "licence", "what the model has of it")
        sources = [(_cited(s), s.licence, s.use) for s in self.statement.data]
        return [markdown_table(("", ""), rows), "## Data", markdown_table(heads, sources)]

    def _tables(self) -> list[str]:
        """Drivers, scores and intervals."""
        drivers = [
            (f"`{d.name}`", d.meaning, d.units, ", ".join(f"`{c}`" for c in d.columns) or "–", d.column_units or "–")
            for d in self.drivers
        ]
        scores = [
            (s.flux.upper(), s.scale, s.towers, *(_number(v) for v in (s.rmse, s.rmse_p90, s.mae, s.bias, s.nse, s.r2)))
            for s in self.scores
        ]
        intervals = [(i.flux.upper(), i.scale, i.towers, f"{i.coverage:.2f}", f"{i.half_width:.2f}") for i in self.intervals]
        return [
            "## What it reads",
            markdown_table(("driver", "meaning", "unit", "columns of tower files", "their unit"), drivers),
            "## Errors at unseen towers",
            f"Groups of neighbouring towers were held out together, in {self.folds} folds, with one member each trained on the "
            f"other towers. Medians over towers; units {UNITS}.",
            markdown_table(("flux", "scale", "towers", "RMSE", "RMSE, 90th pct.", "MAE", "bias", "NSE", "r²"), scores),
            _bullets(tuple(f"{flux.upper()}: {self.skill[flux]}" for flux in FLUXES if flux in self.skill)),
            "## Its 90 % intervals at unseen towers",
            "Calibrated on the other folds, so that no tower tests its own interval. Of what a tower measures, noise included; "
            "intervals of the flux itself are narrower.",
            markdown_table(("flux", "scale", "towers", "coverage", "mean half-width"), intervals),
        ]

    def _training(self) -> list[str]:
        towers = [
            (t.site, f"{t.lat:.3f}", f"{t.lon:.3f}", t.igbp or "–", t.koppen or "–", t.first or "–", t.last or "–")
            for t in self.towers
        ]
        settings = [(f"`{name}`", value) for name, value in self.settings.items()]
        return [
            "## Training",
            markdown_table(("setting", "value"), settings),
            f"{len(self.towers)} towers of {self.statement.network}:",
            markdown_table(("tower", "lat", "lon", "IGBP", "climate", "first", "last"), towers),
        ]


def known_drivers(names: Sequence[str]) -> tuple[Driver, ...]:
    """Describe variables of the vocabulary."""
    drivers = []
    for name in names:
        entry = variables.get(name)
        columns = tuple(entry.towers.names) if entry.towers else ()
        of_columns = entry.towers.units if entry.towers else None
        drivers.append(Driver(name=name, meaning=entry.long_name, units=entry.units, columns=columns, column_units=of_columns))
    return tuple(drivers)


def unseen_scores(table: pd.DataFrame, model: str) -> tuple[Score, ...]:
    """Scores of a model over all held-out towers, from a table of `contracts.SCORES`."""
    rows = table[(table["model"] == model) & (table["kind"] == "all")]
    scores = []
    for (scale, flux), part in rows.groupby(["scale", "flux"], sort=False):
        by = part.set_index("score")
        names = ("rmse", "mae", "bias", "nse", "r2")
        medians = {name: float(by.at[name, "median"]) if name in by.index else None for name in names}
        towers, p90 = int(by.at["rmse", "towers"]), float(by.at["rmse", "p90"])
        scores.append(Score.model_validate({"flux": flux, "scale": scale, "towers": towers, "rmse_p90": p90} | medians))
    return tuple(scores)


def unseen_intervals(table: pd.DataFrame, model: str, kind: str) -> tuple[IntervalScore, ...]:
    """Scores of the intervals of one kind over all held-out towers, from a table of `contracts.RELIABILITY`."""
    rows = table[(table["model"] == model) & (table["kind"] == "all") & (table["intervals"] == kind)]
    return tuple(
        IntervalScore(flux=r.flux, scale=r.scale, towers=int(r.towers), coverage=float(r.coverage), half_width=float(r.width) / 2)
        for r in rows.itertuples()
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _cited(source: DataSource) -> str:
    link = f"[doi {source.doi}](https://doi.org/{source.doi})" if source.doi else source.url or ""
    year = f" ({source.year})" if source.year else ""
    return f"{source.author}{year}: {source.title}. {link}".rstrip()


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)

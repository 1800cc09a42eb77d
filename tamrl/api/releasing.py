"""Make a released model of a run: the members of one of its models, with their intervals, towers and card, in one file."""

from pathlib import Path

import pandas as pd

from tamrl import __version__, contracts, files
from tamrl.api.model_card import ModelCard, Statement, TrainingTower, known_drivers, unseen_intervals, unseen_scores
from tamrl.api.prediction import FluxPredictor, load_model
from tamrl.api.released import SUFFIX, Release, TowerReference, read_released, write_released
from tamrl.api.run import Run
from tamrl.errors import InputError
from tamrl.layout import File
from tamrl.training.model_spec import ModelSpec
from tamrl.uncertainty.descriptions import DescribedTowers

LARGEST = 8 << 20
"""Size of a file from which on it is no part of a package (B)."""


def release_model(run: Run, *, name: str, statement: Statement, folder: Path) -> Path:
    """Pack the model of a run that makes its maps; write `<name>.safetensors` with its card, `<name>.json` and `<name>.md`.

    Parameters
    ----------
    run : with members of fold `all`, calibration, scores and samples
    name : of the released model
    statement : what people write of it
    folder : where the files go

    Returns the path of the model. The same run gives the same bytes. Raises `InputError` if the run is simulated, or lacks what
    is needed.
    """
    if run.virtual:
        raise InputError("a virtual Earth trains no model for others", where=run.folder, todo="release a model of real towers")
    model = load_model(run, device="cpu")
    towers = model.described_towers
    members = tuple(member.spec for member in model.members)
    specs = tuple(spec.model_copy(update={"training": spec.training.model_copy(update={"history": None})}) for spec in members)
    card = _card(run, model, name, statement)
    release = Release(card=card, members=specs, calibration=run.calibration, towers=_reference(towers))
    path = folder / f"{name}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    write_released(path, release, model.members, towers)
    if (size := path.stat().st_size) > LARGEST:
        path.unlink()
        todo = f"release fewer members: at most {LARGEST:,} bytes are delivered in one file"
        raise InputError("the model is too large", where=run.folder, found=f"{size:,} bytes", todo=todo)
    released = read_released(path)
    for suffix, text in ((".md", card.markdown(released.digest)), (".json", files.as_json(card.model_dump(mode="json")))):
        with files.atomic(path.with_suffix(suffix), sealed=False) as part:
            part.write_text(text, encoding="utf-8")
    return path


def _reference(towers: DescribedTowers | None) -> TowerReference | None:
    if towers is None:
        return None
    reference = towers.reference
    return TowerReference(
        sites=towers.sites,
        dynamic=towers.dynamic,
        static=towers.static,
        least=towers.least,
        distance=reference.distance,
        threshold=reference.threshold,
    )


def _card(run: Run, model: FluxPredictor, name: str, statement: Statement) -> ModelCard:
    """The card from the tables of the run."""
    spec = model.members[0].spec
    reliability = contracts.read_csv(run.path(File.RELIABILITY), contracts.RELIABILITY)
    kinds = reliability.loc[reliability["model"] == spec.name, "intervals"].unique()
    kind = "members" if "members" in kinds else "residuals"
    folds = set(run.models.query("model == @spec.name")["fold"]) - {"all"}
    return ModelCard(
        name=name,
        statement=statement,
        version=__version__,
        model=spec.name,
        settings=_settings(spec),
        step=spec.inputs.step,
        members=len(model.members),
        folds=len(folds),
        drivers=known_drivers((*spec.inputs.dynamic, *spec.inputs.static)),
        towers=_towers(run.towers, spec),
        scores=unseen_scores(run.scores, spec.name),
        intervals=unseen_intervals(reliability, spec.name, kind),
        skill=run.calibration.skill,
        software=spec.training.software,
    )


def _settings(spec: ModelSpec) -> dict[str, str]:
    """Options of the model and of its training."""
    options, training = spec.options.model_dump(mode="json", exclude_none=True), spec.training.settings.model_dump(mode="json")
    return {key: str(value) for key, value in sorted((training | options).items())}


def _day(value: object) -> str | None:
    """A date of a table, if it has one."""
    return str(value)[:10] if isinstance(value, str) else None


def _towers(table: pd.DataFrame, spec: ModelSpec) -> tuple[TrainingTower, ...]:
    """The towers that trained the members."""
    rows = table[table["site"].isin(spec.training.sites)].sort_values("site").to_dict("records")
    return tuple(
        TrainingTower(
            site=row["site"],
            lat=round(row["lat"], 4),
            lon=round(row["lon"], 4),
            igbp=row["igbp"] if pd.notna(row["igbp"]) else None,
            koppen=row["koppen"] if pd.notna(row["koppen"]) else None,
            first=_day(row.get("first")),
            last=_day(row.get("last")),
        )
        for row in rows
    )

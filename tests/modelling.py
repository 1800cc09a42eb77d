"""Trained models for tests that do not train."""

from typing import Any

from tamrl.plugins import Predictor
from tamrl.samples.dataset import InputSpec
from tamrl.samples.standardise import Standardisation
from tamrl.training.checkpoint import Trained
from tamrl.training.model_spec import ModelSpec, TrainingRecord


def trained(
    model: Predictor,
    inputs: InputSpec,
    standardisation: Standardisation,
    options: dict[str, Any] | None = None,
    *,
    name: str = "tamrl",
    fold: str = "all",
    member: str = "0",
    kin: str = "k",
    sites: tuple[str, ...] = (),
) -> Trained:
    """A model with the description that training would have written."""
    record = TrainingRecord(kin=kin, sites=sites)
    return Trained(
        model,
        ModelSpec(
            name=name,
            plugin=name,
            options=options or {},
            inputs=inputs,
            standardisation=standardisation,
            fold=fold,
            member=member,
            training=record,
        ),
    )

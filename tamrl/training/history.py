"""What happened in the training of a network."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter


@dataclass
class History:
    """(step, loss) pairs, steps not applied, and the step whose weights were kept."""

    training: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    bad_steps: int = 0
    best_step: int = 0


HISTORY = TypeAdapter(History)
"""Checks a history that comes from a file."""

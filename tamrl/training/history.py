"""What happened in the training of a network."""

import logging
import math
from dataclasses import dataclass, field

from pydantic import TypeAdapter

_log = logging.getLogger(__name__)


@dataclass
class History:
    """(step, loss) pairs, steps not applied, and the step whose weights were kept."""

    training: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    bad_steps: int = 0
    best_step: int = 0

    def record(self, step: int, loss: float, score: float | None) -> None:
        """Note the losses of a step in training and, if there was one, validation."""
        self.training.append((step, loss))
        if score is not None:
            self.validation.append((step, score))
        _log.info("step %d: training loss %.4f, validation loss %.4f", step, loss, math.nan if score is None else score)

    def stalls(self, patience: int | None) -> bool:
        """Whether the last `patience` validations were no better than an earlier one."""
        return patience is not None and sum(step > self.best_step for step, _ in self.validation) >= patience


HISTORY = TypeAdapter(History)
"""Checks a history that comes from a file."""

"""The steps of a run: days or months of some years, of which the last may be unfinished; or the months of a mean year."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tamrl.errors import ConfigError


@dataclass(frozen=True)
class Steps:
    """`step` is `day` or `month`; `years` are empty for a mean year; `until` (yyyy-mm) is the last month of the last year."""

    step: str
    years: tuple[int, ...] = ()
    until: str | None = None

    @property
    def span(self) -> tuple[np.datetime64, np.datetime64]:
        """The first month and the month after the last one (datetime64[M]); those of 2001 stand for a mean year."""
        years = self.years or (2001,)
        return np.datetime64(f"{years[0]}-01", "M"), np.datetime64(self.until or f"{years[-1]}-12", "M") + 1

    @cached_property
    def axis(self) -> np.ndarray:
        """Starts of all steps (datetime64[ns])."""
        unit = {"day": "datetime64[D]", "month": "datetime64[M]"}[self.step]
        first, end = (month.astype(unit) for month in self.span)
        return np.arange(first, end).astype("datetime64[ns]")

    def need_years(self, source: str) -> None:
        """Raise `ConfigError` where a source that has no mean year is asked for one."""
        if not self.years:
            raise ConfigError(f"{source} has no climatology", where="time.years", todo="name the years")

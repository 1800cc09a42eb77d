"""Sources in which a later sensor follows an earlier one (option `successor`). Light: the workflow is planned with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from tamrl.options import Strict
from tamrl.plugins import DriverSource

if TYPE_CHECKING:
    import xarray as xr

    from tamrl.calendar import TimeAxis


@dataclass(frozen=True)
class SensorPair:
    """A variable by two sensors at the same times, each (time, lat, lon) with its coordinate `weight`."""

    before: "xr.DataArray"
    after: "xr.DataArray"
    bound: float
    """Largest mean difference that is no jump, in standard deviations of the earlier sensor over cells and times."""


class SensorSource(DriverSource, Protocol):
    """A source in which a later sensor may follow an earlier one."""

    def open_overlap(self, options: Any, *, names: tuple[str, ...], axis: "TimeAxis") -> dict[str, SensorPair]:
        """The named variables by both sensors in the time that both are read for; nothing without a successor."""


def follows_sensor(source: DriverSource, options: Strict, axis: "TimeAxis") -> TypeGuard[SensorSource]:
    """Whether a later sensor follows an earlier one with these options, before the time of the run ends."""
    successor = getattr(options, "successor", None)
    if not source.CAPABILITIES.sensors or successor is None:
        return False
    return bool(axis.span[1].astype("datetime64[s]").item() > successor.begins)

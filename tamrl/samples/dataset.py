"""From named variables to tensors: the only place where names become positions.

The same function serves towers (samples with dimension `site`) and tiles of the map (cells stacked to `site`), so a map
sees exactly what the models were trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import xarray as xr

from tamrl import calendar, variables
from tamrl.calendar import Step, TimeAxis
from tamrl.carbon import FLUXES
from tamrl.options import Strict
from tamrl.samples.standardise import Standardisation
from tamrl.shapes import Dynamic, Fluxes, Static, Support, Valid

YEARS = 3
"""Years of a support set of years."""


@dataclass(frozen=True)
class InputSpec:
    """Which variables a model sees, in which order, at which step.

    Attributes
    ----------
    dynamic, static : names of `tamrl/data/variables.yaml`
    step : "day" or "month"
    windows : days
        Running means of the drivers over these lengths join the dynamic features; those no longer than a step are left out.
    calendar : bool
        Cosine and sine of the time of year, in northern time, are the last two dynamic features.
    support : "climatology", "years" or "window"
        The support set: the site's mean seasonal cycle; its `YEARS` most complete years, one after the other; or none, because
        the model reads the window that it is to predict.
    filled : names
        Dynamic variables whose missing steps may take the site's own seasonal cycle and stay valid.
    turned : bool
        The support set begins in midwinter: in January north of the equator, in July south of it. Else in January everywhere.
    """

    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    step: Step
    windows: tuple[int, ...] = ()
    calendar: bool = False
    support: Literal["climatology", "years", "window"] = "climatology"
    filled: tuple[str, ...] = ()
    turned: bool = True

    @classmethod
    def requested(
        cls,
        options: Strict,
        *,
        dynamic: Sequence[str],
        static: Sequence[str],
        step: Step,
        filled: Sequence[str] = (),
    ) -> "InputSpec":
        """What a plug-in's options ask for: `windows`, `calendar`, `support`, and `static`, the only attributes it wants.

        Parameters
        ----------
        options : of the model
        dynamic, static : variables of the configuration
        step : day or month
        filled : variables whose gaps are filled
        """
        wanted = getattr(options, "static", static)
        return cls(
            tuple(dynamic),
            tuple(name for name in static if name in wanted),
            step,
            windows=getattr(options, "windows", ()),
            calendar=getattr(options, "calendar", False),
            support=getattr(options, "support", "climatology"),
            filled=tuple(filled),
            turned=getattr(options, "encoder", "recurrent") == "recurrent",
        )

    @property
    def spans(self) -> tuple[int, ...]:
        """The windows in steps."""
        days = calendar.DAYS_PER_MONTH if self.step == "month" else 1.0
        return tuple(n for n in (round(w / days) for w in self.windows) if n > 1)

    @property
    def bins(self) -> int:
        """Bins of a year."""
        return calendar.MONTHS if self.step == "month" else calendar.FORTNIGHTS

    @property
    def length(self) -> int:
        """Bins of the support set."""
        return self.bins * (YEARS if self.support == "years" else 1)

    @property
    def year(self) -> int:
        """Steps of a year."""
        return calendar.MONTHS if self.step == "month" else 365

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the dynamic features."""
        means = tuple(f"{name}_mean_{n}" for n in self.spans for name in self.dynamic)
        return self.dynamic + means + (("season_cos", "season_sin") if self.calendar else ())

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the static features; a fraction has one for each class."""
        expand = {name: variables.get(name).members for name in self.static}
        return tuple(n for name, members in expand.items() for n in ([f"{name}:{m}" for m in members] or [name]))


@dataclass(frozen=True)
class Inputs:
    """Standardised inputs of a model, float32.

    Attributes
    ----------
    x : dynamic features
        Missing drivers are replaced so that the memory of a network continues.
    static : static features
    support : support set of the site
        Its mean seasonal cycle of drivers, or several years of them, from midwinter or January.
    valid : False where a driver was missing
        Predictions there must be made missing.
    """

    x: Dynamic
    static: Static
    support: Support
    valid: Valid

    def sites(self, which: slice | torch.Tensor) -> "Inputs":
        """Some of the sites."""
        return Inputs(self.x[which], self.static[which], self.support[which], self.valid[which])

    def to(self, device: torch.device) -> "Inputs":
        """The same on `device`; copies to a GPU start from pinned memory and do not wait."""
        pin = device.type == "cuda"
        move = {n: (t.pin_memory() if pin else t).to(device, non_blocking=pin) for n, t in vars(self).items()}
        return Inputs(**move)


def model_inputs(ds: xr.Dataset, spec: InputSpec, standardisation: Standardisation, *, steps: np.ndarray | None = None) -> Inputs:
    """Make the tensors of `ds` for a model.

    Parameters
    ----------
    ds : dataset
        Dynamic variables (site, time), statics (site) or (site, class), coordinate `lat` (site), attribute `units` each.
    spec, standardisation
        Of the model.
    steps : array of int, optional
        Positions on `ds.time` to predict, in order; they may repeat. The seasonal cycle is always taken over all of
        `ds.time`. Default: every step once.

    Returns
    -------
    Inputs of all sites at `steps`.

    Notes
    -----
    A missing (NaN or infinite) driver makes its step invalid and is replaced by the site's own seasonal cycle, or by the
    training mean where the site has none. One of `spec.filled` leaves the step valid where the site has a cycle. No site
    can influence another one's numbers.
    """
    order = np.arange(ds.sizes["time"]) if steps is None else np.asarray(steps)
    axis, time = TimeAxis(ds["time"].values, spec.step), ds["time"].values
    scaled = _dynamic(ds, spec, standardisation)  # (site, time, variable)
    static = _static(ds, spec, standardisation)  # (site, attribute)
    bins = axis.support_bins
    cycle = seasonal_cycle(scaled, bins, spec.bins)  # (site, bin, variable)
    finite = np.isfinite(scaled)
    usable = finite | (finite.any(1, keepdims=True) & np.isin(spec.dynamic, spec.filled))  # (site, time, variable)
    valid = usable.all(-1) & np.isfinite(static).all(-1, keepdims=True)  # (site, time)
    filled = np.where(finite[:, order], scaled[:, order], cycle[:, bins[order]])
    south = (ds["lat"].values < 0)[:, None, None]
    season = [TimeAxis(time[order], spec.step).annual_cycle(south)] if spec.calendar else []
    x = np.concatenate([filled, *running_means(filled, spec.spans), *season], axis=-1)  # (site, time, feature)
    years = yearly_cycles(scaled, axis, cycle) if spec.support == "years" else cycle[:, None]  # (site, year, bin, variable)
    if spec.turned:
        years = np.where(south[..., None], np.roll(years, spec.bins // 2, axis=2), years)
    support = years.reshape(len(years), spec.length, -1)
    complete = np.where(np.isfinite(static), static, np.float32(0))  # the training mean; such a site is invalid at every step
    return Inputs(*(torch.from_numpy(np.ascontiguousarray(a)) for a in (x, complete, support, valid[:, order])))


def lead_in(start: int, count: int, year: int) -> np.ndarray:
    """Positions of the `count` steps before position `start`; before the first step, the first year is repeated.

    A memory that starts there has seen a plausible past: the site's own first year.
    """
    position = np.arange(start - count, start)
    return np.where(position < 0, position % year, position)


def targets(ds: xr.Dataset) -> tuple[Fluxes, Fluxes]:
    """Measured fluxes and their weights.

    Returns
    -------
    y : gpp, reco, nee in gC m-2 d-1
        NaN where not measured.
    weight : quality of each
        The quality `nee_qc` (0 to 1; 1 where the network gives none), 0 where not measured.
    """
    y = np.stack([ds[f].transpose("site", "time").values for f in FLUXES], axis=-1).astype(np.float32)
    quality = ds["nee_qc"].transpose("site", "time").values.astype(np.float32)[..., None]
    weight = np.where(np.isfinite(y), np.where(np.isfinite(quality), quality, np.float32(1)), np.float32(0))
    return torch.from_numpy(y), torch.from_numpy(weight)


def seasonal_cycle(scaled: np.ndarray, bins: np.ndarray, count: int) -> np.ndarray:
    """Mean of the finite values of each site in each bin.

    Parameters
    ----------
    scaled : array (site, time, variable), NaN where missing
    bins : array (time) of int
    count : number of bins

    Returns
    -------
    array (site, bin, variable) of float32: a bin without values is interpolated between its neighbours around the year; a site
    without any value gets 0, the training mean.
    """
    mean, number = _means(scaled, bins, count)
    partial = (number == 0).any(1) & (number > 0).any(1)  # (site, variable)
    for b, d in np.argwhere(partial):
        known = np.flatnonzero(number[b, :, d])
        mean[b, :, d] = np.interp(np.arange(count), known, mean[b, known, d], period=count)
    return mean.astype(np.float32)


def yearly_cycles(scaled: np.ndarray, axis: TimeAxis, cycle: np.ndarray) -> np.ndarray:
    """The `YEARS` most complete years of each site in the order of time; of equally complete ones the earlier.

    Parameters
    ----------
    scaled : array (site, time, variable), NaN where missing
    axis : of the steps
    cycle : array (site, bin, variable)
        What stands where a year has no value; where there are fewer years, the first ones are repeated.

    Returns
    -------
    array (site, `YEARS`, bin, variable) of float32.
    """
    year = calendar.year(axis.start)
    years = np.unique(year)
    complete = np.stack([np.isfinite(scaled[:, year == y]).mean((1, 2)) for y in years], axis=1)  # (site, year)
    chosen = np.sort(np.argsort(-complete, axis=1, kind="stable")[:, :YEARS], axis=1)
    chosen = chosen[:, np.arange(YEARS) % chosen.shape[1]]
    out = np.repeat(cycle[:, None], YEARS, axis=1)
    for k, y in enumerate(years):
        site, place = np.nonzero(chosen == k)
        mean, number = _means(scaled[site][:, year == y], axis.support_bins[year == y], cycle.shape[1])
        out[site, place] = np.where(number > 0, mean, out[site, place])
    return out.astype(np.float32)


def _means(scaled: np.ndarray, bins: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and numbers of the finite values in each bin, (site, bin, variable) each, 0 where there is none."""
    finite = np.isfinite(scaled)
    number = np.stack([finite[:, bins == c].sum(1) for c in range(count)], axis=1)
    total = np.stack([np.where(finite[:, bins == c], scaled[:, bins == c], 0).sum(1, dtype=np.float64) for c in range(count)], 1)
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0), number


def running_means(x: np.ndarray, spans: tuple[int, ...]) -> list[np.ndarray]:
    """Means of the last steps up to and including each one, of fewer at the beginning.

    Parameters
    ----------
    x : array (site, time, variable)
    spans : numbers of steps

    Returns
    -------
    list
        One array (site, time, variable) of float32 for each span; the sums behind them are made once.
    """
    if not spans:
        return []
    total = np.cumsum(x, axis=1, dtype=np.float64)
    return [_mean_of_last(total, n) for n in spans]


def _mean_of_last(total: np.ndarray, steps: int) -> np.ndarray:
    """Means of the last `steps` steps from sums since the first step, (site, time, variable)."""
    mean = np.empty(total.shape, dtype=np.float32)
    first = total[:, :steps]
    mean[:, :steps] = first / np.arange(1, first.shape[1] + 1)[:, None]
    mean[:, steps:] = (total[:, steps:] - total[:, :-steps]) / steps
    return mean


def _dynamic(ds: xr.Dataset, spec: InputSpec, standardisation: Standardisation) -> np.ndarray:
    columns = [
        standardisation.apply(ds[n].transpose("site", "time").values, name=n, units=ds[n].attrs["units"]) for n in spec.dynamic
    ]
    return np.stack(columns, axis=-1)


def _static(ds: xr.Dataset, spec: InputSpec, standardisation: Standardisation) -> np.ndarray:
    columns = []
    for name in spec.static:
        kind = variables.get(name).classes
        values = ds[name].transpose("site", *([kind] if kind else [])).values
        if kind:
            values = values[:, ds.get_index(kind).get_indexer(list(variables.get(name).members))]
        scaled = standardisation.apply(values, name=name, units=ds[name].attrs["units"])
        columns.append(scaled if kind else scaled[:, None])
    return np.concatenate(columns, axis=1) if columns else np.zeros((ds.sizes["site"], 0), dtype=np.float32)

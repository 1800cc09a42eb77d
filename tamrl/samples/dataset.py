"""From named variables to tensors: the only place where names become positions.

The same function serves towers (samples with dimension `site`) and tiles of the map (cells stacked to `site`), so a map
sees exactly what the models were trained on. Shape letters: B sites, T steps, F dynamic features, S static features,
C bins of the seasonal cycle, D dynamic variables.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from tamrl import calendar, variables
from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.samples.scaling import Scaling

WEEKS = 26
"""Two-week bins of a year of days."""

YEARS = 3
"""Years of a support set of years."""


@dataclass(frozen=True)
class Spec:
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
    """

    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    step: Step
    windows: tuple[int, ...] = ()
    calendar: bool = False
    support: Literal["climatology", "years", "window"] = "climatology"
    filled: tuple[str, ...] = ()

    @classmethod
    def asked(
        cls,
        options: Any,
        *,
        dynamic: tuple[str, ...],
        static: tuple[str, ...],
        step: Step,
        filled: tuple[str, ...] = (),
    ) -> "Spec":
        """What a plug-in's options ask for: `windows`, `calendar`, `support`, and `static`, the only attributes it wants."""
        own = {name: getattr(options, name) for name in ("windows", "calendar", "support") if hasattr(options, name)}
        wanted = getattr(options, "static", static)
        return cls(tuple(dynamic), tuple(n for n in static if n in wanted), step, filled=tuple(filled), **own)

    @property
    def spans(self) -> tuple[int, ...]:
        """The windows in steps."""
        days = calendar.DAYS_PER_MONTH if self.step == "month" else 1.0
        return tuple(n for n in (round(w / days) for w in self.windows) if n > 1)

    @property
    def bins(self) -> int:
        """C: bins of a year."""
        return calendar.MONTHS if self.step == "month" else WEEKS

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
        """Names of the F dynamic features."""
        means = tuple(f"{name}_mean_{n}" for n in self.spans for name in self.dynamic)
        return self.dynamic + means + (("season_cos", "season_sin") if self.calendar else ())

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the S static features; a fraction has one for each class."""
        expand = {name: variables.get(name).members for name in self.static}
        return tuple(n for name, members in expand.items() for n in ([f"{name}:{m}" for m in members] or [name]))

    def to_json(self) -> dict:
        """Plain values for `spec.json`."""
        return asdict(self) | {"features": self.features, "attributes": self.attributes}

    @classmethod
    def from_json(cls, content: dict) -> "Spec":
        """Back from plain values."""
        named = (tuple(content[name]) for name in ("dynamic", "static"))
        own = {name: content[name] for name in ("calendar", "support")}
        return cls(*named, content["step"], tuple(content["windows"]), filled=tuple(content["filled"]), **own)


@dataclass(frozen=True)
class Inputs:
    """What a model gets, scaled, float32.

    Attributes
    ----------
    x : (B, T, F)
        Dynamic features; missing drivers are replaced so that the memory of a network goes on.
    static : (B, S)
    support : (B, C, D)
        Support set of the task: the site's own mean seasonal cycle of drivers, or several years of them, in northern time.
    valid : (B, T) of bool
        False where a driver was missing: predictions there must be made missing.
    """

    x: torch.Tensor
    static: torch.Tensor
    support: torch.Tensor
    valid: torch.Tensor

    def to(self, device: torch.device) -> "Inputs":
        """The same on `device`; copies to a GPU start from pinned memory and do not wait."""
        pin = device.type == "cuda"
        move = {n: (t.pin_memory() if pin else t).to(device, non_blocking=pin) for n, t in vars(self).items()}
        return Inputs(**move)


def inputs(ds: xr.Dataset, spec: Spec, scaling: Scaling, *, steps: np.ndarray | None = None) -> Inputs:
    """Tensors of `ds` for a model.

    Parameters
    ----------
    ds : dataset
        Dynamic variables (site, time), statics (site) or (site, class), coordinate `lat` (site), attribute `units` each.
    spec, scaling
        Of the model.
    steps : array of int, optional
        Positions on `ds.time` to predict, in order; they may repeat. The seasonal cycle is always taken over all of
        `ds.time`. Default: every step once.

    Returns
    -------
    Inputs with B = site and T = `steps`.

    Notes
    -----
    A missing (NaN or infinite) driver makes its step invalid and is replaced by the site's own seasonal cycle, or by the
    training mean where the site has none. One of `spec.filled` leaves the step valid where the site has a cycle. No site
    can influence another one's numbers.
    """
    order = np.arange(ds.sizes["time"]) if steps is None else np.asarray(steps)
    scaled = _dynamic(ds, spec, scaling)  # (B, T, D)
    static = _static(ds, spec, scaling)  # (B, S)
    bins = calendar_bins(ds["time"].values, spec)
    cycle = seasonal_cycle(scaled, bins, spec.bins)  # (B, C, D)
    there = np.isfinite(scaled)
    usable = there | (there.any(1, keepdims=True) & np.isin(spec.dynamic, spec.filled))  # (B, T, D)
    valid = usable.all(-1) & np.isfinite(static).all(-1, keepdims=True)  # (B, T)
    filled = np.where(there[:, order], scaled[:, order], cycle[:, bins[order]])
    south = (ds["lat"].values < 0)[:, None, None]
    season = [season_of(ds["time"].values[order], south, spec)] if spec.calendar else []
    x = np.concatenate([filled, *running_means(filled, spec.spans), *season], axis=-1)  # (B, T, F)
    years = yearly_cycles(scaled, ds["time"].values, bins, cycle) if spec.support == "years" else cycle[:, None]  # (B, Y, C, D)
    turned = np.where(south[..., None], np.roll(years, spec.bins // 2, axis=2), years)
    support = turned.reshape(len(turned), spec.length, -1)
    known = np.where(np.isfinite(static), static, np.float32(0))  # the training mean; such a site is invalid at every step
    return Inputs(*(torch.from_numpy(np.ascontiguousarray(a)) for a in (x, known, support, valid[:, order])))


def lead_in(start: int, count: int, year: int) -> np.ndarray:
    """Positions of the `count` steps before position `start`; before the first step, the first year is repeated.

    A memory that starts there has seen a plausible past: the site's own first year.
    """
    position = np.arange(start - count, start)
    return np.where(position < 0, position % year, position)


def targets(ds: xr.Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Measured fluxes and their weights.

    Returns
    -------
    y : (B, T, 3)
        gpp, reco, nee in gC m-2 d-1, NaN where not measured.
    weight : (B, T, 3)
        The quality `nee_qc` (0 to 1; 1 where the network gives none), 0 where not measured.
    """
    y = np.stack([ds[f].transpose("site", "time").values for f in FLUXES], axis=-1).astype(np.float32)
    quality = ds["nee_qc"].transpose("site", "time").values.astype(np.float32)[..., None]
    weight = np.where(np.isfinite(y), np.where(np.isfinite(quality), quality, np.float32(1)), np.float32(0))
    return torch.from_numpy(y), torch.from_numpy(weight)


def calendar_bins(time: np.ndarray, spec: Spec) -> np.ndarray:
    """The bin (0 to C - 1) of each time stamp (T): months, or pairs of weeks whose last takes the days left over."""
    if spec.step == "month":
        return calendar.month(time) - 1
    return np.minimum(calendar.day_of_year(time) // 14, WEEKS - 1)


def season_of(time: np.ndarray, south: np.ndarray, spec: Spec) -> np.ndarray:
    """Cosine and sine of the time of year of each step (T), turned by half a year where `south` (B, 1, 1); to (B, T, 2)."""
    half = 0.5 if spec.step == "day" else calendar.DAYS_PER_MONTH / 2
    days = (time - time.astype("datetime64[Y]")) / np.timedelta64(1, "D") + half
    angle = 2 * np.pi * days / calendar.days_of_year(time)
    return (np.where(south, -1, 1) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.float32)


def seasonal_cycle(scaled: np.ndarray, bins: np.ndarray, count: int) -> np.ndarray:
    """Mean of the finite values of each site in each bin.

    Parameters
    ----------
    scaled : array (B, T, D), NaN where missing
    bins : array (T) of int
    count : number of bins C

    Returns
    -------
    array (B, C, D) of float32: a bin without values is interpolated between its neighbours around the year; a site
    without any value gets 0, the training mean.
    """
    mean, number = _means(scaled, bins, count)
    partly = (number == 0).any(1) & (number > 0).any(1)  # (B, D)
    for b, d in np.argwhere(partly):
        known = np.flatnonzero(number[b, :, d])
        mean[b, :, d] = np.interp(np.arange(count), known, mean[b, known, d], period=count)
    return mean.astype(np.float32)


def yearly_cycles(scaled: np.ndarray, time: np.ndarray, bins: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """The `YEARS` most complete years of each site in the order of time; of equally complete ones the earlier.

    Parameters
    ----------
    scaled : array (B, T, D), NaN where missing
    time, bins : arrays (T)
    cycle : array (B, C, D)
        What stands where a year has no value; where there are fewer years, the first ones are repeated.

    Returns
    -------
    array (B, `YEARS`, C, D) of float32.
    """
    year = calendar.year(time)
    each = np.unique(year)
    complete = np.stack([np.isfinite(scaled[:, year == y]).mean((1, 2)) for y in each], axis=1)  # (B, years)
    chosen = np.sort(np.argsort(-complete, axis=1, kind="stable")[:, :YEARS], axis=1)
    chosen = chosen[:, np.arange(YEARS) % chosen.shape[1]]
    out = np.repeat(cycle[:, None], YEARS, axis=1)
    for k, y in enumerate(each):
        site, place = np.nonzero(chosen == k)
        mean, number = _means(scaled[site][:, year == y], bins[year == y], cycle.shape[1])
        out[site, place] = np.where(number > 0, mean, out[site, place])
    return out.astype(np.float32)


def _means(scaled: np.ndarray, bins: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and numbers of the finite values in each bin; (B, T, D) to (B, C, D) each, 0 where there is none."""
    there = np.isfinite(scaled)
    number = np.stack([there[:, bins == c].sum(1) for c in range(count)], axis=1)  # (B, C, D)
    total = np.stack([np.where(there[:, bins == c], scaled[:, bins == c], 0).sum(1, dtype=np.float64) for c in range(count)], 1)
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0), number


def running_means(x: np.ndarray, spans: tuple[int, ...]) -> list[np.ndarray]:
    """Means of the last steps up to and with each one, of those there are at the beginning.

    Parameters
    ----------
    x : array (B, T, D)
    spans : numbers of steps

    Returns
    -------
    list
        One array (B, T, D) of float32 a span; the sums behind them are made once.
    """
    total = np.cumsum(x, axis=1, dtype=np.float64) if spans else None
    return [_mean_of_last(total, n) for n in spans]


def _mean_of_last(total: np.ndarray, steps: int) -> np.ndarray:
    """From sums since the first step (B, T, D) to means of the last `steps` steps."""
    mean = np.empty(total.shape, dtype=np.float32)
    first = total[:, :steps]
    mean[:, :steps] = first / np.arange(1, first.shape[1] + 1)[:, None]
    mean[:, steps:] = (total[:, steps:] - total[:, :-steps]) / steps
    return mean


def _dynamic(ds: xr.Dataset, spec: Spec, scaling: Scaling) -> np.ndarray:
    columns = [scaling.apply(ds[n].transpose("site", "time").values, name=n, units=ds[n].attrs["units"]) for n in spec.dynamic]
    return np.stack(columns, axis=-1)


def _static(ds: xr.Dataset, spec: Spec, scaling: Scaling) -> np.ndarray:
    columns = []
    for name in spec.static:
        kind = variables.get(name).classes
        values = ds[name].transpose("site", *([kind] if kind else [])).values
        if kind:
            values = values[:, ds.get_index(kind).get_indexer(list(variables.get(name).members))]
        scaled = scaling.apply(values, name=name, units=ds[name].attrs["units"])
        columns.append(scaled if kind else scaled[:, None])
    return np.concatenate(columns, axis=1) if columns else np.zeros((ds.sizes["site"], 0), dtype=np.float32)

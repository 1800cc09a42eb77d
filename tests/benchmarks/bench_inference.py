"""The engine against the plain way, side by side on the same weights and drivers, and against what the machine can do.

The plain way is written as one would at first: member by member, a 30-day window for each predicted day cut out by a
`Dataset`, in batches of 32, the site encoded with each window. Batches so small gain nothing from a second thread. All times
are seconds of the processor, so that other programs on the machine do not count; the engine is also given as many threads
as there are cores, a tile each.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import nn
from torch.utils.data import DataLoader, Dataset

from tamrl import classes, variables
from tamrl.calendar import TimeAxis
from tamrl.inference import numerics
from tamrl.inference.decode import decode
from tamrl.inference.plan import plan_alone, plan_carried
from tamrl.models import tamrl
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs, InputSpec
from tamrl.samples.standardise import Moments, Standardisation
from tamrl.sections.inputs import DriverVariables
from tamrl.sections.models import Inference
from tamrl.training.checkpoint import Trained
from tamrl.training.model_spec import model_dims
from tests.benchmarks.rows import fastest, row
from tests.modelling import trained

WINDOW, BATCH = 30, 32
CELLS, MEMBERS, DAYS = 128, 10, 365
CPU = torch.device("cpu")
CORES = os.cpu_count() or 1
DYNAMIC, STATIC = DriverVariables().dynamic, DriverVariables().static


MODELS = {
    "default": tamrl.Options(),
    "one stream of 64": tamrl.Options(hidden=64, code=32, streams=1),
    "one stream of 128": tamrl.Options(hidden=128, code=32, streams=1),
}


def run() -> list[dict]:
    """Ratios of rates of mapped cell-days, for the default model and others, and the recurrent part's share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for name, options in MODELS.items() for row in _ratios(_Case(name, options))] + [_recurrent()]
    finally:
        torch.set_num_threads(threads)


@dataclass
class _Case:
    """Cells, and members of a model."""

    name: str
    options: tamrl.Options

    def __post_init__(self) -> None:
        time_ = pd.date_range("2010-01-01", "2012-12-31")
        random = np.random.default_rng(0)
        sizes = {"igbp": classes.IGBP, "koppen": variables.get("koppen_fraction").members}
        self.ds = xr.Dataset(
            coords={"time": time_, "lat": ("site", random.uniform(-60, 80, CELLS)), **{k: list(v) for k, v in sizes.items()}}
        )
        for name in DYNAMIC:
            self.ds[name] = ("site", "time"), random.normal(0, 1, (CELLS, len(time_))).astype("f4")
        for kind, names in sizes.items():
            self.ds[f"{kind}_fraction"] = ("site", kind), random.dirichlet(np.ones(len(names)), CELLS).astype("f4")
        self.ds["elevation"] = "site", random.normal(0, 1, CELLS).astype("f4")
        for name in self.ds:
            self.ds[name].attrs = variables.attributes(name)
        self.spec = InputSpec(DYNAMIC, STATIC, "day", tamrl.Options().windows)
        moments = {n: Moments((0.0,) * self._width(n), (1.0,) * self._width(n), self.ds[n].attrs["units"]) for n in self.ds}
        self.scaling = Standardisation(moments, {"gpp": 5.0, "reco": 4.0, "nee": 2.5})
        self.members = [self._member(k) for k in range(MEMBERS)]
        self.fast = [numerics.round_layers(m) for m in self.members]
        steps = {"label": "2011", "spinup": Inference().spinup, "span": max(self.spec.spans)}
        self.carried = plan_carried(TimeAxis(time_.values, "day"), since="2010", **steps)
        self.alone = plan_alone(TimeAxis(time_.values, "day"), **steps)

    def _width(self, name: str) -> int:
        return self.ds[name].sizes.get(f"{name.removesuffix('_fraction')}", 1)

    def _member(self, seed: int) -> Trained:
        torch.manual_seed(seed)
        model = tamrl.build(model_dims(self.spec, self.scaling), self.options).eval()
        return trained(model, self.spec, self.scaling, member=str(seed))


class _Windows(Dataset):
    """A window of days for each predicted cell-day."""

    def __init__(self, found: Inputs) -> None:
        self.found, self.days = found, found.x.shape[1] - WINDOW + 1

    def __len__(self) -> int:
        """Number of cell-days."""
        return len(self.found.x) * self.days

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Window, support set and attributes of a cell-day."""
        cell, day = divmod(index, self.days)
        return self.found.x[cell, day : day + WINDOW], self.found.support[cell], self.found.static[cell]


def _plain(case: _Case, cells: int) -> float:
    """Cell-days per second of the plain way, over `cells` cells and 60 days."""
    start, count, member = time.process_time(), 0, case.members[0]
    ds = case.ds.isel(site=slice(cells))
    found = dataset.model_inputs(ds, member.spec.inputs, member.spec.standardisation, steps=np.arange(365, 365 + WINDOW - 1 + 60))
    for x, support, static in DataLoader(_Windows(found), batch_size=BATCH):
        with torch.no_grad():
            count += len(member.model.estimate(x, support, static)[:, -1].numpy())
    return count / (time.process_time() - start)


def _engine(case: _Case, members: list[Trained], threads: int, *, alone: bool = False) -> float:
    """Mapped cell-days per second of all members together on `threads` cores, a tile each as in a run."""
    tiles = [case.ds] * threads
    plan = case.alone if alone else case.carried

    def tile(ds: xr.Dataset) -> None:
        decode(members, ds, plan, batch=2048, device=CPU)

    with ThreadPoolExecutor(threads) as pool:
        seconds = fastest(lambda: list(pool.map(tile, tiles)), 2, time.process_time)
    return threads * CELLS * len(members) * DAYS / (seconds / threads)


def _ratios(case: _Case) -> list[dict]:
    _plain(case, 2)
    plain = max(_plain(case, 40), _plain(case, 40))
    one = _engine(case, case.members, 1)
    alone = _engine(case, case.members, 1, alone=True)
    many = _engine(case, case.members, CORES)
    fast, everything = _engine(case, case.fast, 1), _engine(case, case.fast, CORES)
    name = case.name
    return [
        row(f"{name}: cell-days/s of the plain way, one thread", plain, "1/s", None),
        row(f"{name}: the engine, one thread", one, "1/s", None),
        row(f"{name}: a year after a spin-up over plain, one thread", alone / plain, "times", None),
        row(f"{name}: sequences over plain, one thread", one / plain, "times", None),
        row(f"{name}: sequences in bfloat16 over plain, one thread", fast / plain, "times", None),
        row(f"{name}: sequences over plain, {CORES} cores", many / plain, "times", 120),
        row(f"{name}: everything over plain, {CORES} cores", everything / plain, "times", 250),
    ]


def _recurrent() -> dict:
    """Work of the recurrent layer at hidden 128 over the best fp32 matrix product of this process, both on one thread."""
    hidden, cells, steps = 128, 128, 32
    layer, x = nn.LSTM(hidden, hidden, batch_first=True), torch.randn(cells, steps, hidden)
    with torch.inference_mode():
        own = cells * steps * 16 * hidden**2 / fastest(lambda: layer(x), 5, time.process_time)
    return row("recurrent part at hidden 128 over the matrix rate", own / matrix_rate(), "share", 0.6)


def matrix_rate() -> float:
    """Operations a second of the best single-precision matrix product of this process, on one thread."""
    rates = []
    for size in (512, 1024):
        a, b = torch.randn(size, size), torch.randn(size, size)
        rates += [
            2 * size**3 / fastest(lambda a=a, b=b: a @ b, 5, time.process_time),
            2 * size**3 / fastest(lambda a=a.numpy(), b=b.numpy(): a @ b, 5, time.process_time),
        ]
    return max(rates)

"""`make gpu`: two members trained and a synthetic 0.25° year mapped on a GPU in eight minutes at most, and compared with the CPU.

It needs torch and the package, no data and no network. Tiles are made one after the other, written to disk, read as a job reads
them, decoded and written; those that the time does not allow are counted in the time of the year. Without a GPU the same code
runs on the processor: `tests/training/test_gpu_script.py` does so with `SMALL`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from tamrl import classes, files, registry, variables
from tamrl.calendar import TimeAxis
from tamrl.inference.decode import decode
from tamrl.inference.plan import plan_carried
from tamrl.samples.dataset import InputSpec, model_inputs, targets
from tamrl.samples.standardise import fit_standardisation
from tamrl.sections.inputs import DriverVariables
from tamrl.sections.models import Inference, Optimisation
from tamrl.training.checkpoint import Trained
from tamrl.training.device import choose_device
from tamrl.training.losses import flux_loss
from tamrl.training.member import fit_member
from tamrl.training.model_spec import model_dims
from tests.benchmarks.rows import row
from tests.modelling import trained

CPU = torch.device("cpu")
LAND = 360_000
"""Cells with land at 0.25°."""
DYNAMIC, STATIC = DriverVariables().dynamic, DriverVariables().static
CLOSE = 1e-3
"""Largest difference between device and CPU, gC m-2 d-1."""


@dataclass(frozen=True)
class Size:
    """How much is trained and mapped."""

    towers: int = 200
    years: int = 3
    steps: int = 300
    batch: int = 64
    sequence: int = 365
    tile: int = 14_400
    """Cells of a tile: 120 times 120."""
    batch_cells: int = 4096
    tiles: int = 25
    compared: int = 256
    """Cells that the CPU decodes too."""
    seconds: float = 400.0
    """After which no further tile begins."""


SMALL = Size(towers=8, years=2, steps=2, batch=4, sequence=60, tile=24, batch_cells=16, tiles=2, compared=8)


@dataclass
class Clock:
    """Seconds by what they were spent on; the device has finished before they are read."""

    device: torch.device
    spent: dict[str, float] = field(default_factory=dict)

    def time(self, what: str, call: Callable[[], Any]) -> Any:
        """Call, and count its seconds."""
        self._wait()
        start = time.perf_counter()
        result = call()
        self._wait()
        self.spent[what] = self.spent.get(what, 0.0) + time.perf_counter() - start
        return result

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def places(count: int, years: int, seed: int) -> xr.Dataset:
    """Drivers of `count` places, drawn at random, over `years` years from 2010 on; and fluxes that follow from them."""
    random, axis = np.random.default_rng(seed), pd.date_range("2010-01-01", f"{2009 + years}-12-31", name="time")
    kinds = {"igbp": classes.IGBP, "koppen": variables.get("koppen_fraction").members}
    coords = {"site": np.arange(count), "time": axis, **{kind: list(names) for kind, names in kinds.items()}}
    ds = xr.Dataset(
        coords=coords | {"lat": ("site", random.uniform(-60, 80, count)), "lon": ("site", random.uniform(-180, 180, count))}
    )
    season = np.cos(2 * np.pi * (axis.day_of_year.to_numpy() - 196) / 365).astype("f4")
    for name in DYNAMIC:
        ds[name] = ("site", "time"), season + random.standard_normal((count, len(axis)), dtype="f4")
    for kind, names in kinds.items():
        ds[f"{kind}_fraction"] = ("site", kind), random.dirichlet(np.ones(len(names)), count).astype("f4")
    ds["elevation"] = "site", random.standard_normal(count, dtype="f4")
    for name in ds:
        ds[name].attrs = variables.attributes(str(name))
    gpp = np.clip(4 + 3 * ds[DYNAMIC[0]], 0, None).rename(None)
    fluxes = {"gpp": gpp, "reco": 0.7 * gpp + 1, "nee": 1 - 0.3 * gpp}
    ds = ds.assign({name: values.astype("f4").assign_attrs(variables.attributes(name)) for name, values in fluxes.items()})
    ds["nee_qc"] = ("site", "time"), np.ones((count, len(axis)), "f4")
    kind = np.arange(count) % len(classes.IGBP)
    return ds.assign_coords(igbp_class=("site", np.array(classes.IGBP)[kind]), koppen_class=("site", np.full(count, "Temperate")))


@dataclass
class Case:
    """Towers, and how a member is trained on them."""

    size: Size
    device: torch.device

    def __post_init__(self) -> None:
        self.plugin = registry.load_model_plugin("tamrl")
        self.options = self.plugin.Options()
        self.towers = places(self.size.towers, self.size.years, seed=1)
        self.spec = InputSpec(DYNAMIC, STATIC, "day", self.options.windows)
        self.scaling = fit_standardisation(self.towers, dynamic=DYNAMIC, static=STATIC)

    def train(self, seed: int, **changes: object) -> Trained:
        """Train a member on the device."""
        size = self.size
        schedule = {"steps": size.steps, "batch": size.batch, "sequence": size.sequence}
        settings = Optimisation(**schedule | {"validation": 0.1, "device": self.device.type} | changes)
        group = np.arange(size.towers)
        fitted = fit_member(self.towers, group, self.plugin, self.options, self.spec, self.scaling, settings, seed)
        return trained(fitted.model, self.spec, self.scaling, member=str(seed))

    @property
    def work(self) -> float:
        """Floating-point operations of a step of a place, about: two for each weight of a decoder."""
        model = self.plugin.build(model_dims(self.spec, self.scaling), self.options)
        return 2.0 * sum(p.numel() for name, p in model.named_parameters() if p.ndim >= 2 and "encoder" not in name)


def peak(device: torch.device, size: int) -> float:
    """Floating-point operations a second of a matrix product in single precision."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    clock = Clock(device)
    a @ b
    for _ in range(3):
        clock.time("product", lambda: a @ b)
    return 3 * 2.0 * size**3 / clock.spent["product"]


def decoded(case: Case, members: list[Trained], drivers: xr.Dataset, device: torch.device) -> np.ndarray:
    """Fluxes (member, site, time, 3) of the mapped year, decoded on a device, where the members then are."""
    for member in members:
        member.model.to(device)
    steps = {"label": "2011", "since": "2010", "spinup": Inference().spinup, "span": max(case.spec.spans)}
    plan = plan_carried(TimeAxis(drivers["time"].values, "day"), **steps)
    return decode(members, drivers, plan, batch=case.size.batch_cells, device=device).values


def difference(case: Case, members: list[Trained], drivers: xr.Dataset, fluxes: np.ndarray) -> float:
    """Largest difference between fluxes and what the CPU decodes for the first cells."""
    few = drivers.isel(site=slice(case.size.compared))
    return float(np.nanmax(np.abs(decoded(case, members, few, CPU) - fluxes[:, : few.sizes["site"]])))


def _read(store: Path) -> xr.Dataset:
    return xr.open_zarr(store, consolidated=False).load()


def _write(store: Path, fluxes: np.ndarray) -> None:
    xr.Dataset({"flux": (("member", "site", "time", "kind"), fluxes)}).to_zarr(store, consolidated=False)


def map_year(case: Case, members: list[Trained], clock: Clock, folder: Path, begun: float) -> tuple[int, float]:
    """Read, decode and write tiles of a year; returns how many, and the largest difference from the CPU in the first."""
    off, tile = 0.0, 0
    while tile < case.size.tiles and (tile == 0 or time.perf_counter() - begun < case.size.seconds):
        made = places(case.size.tile, 2, seed=100 + tile)[[*DYNAMIC, *STATIC]]
        made.to_zarr(folder / "drivers.zarr", mode="w", consolidated=False)
        drivers = clock.time("reading", partial(_read, folder / "drivers.zarr"))
        fluxes = clock.time("decoding", partial(decoded, case, members, drivers, case.device))
        clock.time("writing", partial(_write, folder / f"fluxes-{tile}.zarr", fluxes))
        off = difference(case, members, drivers, fluxes) if tile == 0 else off
        tile += 1
    return tile, off


def step_difference(case: Case) -> float:
    """Relative difference of the loss of one training step between device and CPU, without noise."""
    losses, network = [], case.plugin.build(model_dims(case.spec, case.scaling), case.options).eval()
    few = case.towers.isel(site=slice(4))
    inputs, (y, weight) = model_inputs(few, case.spec, case.scaling), targets(few)
    for device in (CPU, case.device):
        x = inputs.to(device)
        network.to(device)
        scale = torch.tensor(case.scaling.flux_scale, device=device)
        trained_fluxes = network(x.x, x.support, x.static)  # without dropout
        losses.append(float(flux_loss(trained_fluxes, y.to(device), weight.to(device), scale)))
    return abs(losses[1] / losses[0] - 1)


def measure(size: Size, device: torch.device) -> list[dict[str, Any]]:
    """Train, map and compare; returns the rows of the table."""
    begun, case, clock = time.perf_counter(), Case(size, device), Clock(device)
    case.train(0, steps=1)  # warms up
    members = [clock.time("training", lambda seed=seed: case.train(seed)) for seed in (1, 2)]
    samples = 2 * size.steps * size.batch * size.sequence / clock.spent["training"]
    rate = peak(device, 8192 if device.type == "cuda" else 512)
    differs = step_difference(case)
    with tempfile.TemporaryDirectory() as folder:
        tiles, off = map_year(case, members, clock, Path(folder), begun)
    cell_days = tiles * size.tile * 365 * len(members)
    moved = clock.spent["reading"] + clock.spent["writing"]
    every, one = clock.spent["decoding"] + moved, tiles * size.tile
    decoded_work = 2 * case.work * cell_days / clock.spent["decoding"]  # a year of spin-up for each that is mapped
    return [
        row("training: cell-days/s", samples, "1/s", None),
        row("training: share of the fp32 matrix rate", 3 * case.work * samples / rate, "share", None),
        row("mapping: cell-days/s of one member, decoding", cell_days / clock.spent["decoding"], "1/s", None),
        row(
            "mapping: share of the fp32 matrix rate",
            decoded_work / rate,
            "share",
            None,
        ),
        row("mapping: cell-days/s with reading and writing", cell_days / every, "1/s", None),
        row("mapping: share of time in reading and writing", moved / every, "share", 0.5, below=True),
        row("mapping: a year at 0.25° by two members", every * LAND / one / 60, "min", None),
        row("largest difference from the CPU, gC m-2 d-1", off, "gC m-2 d-1", CLOSE, below=True),
        row("difference of the first loss from the CPU's", differs, "share", CLOSE, below=True),
        row("all", time.perf_counter() - begun, "s", 480, below=True),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write `results/gpu.json`; 1 if the numbers of the device are not those of the CPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--small", action="store_true", help="as little as the tests do")
    parser.add_argument("--json", default="results/gpu.json")
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} cores, no GPU"
    size = (
        SMALL
        if given.small
        else Size()
        if device.type == "cuda"
        else Size(tile=256, tiles=2, steps=20, batch=16, batch_cells=256)
    )
    rows = measure(size, device)
    files.write_json(given.json, {"device": name, "torch": torch.__version__, "rows": rows})
    print(f"{name}, torch {torch.__version__}")
    for line in rows:
        print(f"{line['name']:50} {line['value']:12.4g} {line['unit']:14} {'' if line['met'] else 'MISSED'}")
    return 0 if all(line["met"] for line in rows if "CPU" in line["name"]) else 1


if __name__ == "__main__":
    sys.exit(main())

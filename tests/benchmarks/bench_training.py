"""Steps of a training against those of a process that gives the memory of each step back to the system."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

import numpy as np
import torch
from torch.optim import AdamW

from tamrl.models import tamrl
from tamrl.plugins import Dims
from tamrl.samples.dataset import Inputs
from tamrl.sections.models import Optimisation
from tamrl.training import loop
from tamrl.training.memory import keep_freed_memory
from tamrl.training.sequences import Sampler, Sequences
from tests.benchmarks.rows import row, took

SITES, DAYS, STEPS = 100, 1461, 20
DIMS = Dims(features=40, support=10, static=22, bins=26, scale=(5.0, 4.0, 2.5))

MODELS = {
    "default": (tamrl.Options(), Optimisation()),
    "two streams of 64, batches of 32": (tamrl.Options(hidden=64, streams=2, plain=0.0), Optimisation(batch=32)),
}


def run() -> list[dict]:
    """A ratio for each model, of medians in two processes of their own, one after the other."""
    ratios = {name: _in_new_process(name, False) / _in_new_process(name, True) for name in MODELS}
    return [row(f"training steps, memory kept, {name}", ratio, "times faster", 2) for name, ratio in ratios.items()]


def _in_new_process(name: str, keep: bool) -> float:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(seconds_of_step, name, keep).result()


def seconds_of_step(name: str, keep: bool) -> float:
    """Processor seconds of the median step on one thread, with the memory of earlier steps kept or not."""
    torch.set_num_threads(1)
    if keep and not keep_freed_memory():
        raise OSError("the C library of this machine cannot keep freed memory")
    options, settings = MODELS[name]
    settings = settings.adjusted(options)
    torch.manual_seed(0)
    network, scale = tamrl.build(DIMS, options).train(), torch.tensor(DIMS.scale)
    sampler = _sampler(settings)
    optimizer = AdamW(network.parameters(), lr=1e-3)

    def step() -> None:
        loop.gradient(network, network, sampler.draw(settings.batch), None, 0, settings, scale)
        optimizer.step()

    for _ in range(3):
        step()
    return median(took(step, time.process_time) for _ in range(STEPS))


def _sampler(settings: Optimisation) -> Sampler:
    x, y = torch.randn(SITES, DAYS, DIMS.features), torch.randn(SITES, DAYS, 3)
    support, static = torch.randn(SITES, DIMS.bins, DIMS.support), torch.randn(SITES, DIMS.static)
    inputs = Inputs(x, static, support, torch.ones(SITES, DAYS, dtype=torch.bool))
    data = Sequences(inputs, y, torch.ones_like(y), spinup=settings.spinup, scored=settings.sequence)
    return Sampler(data, np.ones(SITES), seed=1)

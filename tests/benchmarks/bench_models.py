"""Ratios of the heart: one pass over consecutive steps against a window for every day, and gathering against a loop."""

import numpy as np
import pandas as pd
import torch

from tamrl.models import tamrl
from tamrl.plugins import Dims
from tamrl.samples.dataset import Inputs
from tamrl.training.sequences import Sampler, Sequences
from tests.benchmarks.rows import fastest, row

WINDOW = 30
"""Days of a window, as in the public benchmark of TAM-RL."""

DIMS = Dims(features=32, support=8, static=22, bins=26, scale=(5.0, 4.0, 2.5))


def run() -> list[dict]:
    """Both ratios, each measured in one go on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_decoding(), _loading()]
    finally:
        torch.set_num_threads(threads)


def _decoding() -> dict:
    """Cell-days per second: a year in one pass after a year of spin-up, over a window of its own for each day."""
    torch.manual_seed(0)
    model = tamrl.build(DIMS, tamrl.Options()).eval()
    cells, year = 128, 365
    x, support, static = torch.randn(cells, 2 * year, 32), torch.randn(cells, 26, 8), torch.randn(cells, 22)

    def windows(days: int) -> None:
        for day in range(year, year + days):
            model.predict(x[:, day + 1 - WINDOW : day + 1], support, static, skip=WINDOW - 1)

    whole = year / fastest(lambda: model.predict(x, support, static, skip=year), 3)
    single = 20 / fastest(lambda: windows(20), 3)
    return row("sequence decoding over a window for every day", whole / single, "times faster", 5)


def _loading() -> dict:
    """Batches per second: gathered by index, over cutting each sample out of its site's table by date and stacking."""
    sites, steps, size = 100, 1461, 32
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(sites, steps, 32, generator=g), torch.randn(sites, steps, 3, generator=g)
    inputs = Inputs(x, torch.zeros(sites, 22), torch.zeros(sites, 26, 8), torch.ones(sites, steps, dtype=torch.bool))
    data = Sequences(inputs, y, torch.ones_like(y), spinup=60, scored=365)
    sampler, random = Sampler(data, np.ones(sites), seed=1), np.random.default_rng(1)
    days = pd.date_range("2010-01-01", periods=steps)
    tables = [pd.DataFrame(torch.cat([x[k], y[k]], 1).numpy()).assign(date=days) for k in range(sites)]

    def one_by_one() -> torch.Tensor:
        samples = []
        for _ in range(size):
            table, first = tables[random.integers(sites)], days[random.integers(steps - 425)]
            rows = table[(table["date"] >= first) & (table["date"] < first + pd.Timedelta(days=425))]
            samples.append(torch.tensor(rows.drop(columns="date").to_numpy(np.float32)))
        return torch.stack(samples)

    ratio = fastest(one_by_one, 3) / fastest(lambda: sampler.draw(size), 5)
    return row("training batches gathered over a loop of samples", ratio, "times faster", 2)

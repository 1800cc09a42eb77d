"""Spatial skill: do the models know which of two unseen towers has the larger mean flux?

A map can have a good seasonal cycle and still place its sinks at random, so this is said next to every map.
"""

import pandas as pd

from tamrl.evaluation.bootstrap import MIN_TOWERS, Interval, coefficient_of_determination, resample


def of_site_means(pairs: pd.DataFrame) -> Interval:
    """R² = 1 - SSE / SST of the means of towers (rows of one model, split and flux) with its bootstrap interval.

    SST is taken about the mean of the towers, so zero is what a constant would score and less is worse than that.
    """
    return resample(pairs[["observed", "predicted"]].to_numpy(), coefficient_of_determination)


def sentence(interval: Interval) -> str:
    """What maps and report say of a flux's spatial skill."""
    if interval.n < MIN_TOWERS:
        return f"no demonstrated spatial skill ({interval.n} held-out towers with a mean are too few to tell)"
    number = f"R² of site means {interval.text()} at {interval.n} held-out towers"
    if interval.low > 0:
        return number
    return f"no demonstrated spatial skill ({number})"

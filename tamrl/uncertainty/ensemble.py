"""Members become mean and spread; pure and point by point, so any block of a map gives the same numbers."""

import numpy as np


def moments(members: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean and sample standard deviation (divisor n - 1) over the members.

    Parameters
    ----------
    members : array (member, ...)
        Any unit. A point that is missing (NaN) in one member is missing in the result.

    Returns
    -------
    mean : array (...), float64
        Unit of `members`.
    std : array (...), float64, or None
        Same unit; None for a single member, whose spread is unknown.
    """
    count = members.shape[0]
    mean = np.zeros(members.shape[1:])
    for member in members:  # one at a time: no float64 copy of the whole ensemble
        mean += member
    mean /= count
    if count == 1:
        return mean, None
    square = np.zeros_like(mean)
    for member in members:
        square += (member - mean) ** 2
    return mean, np.sqrt(square / (count - 1))

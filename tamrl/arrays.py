"""Types of arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
"""An array of floats of either precision; arithmetic with it gives floats, where `np.ndarray` alone gives anything."""

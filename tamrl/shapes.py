"""Shapes of the tensors that samples, models, training, inference and adaptation pass to each other; all float32.

Fluxes are gpp, reco, nee in gC m-2 d-1, in this order.
"""

from jaxtyping import Bool, Float
from torch import Tensor

Dynamic = Float[Tensor, "site time feature"]
"""Scaled dynamic features of consecutive steps."""

Support = Float[Tensor, "site bin variable"]
"""Support set of a site: its mean seasonal cycle of the drivers, or several years of it."""

Static = Float[Tensor, "site attribute"]
"""Scaled static attributes of a site."""

SiteCode = Float[Tensor, "site code"]
"""What an encoder gives of a site; codes of several streams stand one after the other."""

Fluxes = Float[Tensor, "site time flux"]
"""Fluxes, their weights, or their residuals."""

Season = Float[Tensor, "site time term"]
"""One, and cosine and sine of the time of year, in northern time."""

Valid = Bool[Tensor, "site time"]
"""Steps at which no driver is missing."""

Memory = tuple[Float[Tensor, "layer site hidden"], ...]
"""State of the recurrent layers after a step, as `nn.LSTM` returns it."""

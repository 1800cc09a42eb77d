"""The device that trains, and its precision."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tamrl.errors import ConfigError

Forward = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Forward pass of a network: x, support, static to fluxes as they are trained."""


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU if there is one; raises `ConfigError` for `cuda` where there is none."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device: cuda, but no GPU can be used", found=f"torch {torch.__version__}", todo="set device: auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def forward_pass(network: nn.Module, device: torch.device, precision: str) -> Forward:
    """The forward pass of a training step: the network itself, unless a GPU is to be `fast`.

    Then it is compiled and runs in bfloat16 where that is safe (Kalamkar et al. 2019, arXiv 1905.12322); weights, loss and what
    is returned stay in single precision. Validation and prediction never go through it.
    """
    if precision != "fast" or device.type != "cuda":
        return network
    compiled = torch.compile(network)

    def forward(x: Tensor, support: Tensor, static: Tensor) -> Tensor:
        """Fluxes as they are trained, in single precision."""
        with torch.autocast(device.type, dtype=torch.bfloat16):
            trained: Tensor = compiled(x, support, static)
            return trained.float()

    return forward

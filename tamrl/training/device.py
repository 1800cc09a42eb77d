"""Where the numbers are crunched."""

import torch

from tamrl.errors import ConfigError


def choose(name: str) -> torch.device:
    """`auto` takes a GPU if there is one; raises `ConfigError` for `cuda` where there is none."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device: cuda, but no GPU can be used", found=f"torch {torch.__version__}", todo="set device: auto")
    return torch.device("cuda" if there and name != "cpu" else "cpu")

"""The origin of a product: rule, code, settings, seed, libraries and instruction set of the process that writes it.

`current_origin` goes into every seal (`tamrl.files`), so that each product documents its origin, whatever is installed later.
"""

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from tamrl.record_paths import portable

LIBRARIES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "xarray": "xarray",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost-cpu",
    "dask": "dask",
    "zarr": "zarr",
    "netCDF4": "netCDF4",
    "pyarrow": "pyarrow",
    "pyhdf": "pyhdf",
    "rasterio": "rasterio",
    "pyproj": "pyproj",
}
"""Packages of the libraries that shape numbers, by name of import. Other libraries may change without a rerun."""

COMPUTING = ("torch", "numpy", "scipy", "lightgbm", "xgboost")
"""Libraries that compute in models; whether a process loads the others varies."""

_job: dict[str, Any] = {"rule": ""}


def note_job(rule: str, snakemake: Any = None) -> None:
    """Note the rule of this process and its code, seed and settings from `snakemake`, the object of its script."""
    _job.clear()
    _job["rule"] = rule
    params = dict(snakemake.params.items()) if snakemake is not None else {}
    if params:
        _job["code"], _job["seed"] = params.pop("code", None), params.get("seed")
        _job["settings"] = settings_digest(params)


def current_origin() -> dict[str, Any]:
    """Return the origin of products of this process: what `note_job` noted, time, versions of `LIBRARIES`, instruction sets."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    loaded = versions(name for name in LIBRARIES if name in sys.modules)
    return _job | {"when": when, "software": loaded, "instructions": instructions()}


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the `LIBRARIES` among these names of imports."""
    return {name: package_version(LIBRARIES[name]) for name in sorted(names) if name in LIBRARIES}


@cache
def package_version(package: str) -> str:
    """Return the version of an installed package, or `not installed`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def instructions() -> str:
    """Return the instruction sets of numpy and torch here, and the accelerator in use: on others the last bits differ."""
    sets = [f"numpy {_widest()}"]
    if torch := sys.modules.get("torch"):
        sets.append(f"torch {torch.backends.cpu.get_cpu_capability()}")
        if torch.cuda.is_initialized():
            sets.append(torch.cuda.get_device_name())
    return ", ".join(sets)


@cache
def _widest() -> str:
    known = np.show_config(mode="dicts")["SIMD Extensions"]
    return [*known["baseline"], *known["found"]][-1]


def settings_digest(content: object) -> str:
    """Return the short SHA-256 of JSON-like content, independent of the order of keys and of the places of project and data."""
    text = json.dumps(portable(content), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""How a product is made: rule, code, settings, seed, libraries and instruction set of the process that writes it.

`told` goes into every seal (`tamrl.files`), so that a product says by itself what made it, whatever is installed later.
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
"""Libraries that shape numbers, by the name they are imported by: that of the package. Others may change without a rerun."""

COMPUTING = ("torch", "numpy", "scipy", "lightgbm", "xgboost")
"""Those of them that compute in models; processes load the others or not, as it happens."""

_job: dict[str, Any] = {"rule": ""}


def note_job(rule: str, snakemake: Any = None) -> None:
    """Note the rule whose job this process is, and what `snakemake`, the object of its script, says of it."""
    _job.clear()
    _job["rule"] = rule
    params = dict(snakemake.params.items()) if snakemake is not None else {}
    if params:
        _job["code"], _job["seed"] = params.pop("code", None), params.get("seed")
        _job["settings"] = settings_digest(params)


def current_origin() -> dict[str, Any]:
    """How this process makes things: what `begin` noted, when, with which of the `LIBRARIES` and which instructions."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    loaded = versions(name for name in LIBRARIES if name in sys.modules)
    return _job | {"when": when, "software": loaded, "instructions": instructions()}


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the `LIBRARIES` among these names of imports."""
    return {name: package_version(LIBRARIES[name]) for name in sorted(names) if name in LIBRARIES}


@cache
def package_version(package: str) -> str:
    """Version of an installed package, or `not installed`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def instructions() -> str:
    """The instruction sets that numpy and torch compute with here, and the accelerator in use: on others the last bits differ."""
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
    """Short SHA-256 of any JSON-like content, independent of key order and of where the project and its data lie."""
    text = json.dumps(portable(content), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

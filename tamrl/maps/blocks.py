"""Blocks of a product, so that a year of the globe is never in memory: slabs of steps, each in strips of rows.

A strip is as high as the chunks of the store, so that a chunk is decoded once per slab. A slab is so long that its result fits
in its memory. Products are computed point by point, so the blocks do not change a number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import xarray as xr

from tamrl import carbon

MEMORY = 2 * 1024**3
"""Bytes of a slab of results: one slab for a daily year at 1°, four at 0.25° (each decodes the chunks of the store again)."""

Build = Callable[[xr.DataArray, Mapping[str, xr.DataArray], slice], xr.Dataset]
"""Makes the fields of a block from its members (member, time, lat, lon), for NEE also those of `gpp` and `reco`, and its rows."""


def _members(store: xr.Dataset, flux: str) -> tuple[xr.DataArray, Mapping[str, xr.DataArray]]:
    """Return the members of `flux` (member, time, lat, lon) in a block, and for NEE = RECO - GPP those of GPP and RECO too."""
    if flux != "nee":
        return store[flux].load(), {}
    gpp, reco = store["gpp"].load(), store["reco"].load()
    return gpp.copy(data=carbon.nee(gpp=gpp.values, reco=reco.values)).rename("nee"), {"gpp": gpp, "reco": reco}


def strips(stored: xr.DataArray) -> Iterator[slice]:
    """Yield strips of rows (second dimension from the end), as high as the chunks of the array in its store."""
    chunks = stored.encoding.get("chunks")
    height = chunks[-2] if chunks else 30
    for top in range(0, stored.sizes["lat"], height):
        yield slice(top, min(top + height, stored.sizes["lat"]))


def steps(count: int, *, bytes_per_step: int, multiple: int = 1) -> Iterator[slice]:
    """Yield slabs of `count` steps, each with at most `MEMORY` bytes of results or with `multiple` steps.

    All slabs but the last have a multiple of `multiple` steps.
    """
    length = max(multiple, MEMORY // max(bytes_per_step, 1) // multiple * multiple)
    for first in range(0, count, length):
        yield slice(first, min(first + length, count))


def template(store: xr.Dataset, flux: str, build: Build) -> xr.Dataset:
    """Return the fields of one step and one strip, for names, dimensions and attributes."""
    rows = next(iter(strips(store["gpp"])))
    return build(*_members(store.isel(time=slice(0, 1), lat=rows), flux), rows)


def slabs(store: xr.Dataset, flux: str, build: Build, *, time: Iterable[slice]) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Yield the global fields of each slab: its steps and {name: array (time, ..., lat, lon)}.

    Parameters
    ----------
    store : predictions of GPP and RECO (member, time, lat, lon)
    time : slabs of steps
    """
    for when in time:
        globe: dict[str, np.ndarray] = {}
        for rows in strips(store["gpp"]):
            block = build(*_members(store.isel(time=when, lat=rows), flux), rows)
            for name, field in block.data_vars.items():
                shape = (*field.shape[:-2], store.sizes["lat"], field.shape[-1])
                globe.setdefault(str(name), np.empty(shape, "float32"))[..., rows, :] = field.values
        yield when, globe

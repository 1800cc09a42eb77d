"""Make a product without a year of the globe in memory: steps in slabs, each slab strip by strip of rows.

A strip is as high as the store's chunks, so that a chunk is decoded once per slab; a slab is as long as its result fits
the memory given to it. Products work point by point, so the blocks cannot change a number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import xarray as xr

from tamrl import carbon

MEMORY = 2 * 1024**3
"""Bytes of a slab of results: a daily year at 1° in one go, at 0.25° in four (each decodes the store's chunks again)."""

Build = Callable[[xr.DataArray, Mapping[str, xr.DataArray], slice], xr.Dataset]
"""Makes the fields of a block from its members (member, time, lat, lon), for NEE those of `gpp` and `reco` too, and its rows."""


def _members(store: xr.Dataset, flux: str) -> tuple[xr.DataArray, Mapping[str, xr.DataArray]]:
    """Members of `flux` (member, time, lat, lon) of a block of the store, and for NEE those of GPP and RECO.

    NEE is made here, exactly RECO - GPP.
    """
    if flux != "nee":
        return store[flux].load(), {}
    gpp, reco = store["gpp"].load(), store["reco"].load()
    return gpp.copy(data=carbon.nee(gpp=gpp.values, reco=reco.values)).rename("nee"), {"gpp": gpp, "reco": reco}


def strips(stored: xr.DataArray) -> Iterator[slice]:
    """Bands of rows (second dimension from the end), as high as the chunks of the array in its store."""
    chunks = stored.encoding.get("chunks")
    height = chunks[-2] if chunks else 30
    for top in range(0, stored.sizes["lat"], height):
        yield slice(top, min(top + height, stored.sizes["lat"]))


def steps(count: int, *, bytes_per_step: int, multiple: int = 1, memory: int = MEMORY) -> Iterator[slice]:
    """Slabs of `count` steps that need at most `memory` each, in whole multiples of `multiple` but the last."""
    length = max(multiple, memory // max(bytes_per_step, 1) // multiple * multiple)
    for first in range(0, count, length):
        yield slice(first, min(first + length, count))


def template(store: xr.Dataset, flux: str, build: Build) -> xr.Dataset:
    """Fields of one step and one strip, for names, dimensions and attributes."""
    rows = next(iter(strips(store["gpp"])))
    return build(*_members(store.isel(time=slice(0, 1), lat=rows), flux), rows)


def slabs(store: xr.Dataset, flux: str, build: Build, *, time: Iterable[slice]) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Fields of the globe, slab by slab of steps: (steps, {name: array (time, ..., lat, lon)})."""
    for when in time:
        globe: dict[str, np.ndarray] = {}
        for rows in strips(store["gpp"]):
            block = build(*_members(store.isel(time=when, lat=rows), flux), rows)
            for name, field in block.data_vars.items():
                shape = (*field.shape[:-2], store.sizes["lat"], field.shape[-1])
                globe.setdefault(str(name), np.empty(shape, "float32"))[..., rows, :] = field.values
        yield when, globe

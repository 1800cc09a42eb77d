"""The predictions of a label: opened and compared with the manifest that inference wrote when they were complete."""

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from tamrl import files, stores
from tamrl.errors import ContractError

DIMS = ("member", "time", "lat", "lon")


@dataclass(frozen=True)
class Predictions:
    """Members of the globe.

    Attributes
    ----------
    ds : Dataset
        `gpp` and `reco` (member, time, lat, lon), gC m-2 d-1, lazy.
    model : str
        Name of the model.
    digest : str
        Digest of the numbers.
    """

    ds: xr.Dataset
    model: str
    digest: str


def open_predictions(store: str | Path, manifest: str | Path, *, label: str, cube: str | Path) -> Predictions:
    """Open a store of predictions of `label`.

    Raises
    ------
    ContractError
        If the manifest speaks of another label, store or cube, or the store differs from its own list of files or lacks a
        flux or dimension.
    """
    said = files.read_json(manifest)
    expected = {"label": label, "store": stores.digest(store), "cube": stores.digest(cube)}
    for name, value in expected.items():
        if said.get(name) != value:
            raise ContractError(
                f"the predictions were not finished for this {name}",
                where=manifest,
                found=f"{said.get(name)} instead of {value}",
                todo="run predict_tiles again",
            )
    ds = stores.open_sealed(store)
    for name in ("gpp", "reco"):
        if name not in ds or ds[name].dims != DIMS:
            raise ContractError(f"{name} must have dimensions {DIMS}", where=store, found=f"{dict(ds.sizes)}, {list(ds)}")
    return Predictions(ds, said["model"], said["digest"])

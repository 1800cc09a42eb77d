"""Reads the maps of a run once, block of steps by block, and sums them (`tamrl.report.sums`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr

from tamrl import carbon, classes, files, units
from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.intake import border, isolated
from tamrl.layout import File, RunFiles
from tamrl.log import progress
from tamrl.report.sums import FluxSums, LandCells

BLOCK = 16_000_000
"""Bytes of one field read at once."""

Reference = Mapping[tuple[str, str], str]
"""Paths of a gridded reference by flux and label; empty where there is none."""


@dataclass(frozen=True)
class SummedMaps:
    """Sums of all maps of a run."""

    fluxes: dict[str, FluxSums]
    """Sums by flux."""
    grid: Grid
    land_fraction: np.ndarray
    """Array (lat, lon)."""
    licence: str
    code_digest: str
    """As the files state them."""

    @classmethod
    def read(cls, run: RunFiles, labels: tuple[str, ...], reference: Reference, *, step: Step) -> "SummedMaps":
        """Sum the maps of all fluxes and labels, their members where the run has them, and the reference.

        Parameters
        ----------
        labels : years of the maps, or `climatology`
        reference : gridded fluxes to compare with
        step : {"day", "month"}

        Where sums are written (`write_map_sums`), the maps are not read again. Raises `ContractError` if a map lacks a field,
        the reference lies on another grid or time axis, or some labels alone have sums.
        """
        with xr.open_dataset(files.verified(run(File.MAP, flux=FLUXES[0], label=labels[0]))) as first:
            grid, fraction, attributes = Grid.of_cells(first), first["land_fraction"].values, first.attrs
            name = classes.REGION if "mapped_region" in attributes else classes.GLOBE
            land = LandCells.of(lat=first["lat"].values, land_fraction=fraction, cell_area=first["cell_area"].values, name=name)
        return cls(
            fluxes={flux: sum_flux(run, flux, labels, reference, land, step=step) for flux in FLUXES},
            grid=grid,
            land_fraction=fraction,
            licence=str(attributes.get("license", "")),
            code_digest=str(attributes.get("code_digest", "not stated")),
        )

    @property
    def land(self) -> LandCells:
        """The land cells of the maps."""
        return next(iter(self.fluxes.values())).land

    @property
    def members(self) -> int:
        """Number of members in the files of members; 0 where these were not written."""
        return len(next(iter(self.fluxes.values())).members)


def pair_reference(paths: list[str], labels: tuple[str, ...]) -> Reference:
    """Name the files of a reference, listed by flux and then label."""
    return dict(zip(product(FLUXES, labels), paths, strict=True)) if paths else {}


def write_map_sums(run: RunFiles, label: str, reference: Reference, folder: str, *, step: Step) -> None:
    """Sum the maps of all fluxes of one label, and write the sums that `SummedMaps.read` adds up.

    Parameters
    ----------
    run, reference, step : as in `SummedMaps.read`
    folder : to write, with one file a flux
    """
    summed = SummedMaps.read(run, (label,), reference, step=step)
    with files.atomic(folder) as part:
        part.mkdir()
        for flux, sums in summed.fluxes.items():
            np.savez(part / f"{flux}.npz", allow_pickle=False, **sums.arrays())


def sum_flux(run: RunFiles, flux: str, labels: tuple[str, ...], reference: Reference, land: LandCells, *, step: Step) -> FluxSums:
    """Sum one flux over all labels.

    Parameters
    ----------
    labels, reference, step : as in `SummedMaps.read`
    land : land cells of the maps
    """
    if done := [folder for label in labels if (folder := run.find(File.MAP_SUMS, label=label))]:
        if absent := [label for label in labels if run.find(File.MAP_SUMS, label=label) is None]:
            raise ContractError("some labels have sums of maps, others not", where=done[0], found=f"none of {', '.join(absent)}")
        with np.load(files.verified(Path(done[0]) / f"{flux}.npz")) as first:
            sums = FluxSums(land, step=step, members=int(first["members"]), reference=bool(reference))
        for folder in done:
            with np.load(files.verified(Path(folder) / f"{flux}.npz")) as arrays:
                sums.add_arrays(arrays)
        return sums
    members = [path for label in labels if (path := run.find(File.MEMBERS, flux=flux, label=label))]
    count = 0
    for path in members[:1]:
        with xr.open_dataset(files.verified(path)) as ds:
            count = ds.sizes["member"]
    sums = FluxSums(land, step=step, members=count, reference=bool(reference))
    for label in progress(labels, f"summing {flux}"):
        _sum_map(sums, flux, run(File.MAP, flux=flux, label=label), reference.get((flux, label)))
    for path in members:
        _sum_members(sums, flux, path)
    return sums


def _sum_map(sums: FluxSums, flux: str, path: str, reference: str | None) -> None:
    names = {"mean": flux, "std": f"{flux}_std", "q05": f"{flux}_q05", "q95": f"{flux}_q95"}
    with xr.open_dataset(files.verified(path)) as ds, open_reference(reference) as known:
        if lacking := [n for n in names.values() if n not in ds]:
            raise ContractError(f"the map lacks {', '.join(lacking)}", where=path, found=list(ds))
        if reference:
            known = cut_reference(known, ds)
            check_same_grid(ds, known, reference)
        factor = unit_factor(ds[flux])
        for when in time_blocks(ds[flux]):
            fields = {name: ds[variable].isel(time=when).values * factor for name, variable in names.items()}
            if reference:
                fields["reference"] = known[flux].isel(time=when).values * unit_factor(known[flux])
            sums.add(sums.block(ds["time"].isel(time=when).values, **fields))


def open_reference(path: str | None) -> xr.Dataset:
    """Open a reference, which may come from another program."""
    if path is None:
        return xr.Dataset()
    source = files.verified(path)
    with border.reading("the reference cannot be read", where=source):
        return xr.decode_cf(isolated.open_netcdf(source, where=source))


def cut_reference(reference: xr.Dataset, ds: xr.Dataset) -> xr.Dataset:
    """Return the cells of a reference that a map of a region has; a reference that lacks some of them stays as it is."""
    cells = {}
    for axis in ("lat", "lon"):
        values = ds[axis].values
        near = np.abs(reference[axis].values[:, None] - values[[0, -1]]) < abs(float(values[1] - values[0])) / 1000
        if not near.any(0).all():
            return reference
        first, last = near.argmax(0)
        cells[axis] = slice(int(first), int(last) + 1)
    return reference.isel(cells)


def _sum_members(sums: FluxSums, flux: str, path: str) -> None:
    with xr.open_dataset(files.verified(path)) as ds:
        values = ds[flux].transpose("time", "member", "lat", "lon")
        factor = unit_factor(values)
        for when in time_blocks(values):
            sums.add_members(ds["time"].isel(time=when).values, values.isel(time=when).values * factor)


def unit_factor(values: xr.DataArray) -> np.float32:
    """Return the factor from the unit of a map to gC m-2 d-1."""
    return np.float32(units.convert(1.0, source=values.attrs.get("units", carbon.CF_UNITS), target=carbon.CF_UNITS))


def time_blocks(values: xr.DataArray) -> Iterator[slice]:
    """Yield slices of steps that are read together: complete chunks of the file, so that each is decompressed once."""
    steps = max(1, BLOCK // (4 * values.isel(time=0).size))
    chunk = dict(zip(values.dims, values.encoding.get("chunksizes") or (), strict=False)).get("time", 1)
    steps = max(chunk, steps // chunk * chunk)
    for start in range(0, values.sizes["time"], steps):
        yield slice(start, min(start + steps, values.sizes["time"]))


def check_same_grid(ds: xr.Dataset, reference: xr.Dataset, path: str) -> None:
    """Refuse a reference with other cells or steps than the map (the year may differ, as for a climatology)."""
    same = all(ds.sizes[d] == reference.sizes.get(d) for d in ("time", "lat", "lon"))
    same = same and np.allclose(ds["lat"], reference["lat"]) and np.allclose(ds["lon"], reference["lon"])
    dates = (ds["time"].dt, reference["time"].dt) if same else None
    if dates is None or not all((getattr(dates[0], n) == getattr(dates[1], n).values).all() for n in ("month", "day")):
        raise ContractError(
            "the reference lies on another grid or time axis than the map",
            where=path,
            found=f"{dict(reference.sizes)}, the map has {dict(ds.sizes)}",
            todo="bring the reference onto the grid and the steps of the map, or set evaluation.reference to null",
        )

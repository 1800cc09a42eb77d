"""A trained model in use: fluxes of any places and days from their drivers, with tested uncertainty."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import __version__, calendar, carbon, classes, simulated, variables
from tamrl.api.complete import complete_drivers
from tamrl.api.from_table import Place, TableForm, drivers_of_table
from tamrl.api.released import DEFAULT, ReleasedModel, read_released, released_file, released_names
from tamrl.api.run import Run, open_run
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError, InputError, near
from tamrl.inference.decode import predict_series
from tamrl.inference.numerics import to_device
from tamrl.inference.worker import prepare_torch
from tamrl.layout import File
from tamrl.maps import cf, intervals
from tamrl.maps.frame import REFERENCES
from tamrl.maps.products import Context
from tamrl.samples.build import TOWER_CLASSES
from tamrl.sections.models import Batches
from tamrl.training.checkpoint import SPEC, Trained, load_ensemble
from tamrl.uncertainty import conformal, descriptions, ensemble
from tamrl.uncertainty.calibration import Calibration, Scale, TestedCalibration
from tamrl.uncertainty.descriptions import DescribedTowers
from tamrl.uncertainty.strata import PlaceStrata

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

MEMORY, LEAST_PLACES = 1 << 29, 128
"""Bytes of the fluxes of all members of the places that are predicted at once, and the fewest such places."""

IntervalOf = Literal["flux", "measurement"]
MEANING = {
    "flux": "the flux of the place, without the noise of a measurement",
    "measurement": "what a tower at the place would measure, with its noise",
}
"""What an interval is of."""


@dataclass(frozen=True, eq=False)
class FluxPredictor:
    """The members of a trained model with what is known of their errors; `load_model` makes it."""

    members: tuple[Trained, ...]
    device: "torch.device"
    """Where the members are."""
    calibration: Calibration | None
    """What turns the spread of the members into intervals; without it only fluxes are predicted."""
    run: Run | None
    """The run that trained them, whose towers say where the model applies; None if it is not there."""
    release: ReleasedModel | None = None
    """What a released model says of itself; None for the members of a run."""

    def __repr__(self) -> str:
        spec = self.members[0].spec
        origin = f" of {self.run.folder.name}" if self.run else f" {self.release.card.name}" if self.release else ""
        read = ", ".join(f"{name} ({unit})" for name, unit in self.reads.items())
        return f"<FluxPredictor {spec.name}{origin}: {len(self.members)} members of fold {spec.fold}, reads {read}>"

    @property
    def step(self) -> calendar.Step:
        """Length of the steps that the model reads and predicts."""
        return self.members[0].spec.inputs.step

    @property
    def reads(self) -> dict[str, str]:
        """Drivers that the model reads, and their units."""
        spec = self.members[0].spec.inputs
        return {name: variables.get(name).units for name in (*spec.dynamic, *spec.static)}

    def predict(
        self,
        drivers: xr.Dataset | pd.DataFrame,
        *,
        columns: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        place: Place | None = None,
        interval_of: IntervalOf = "flux",
    ) -> xr.Dataset:
        """Predict the fluxes of places.

        Parameters
        ----------
        drivers : a dataset (site, time) or a table with one row a place and step
            A model reads the season of a place from its drivers, so they should cover a year or more. A missing driver makes its
            step missing. In a dataset each driver has the attribute `units`, and each place `lat` and `lon`. A table has the
            columns of the network `table` (docs/inputs.md).
        columns, units : of a table, canonical name: column, and canonical name: unit, where they are not known by themselves
        place : coordinates and class, of a table of one place without such columns
        interval_of : "flux" for the flux itself, as in maps, or "measurement" for what a tower would measure

        Returns
        -------
        Dataset
            `<flux>`, `<flux>_std`, `<flux>_q05` and `<flux>_q95` (site, time), gC m-2 d-1; `dissimilarity` and `applicability`
            (site): 1 inside, 0 outside the area of applicability, -1 not known. Its attributes say what the intervals are of.

        Raises
        ------
        InputError, UnitError
            Name the variable, unit, place or day at fault, and what is accepted.
        """
        if interval_of not in MEANING:
            raise InputError(f"no interval of {interval_of!r}", todo=near(interval_of, MEANING))
        if isinstance(drivers, pd.DataFrame):
            drivers = drivers_of_table(drivers, TableForm(columns or {}, units or {}, place or Place()), step=self.step)
        elif columns or units or place:
            todo = "rename its variables, and set their attributes units"
            raise InputError("columns, units and place are of tables, not of a dataset", todo=todo)
        ds = self._complete(drivers)
        fluxes = self._moments(ds)
        self._warn_of_gaps(ds, fluxes[FLUXES[0]][0])
        out = xr.Dataset(coords={name: ds[name].variable for name in ("site", "time", "lat", "lon")})
        for flux, (mean, spread) in fluxes.items():
            out = out.assign(self._fields(flux, mean, spread, ds, interval_of))
        return out.assign(self._quality(ds)).assign_attrs(self._attributes())

    def _moments(self, ds: xr.Dataset) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
        """Mean and standard deviation of the members (site, time) of each flux, made for some places at once."""
        of_place = len(self.members) * ds.sizes["time"] * len(FLUXES) * 4
        count = max(LEAST_PLACES, MEMORY // of_place)
        parts: dict[str, list[tuple[np.ndarray, np.ndarray | None]]] = {flux: [] for flux in FLUXES}
        for first in range(0, ds.sizes["site"], count):
            places = ds.isel(site=slice(first, first + count))
            values = predict_series(self.members, places, batch=Batches().batch, device=self.device)
            for k, flux in enumerate(FLUXES):
                parts[flux].append(ensemble.moments(values[..., k]))
        moments = {flux: (_joined([m for m, _ in each]), _joined([s for _, s in each])) for flux, each in parts.items()}
        means = {flux: mean for flux, (mean, _) in moments.items() if mean is not None}
        if self.members[0].spec.capabilities.closes:
            means["nee"] = carbon.nee(gpp=means["gpp"], reco=means["reco"])
        return {flux: (means[flux], moments[flux][1]) for flux in FLUXES}

    def _complete(self, drivers: xr.Dataset) -> xr.Dataset:
        """Drivers of the model, and of the comparison of places with towers where they are there."""
        spec = self.members[0].spec.inputs
        if (stated := drivers.attrs.get("time_step", spec.step)) != spec.step:
            raise InputError(f"the model reads steps of a {spec.step}", found=f"steps of a {stated}", todo="average the drivers")
        towers = self.described_towers
        further = [name for name in (*towers.dynamic, *towers.static) if name in drivers] if towers else []
        dynamic = list(dict.fromkeys([*spec.dynamic, *(n for n in further if variables.get(n).role == "dynamic")]))
        static = list(dict.fromkeys([*spec.static, *(n for n in further if variables.get(n).role == "static")]))
        ds = complete_drivers(drivers, dynamic=dynamic, static=static, step=spec.step)
        if ds.sizes["time"] < spec.year:
            _log.warning("%d %ss of drivers: the model reads the season of a place from a year", ds.sizes["time"], spec.step)
        return ds

    def _warn_of_gaps(self, ds: xr.Dataset, flux: np.ndarray) -> None:
        """Log how many steps (site, time) have no flux, and which drivers are missing there."""
        if not (lost := np.isnan(flux)).any():
            return
        gaps = []
        for name in self.reads:
            other = [dim for dim in ds[name].dims if dim not in ("site", "time")]
            missing = ds[name].isnull().any(other).broadcast_like(ds["time"]).transpose("site", "time").values
            gaps += [name] if (missing & lost).any() else []
        missing_drivers = ", ".join(f"{name} ({TOWER_CLASSES[name]})" if name in TOWER_CLASSES else name for name in gaps)
        _log.warning("%d of %d %ss have no flux, for want of %s", lost.sum(), lost.size, self.step, missing_drivers)

    def _fields(
        self, flux: str, mean: np.ndarray, spread: np.ndarray | None, ds: xr.Dataset, interval_of: IntervalOf
    ) -> dict[str, xr.DataArray]:
        """The flux and its interval, (site, time)."""
        common = {"units": carbon.UNITS, "comment": "Mass of carbon per area of vegetated land."}

        def field(values: np.ndarray, **attributes: object) -> xr.DataArray:
            """Values with the coordinates of the drivers."""
            return xr.DataArray(values, {"site": ds["site"], "time": ds["time"]}, ("site", "time"), attrs=attributes | common)

        fields = {flux: field(mean, **cf.flux_names(flux))}
        if self.calibration is None:
            return fields
        tested, of_flux = self._tested(flux, ds), interval_of == "flux"
        q05, q95, sigma = conformal.interval(tested.calibration, mean, spread, places=_strata(ds), of_flux=of_flux)
        context = Context(flux, carbon.CF_UNITS, np.ones(1), tested, {})
        parts = {"std": sigma, "q05": q05, "q95": q95}
        for name, attributes in intervals.interval_attributes(context).items():
            values = parts[name.removeprefix(f"{flux}_")]
            fields[name] = field(values, **dict(attributes) | {"interval_of": MEANING[interval_of]})
        return fields

    def _tested(self, flux: str, ds: xr.Dataset) -> TestedCalibration:
        """Calibration of the steps of the model, or of the months of a mean year."""
        scale: Scale = "mean month" if calendar.CLIMATOLOGY in ds.attrs else self.step
        assert self.calibration is not None
        return self.calibration.at(scale, flux)

    @cached_property
    def described_towers(self) -> DescribedTowers | None:
        """The towers that trained the members; None if the run has no samples."""
        if self.release is not None:
            return self.release.towers
        if self.run is None or not self.run.has(File.SPLITS):
            return None
        trained = {site for member in self.members for site in member.spec.training.sites}
        for drivers in ("grid", "tower"):  # of a run without grids those measured at the towers
            if self.run.has(File.SAMPLES, drivers=drivers):
                try:
                    towers = DescribedTowers.read(self.run.path(File.SAMPLES, drivers=drivers), self.run.path(File.SPLITS))
                except ContractError as error:
                    _log.warning("places cannot be compared with towers by their drivers of the %s: %s", drivers, error)
                    continue
                return towers.of_sites(trained) if trained & set(towers.sites) else towers
        return None

    def _quality(self, ds: xr.Dataset) -> dict[str, xr.DataArray]:
        """Dissimilarity and flag of the places."""
        if (towers := self.described_towers) is None:
            index = np.full(ds.sizes["site"], np.nan, "float32")
            unknown: dict[str, object] = {"comment": "not known: the samples of the run are not there"}
            flags, of_index, of_flags = np.full(index.shape, descriptions.MISSING, "int8"), unknown, unknown
        else:
            index = towers.dissimilarity(ds)
            flags = descriptions.flags(index, towers.reference)
            of_index, of_flags = (f(towers.reference) for f in (descriptions.index_attributes, descriptions.flag_attributes))
            if (outside := flags == descriptions.OUTSIDE).any():
                _log.warning("%d places are outside the area of applicability", outside.sum())
        site = {"site": ds["site"]}
        return {
            "dissimilarity": xr.DataArray(index, site, ("site",), attrs=of_index),
            "applicability": xr.DataArray(flags, site, ("site",), attrs=of_flags),
        }

    def _attributes(self) -> dict[str, object]:
        """What made the fluxes."""
        spec = self.members[0].spec
        attributes: dict[str, object] = {
            "title": "GPP, RECO and NEE of places with calibrated uncertainty",
            "source": f"tamrl {__version__}, model {spec.name}, {len(self.members)} members of fold {spec.fold}",
            "members": [member.spec.digest for member in self.members],
            "time_step": spec.inputs.step,
            "references": REFERENCES,
        }
        attributes |= {"run": self.run.folder.name} if self.run else {}
        if self.release is not None:
            attributes |= {"released_model": self.release.card.name, "released_model_sha256": self.release.digest}
        for flux, text in (self.calibration.skill if self.calibration else {}).items():
            attributes[f"skill_{flux}"] = text
        return simulated.label_attributes(attributes, self.run is not None and self.run.virtual)


def load_model(
    source: str | Path | Run = DEFAULT,
    *,
    model: str | None = None,
    fold: str = "all",
    calibration: str | Path | Calibration | None = None,
    intervals: bool = True,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> FluxPredictor:
    """Load a trained model: one that comes with the package, or all members of a fold of a run.

    Parameters
    ----------
    source : name of a released model (`tamrl-fluxnet2015`) or its file; a run or its folder; or the folder of a fold
            (`models/tamrl/fold-all`) or of one member
    model : name, of a run with several; by default the one that makes the maps
    fold : of a run: `all` made the maps, `0` and so on hold towers out
    calibration : `evaluation/calibration.json`; by default that of the run in which the models lie
    intervals : False to predict fluxes without intervals, where there is no calibration
    device : where the members compute; one thread is used, so that the bits are those of the maps

    Raises
    ------
    InputError
        If there is no such model or no calibration; says what there is.
    """
    if not isinstance(source, Run) and (file := released_file(source)) is not None:
        return _released(file, model, fold, calibration=calibration, intervals=intervals, device=device)
    if isinstance(source, Run) or not _is_model(Path(source)):
        opened = source if isinstance(source, Run) else _open_named(source)
        folders, run = _of_run(opened, model, fold)
    else:
        folders, run = _of_folder(Path(source).absolute())
    if isinstance(calibration, (str, Path)):
        calibration = Calibration.read(calibration)
    if calibration is None and intervals:
        calibration = _calibration(run, folders[0])
    chosen = prepare_torch(device)
    members = to_device(load_ensemble(folders), chosen)
    return FluxPredictor(tuple(members), chosen, calibration if intervals else None, run)


def _released(
    file: Path,
    model: str | None,
    fold: str,
    *,
    calibration: str | Path | Calibration | None,
    intervals: bool,
    device: Literal["auto", "cpu", "cuda"],
) -> FluxPredictor:
    """A released model, whose file holds one model and its calibration."""
    released = read_released(file)
    asked = {"model": model not in (None, released.card.model), "fold": fold != "all", "calibration": calibration is not None}
    if wrong := [name for name, stated in asked.items() if stated]:
        todo = "leave it out, or name a run"
        raise InputError(f"a released model has one {wrong[0]}", where=released.card.name, found=wrong, todo=todo)
    chosen = prepare_torch(device)
    members = tuple(to_device(list(released.members), chosen))
    return FluxPredictor(members, chosen, released.calibration if intervals else None, None, released)


def _open_named(source: str | Path) -> Run:
    """Open a run; a word that is no folder may have been meant as the name of a released model."""
    names = released_names()
    if isinstance(source, str) and "/" not in source and not Path(source).exists():
        todo = f"give the folder of a run, or a model that comes with the package: {near(source, names)}"
        raise InputError("there is no such run and no such model", where=source, found=", ".join(names), todo=todo)
    return open_run(source)


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    """Arrays of places after each other; None if there are none."""
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None


def _is_model(folder: Path) -> bool:
    """Whether a folder is that of a member or of members."""
    return (folder / SPEC).is_file() or any(folder.glob(f"*/{SPEC}"))


def _of_run(run: Run, model: str | None, fold: str) -> tuple[list[Path], Run | None]:
    """Folders of the members of a model of a run, and the run."""
    table = run.models
    names = list(table["model"].unique())
    if not names:
        raise run.lacks("trained models")
    if model is None:
        mapped = run.calibration.model if run.has(File.CALIBRATION) else None
        model = mapped if mapped in names else names[0] if len(names) == 1 else None
    if model not in names:
        todo = near(model, names) if model else f"name one of them: {', '.join(names)}"
        raise InputError("the run has no such model" if model else "the run has several models", where=run.folder, todo=todo)
    rows = table[(table["model"] == model) & (table["fold"] == fold)]
    if rows.empty:
        folds = ", ".join(table.loc[table["model"] == model, "fold"].unique())
        raise InputError(f"the run has no fold {fold!r} of {model}", where=run.folder, found=folds, todo="choose one of these")
    return list(rows["folder"]), run


def _of_folder(folder: Path) -> tuple[list[Path], Run | None]:
    """Folders of members, and the run in which they lie (`File.MODEL`)."""
    alone = (folder / SPEC).is_file()
    parts = len(Path(File.MODEL).parts) - (0 if alone else 1)
    above = folder.parents[parts - 1] if len(folder.parents) >= parts else None
    inside = above is not None and folder.relative_to(above).parts[0] == Path(File.MODEL).parts[0]
    members = [folder] if alone else sorted(path.parent for path in folder.glob(f"*/{SPEC}"))
    return members, Run(above) if above is not None and inside else None


def _calibration(run: Run | None, folder: Path) -> Calibration:
    """The calibration of the run in which models lie."""
    if run is None or not run.has(File.CALIBRATION):
        todo = "name it: calibration='.../evaluation/calibration.json', or predict without intervals: intervals=False"
        raise InputError("there is no calibration beside the model", where=folder, found="no run with one", todo=todo)
    return run.calibration


def _strata(ds: xr.Dataset) -> PlaceStrata | None:
    """Seasons and classes of the places and steps (site, time); None where no classes are known."""
    if "igbp_fraction" not in ds:
        return None
    lat = ds["lat"].values[:, None]
    shares = ds["igbp_fraction"].sel(igbp=list(classes.IGBP)).transpose("igbp", "site").values[:, :, None]
    season = calendar.season(calendar.month(ds["time"].values)[None], lat)
    return PlaceStrata(season, calendar.season_weight(lat), dict(zip(classes.IGBP, shares, strict=True)))

"""Standardise inputs and fluxes with numbers that know the name and unit of their variable.

Inputs lose their mean and are divided by their standard deviation, both from the training towers alone. Fluxes are
divided by one number each and never shifted, so that the balance NEE = RECO - GPP keeps its form. Class fractions
stay as they are. An input that never varies among the training towers carries no information: it is scaled to zero, so
that a cell with another value cannot meet weights that were never trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tamrl import carbon, variables
from tamrl.errors import ContractError, UnitError, near


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of one input variable; lists hold one number per class."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    units: str


@dataclass(frozen=True)
class Standardisation:
    """Mean and scale of inputs, and scale of fluxes.

    Attributes
    ----------
    inputs : moments of each variable
    fluxes : standard deviation about zero of gpp, reco, nee, gC m-2 d-1
    """

    inputs: dict[str, Moments]
    fluxes: dict[str, float]

    def apply(self, values: np.ndarray, *, name: str, units: str) -> np.ndarray:
        """Standardise an input variable (..., or ..., class) to float32; missing and infinite values become NaN.

        Raises
        ------
        ContractError
            If the model was not trained with this variable.
        UnitError
            If it was trained with another unit.
        """
        moments = self._moments(name, units)
        mean, std = np.asarray(moments.mean), np.asarray(moments.std)
        factor = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)
        if len(mean) == 1:
            mean, factor = mean[0], factor[0]
        finite = np.where(np.isfinite(values), values, np.nan)
        standardised: np.ndarray = ((finite - mean) * factor).astype(np.float32)
        return standardised

    def _moments(self, name: str, units: str) -> Moments:
        if name not in self.inputs:
            raise ContractError(
                f"the model was not trained with {name!r}", found=sorted(self.inputs), todo=near(name, self.inputs)
            )
        moments = self.inputs[name]
        if moments.units != units:
            raise UnitError(
                f"{name} must come in {moments.units!r}, as in training",
                found=units,
                todo="build samples and cube with the same vocabulary",
            )
        return moments

    @property
    def flux_scale(self) -> tuple[float, float, float]:
        """Scales of gpp, reco, nee, gC m-2 d-1."""
        return self.fluxes["gpp"], self.fluxes["reco"], self.fluxes["nee"]


def fit_standardisation(ds: xr.Dataset, *, dynamic: Sequence[str], static: Sequence[str]) -> Standardisation:
    """Standardisation of the named variables from the samples `ds` of the training towers (site, time).

    Raises
    ------
    ContractError
        If a variable or flux has no finite value there.
    """
    inputs = {name: _moments(ds[name], name) for name in dynamic}
    for name in static:
        inputs[name] = _fractions(ds[name]) if variables.get(name).classes else _moments(ds[name], name)
    return Standardisation(inputs, {flux: _root_mean_square(ds[flux].values, flux) for flux in carbon.FLUXES})


def _moments(values: xr.DataArray, name: str) -> Moments:
    finite = values.values[np.isfinite(values.values)].astype(np.float64)
    if not finite.size:
        raise ContractError(f"{name} has no value at any training tower", todo="drop it from samples, or check the drivers")
    return Moments((float(finite.mean()),), (float(finite.std()),), values.attrs["units"])


def _fractions(values: xr.DataArray) -> Moments:
    """Class fractions (site, class): left as they are where towers differ in the class, else zeroed."""
    complete = values.values[np.isfinite(values.values).all(axis=1)]
    differs = np.ptp(complete, axis=0) > 0 if len(complete) else np.zeros(values.shape[1], dtype=bool)
    return Moments((0.0,) * values.shape[1], tuple(differs.astype(float).tolist()), values.attrs["units"])


def _root_mean_square(values: np.ndarray, name: str) -> float:
    finite = values[np.isfinite(values)].astype(np.float64)
    scale = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
    if not scale > 0:
        raise ContractError(f"{name} has no value at any training tower", todo="check the records and their quality threshold")
    return scale

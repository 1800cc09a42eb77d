"""One member at the held-out towers of its fold: inputs, fluxes, and predictions after each way of adapting; pure."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl.adaptation import networks
from tamrl.adaptation.networks import Measured
from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.models.parts.network import FluxNetwork
from tamrl.models.parts.trees import GrowingTrees
from tamrl.plugins import Adapting
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs
from tamrl.sections.results import Adaptation
from tamrl.shapes import Fluxes, Season
from tamrl.training.checkpoint import Trained


@dataclass(frozen=True)
class Case:
    """A member and its held-out towers.

    Attributes
    ----------
    member : Trained
    cells : Inputs (site, lead + time, ...)
        The first year stands once more in front.
    lead : int
        Steps of that year.
    season : time of year of each step
    y, weight : (site, time, flux)
        Fluxes in gC m-2 d-1, and their weights, 0 where not good enough to use.
    spinup : int
        Steps before a window that only fill the memory.
    training : Inputs (site, 1, ...)
        Support and attributes of the towers that the member was trained on.
    """

    member: Trained
    cells: Inputs
    lead: int
    season: Season
    y: Fluxes
    weight: Fluxes
    spinup: int
    training: Inputs

    @property
    def scale(self) -> Tensor:
        """Scales of gpp, reco, nee, gC m-2 d-1."""
        return torch.tensor(self.member.spec.standardisation.flux_scale)


def build_case(member: Trained, held_out: xr.Dataset, training: xr.Dataset, *, qc: float, spinup: int) -> Case:
    """Inputs of a member from samples of held-out and training towers; fluxes of quality below `qc` are not used.

    Parameters
    ----------
    member : model whose inputs are built
    held_out : samples (site, time) of the towers to adapt to
    training : samples of the towers from which the member learnt, for their codes
    qc : least quality (0 to 1) of a flux that is used
    spinup : steps before the first that is predicted
    """
    spec, standardisation = member.spec.inputs, member.spec.standardisation
    lead = min(spec.year, held_out.sizes["time"])
    steps = np.concatenate([dataset.lead_in(0, spec.year, lead), np.arange(held_out.sizes["time"])])
    cells = dataset.model_inputs(held_out, spec, standardisation, steps=steps)
    y, weight = dataset.targets(held_out)
    weight = weight * cells.valid[:, lead:, None] * (weight >= qc)
    trained_on = dataset.model_inputs(training, spec, standardisation, steps=np.arange(1))
    cycle = TimeAxis(held_out["time"].values, spec.step).annual_cycle(held_out["lat"].values[:, None, None] < 0)
    season = torch.from_numpy(np.insert(cycle, 0, 1, axis=-1))
    return Case(member, cells, lead, season, y, weight, min(spinup, lead), trained_on)


def adapting_methods(case: Case, *, light: bool) -> tuple[Adapting, ...]:
    """How the model is adapted: the way it prefers, and with `light` by its weights too.

    Raises
    ------
    ContractError
        If it cannot be adapted.
    """
    methods = case.member.spec.capabilities.adapts
    if not methods:
        raise ContractError(
            f"{case.member.spec.name} cannot be adapted", where="adaptation.models", todo="choose a network or lightgbm"
        )
    return methods if light else methods[:1]


def predict_adapted(case: Case, method: Adapting, inside: np.ndarray, *, months: int, adaptation: Adaptation) -> np.ndarray:
    """Fluxes at all steps after adapting to those inside the window.

    Parameters
    ----------
    method : one of `adapting_methods`
    inside : array (site, time) of bool
        Steps of the window; a site without any is not adapted.
    months : int
        Length of the window.

    Returns
    -------
    array (site, time, 3), gC m-2 d-1, NaN where a driver is missing.
    """
    measured, model, scale = _measured(case, inside), case.member.model, case.scale
    if method == "code" and isinstance(model, FluxNetwork):
        prior = networks.code_prior(model, case.training.support, case.training.static)
        adjustment = networks.fit_codes(model, measured, prior, months=months, scale=scale, settings=adaptation)
        return networks.predict_adjusted(model, case.cells, case.season, adjustment, skip=case.lead)
    fluxes = []
    for k in range(len(inside)):
        site = slice(k, k + 1)
        window, cells = measured.sites(site), case.cells.sites(site)
        if isinstance(model, GrowingTrees):
            inputs = window.cells.x, window.cells.support, window.cells.static
            trees = model.adapted(*inputs, window.y, window.weight, trees=adaptation.trees, rate=adaptation.tree_rate)
            predicted = trees.predict(cells.x, cells.support, cells.static, skip=case.lead).numpy()
            fluxes.append(np.where(cells.valid[:, case.lead :, None].numpy(), predicted, np.float32(np.nan)))
        elif isinstance(model, FluxNetwork):
            tuned = networks.fit_weights(model, window, months=months, scale=scale, settings=adaptation)
            unadjusted = networks.unadjusted(tuned, cells)
            fluxes.append(networks.predict_adjusted(tuned, cells, case.season[site], unadjusted, skip=case.lead))
    return np.concatenate(fluxes)


def _measured(case: Case, inside: np.ndarray) -> Measured:
    """The window of each site with its spin-up; weight 0 outside the window."""
    has_window = inside.any(1)
    start = np.where(has_window, inside.argmax(1), 0)
    stop = np.where(has_window, inside.shape[1] - inside[:, ::-1].argmax(1), 0)
    positions = start[:, None] + np.arange(-case.spinup, (stop - start).max(initial=1))  # (site, step)
    step = torch.from_numpy(np.clip(positions, 0, inside.shape[1] - 1))
    site = torch.arange(len(inside))[:, None]
    in_span = (positions >= start[:, None]) & (positions < stop[:, None])
    counts = torch.from_numpy(in_span) & torch.from_numpy(inside)[site, step]
    cell_step = torch.from_numpy(np.clip(positions, -case.lead, inside.shape[1] - 1)) + case.lead
    cells = case.cells
    window = Inputs(cells.x[site, cell_step], cells.static, cells.support, cells.valid[site, cell_step])
    return Measured(window, case.season[site, step], case.y[site, step], case.weight[site, step] * counts[..., None])

"""One member at the held-out towers of its fold: inputs, fluxes, and predictions after each way of adapting; pure."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tamrl.adaptation import networks, trees
from tamrl.adaptation.networks import Given
from tamrl.errors import ContractError
from tamrl.models._network import Network
from tamrl.models.lightgbm import Trees
from tamrl.samples import dataset
from tamrl.samples.dataset import Inputs
from tamrl.sections.results import Adaptation
from tamrl.training.checkpoint import Trained

CODE, WEIGHTS, TREES = "code", "weights", "trees"


@dataclass(frozen=True)
class Case:
    """A member and its held-out towers.

    Attributes
    ----------
    member : Trained
    cells : Inputs (B, lead + T, ...)
        The first year stands once more in front.
    lead : int
        Steps of that year.
    season : (B, T, 3)
        One, and cosine and sine of the time of year, in northern time.
    y, weight : (B, T, 3)
        Fluxes in gC m-2 d-1, and their weights, 0 where not good enough to use.
    spinup : int
        Steps before a window that only fill the memory.
    training : Inputs (B', 1, ...)
        Support and statics of the towers that the member was trained on.
    """

    member: Trained
    cells: Inputs
    lead: int
    season: Tensor
    y: Tensor
    weight: Tensor
    spinup: int
    training: Inputs

    @property
    def scale(self) -> Tensor:
        """Scales of gpp, reco, nee, gC m-2 d-1."""
        return torch.tensor(self.member.scaling.flux_scale)


def build(member: Trained, held_out: xr.Dataset, training: xr.Dataset, *, qc: float, spinup: int) -> Case:
    """Inputs of a member from samples of held-out and training towers; fluxes of quality below `qc` are not used."""
    lead = min(member.spec.year, held_out.sizes["time"])
    steps = np.concatenate([dataset.lead_in(0, member.spec.year, lead), np.arange(held_out.sizes["time"])])
    cells = dataset.inputs(held_out, member.spec, member.scaling, steps=steps)
    y, weight = dataset.targets(held_out)
    weight = weight * cells.valid[:, lead:, None] * (weight >= qc)
    known = dataset.inputs(training, member.spec, member.scaling, steps=np.arange(1))
    turned = dataset.season_of(held_out["time"].values, held_out["lat"].values[:, None, None] < 0, member.spec)
    season = torch.from_numpy(np.insert(turned, 0, 1, axis=-1))
    return Case(member, cells, lead, season, y, weight, min(spinup, lead), known)


def methods(case: Case, *, light: bool) -> tuple[str, ...]:
    """How a model is adapted: its code where that follows from the support set, else its weights, or its trees."""
    model = case.member.model
    if isinstance(model, Trees):
        return (TREES,)
    if not isinstance(model, Network) or model.own_window:
        raise ContractError(
            f"{case.member.name} cannot be adapted", where="adaptation.models", todo="choose a network or lightgbm"
        )
    with torch.no_grad():
        own, static = case.cells.support, case.cells.static
        has_code = not torch.equal(model.encode(own, static), model.encode(own + 1.0, static))
    return (CODE, *([WEIGHTS] if light else [])) if has_code else (WEIGHTS,)


def predict(case: Case, method: str, inside: np.ndarray, *, months: int, adaptation: Adaptation) -> np.ndarray:
    """Fluxes at all steps after adapting to those inside the window.

    Parameters
    ----------
    method : one of `methods`
    inside : array (B, T) of bool
        Steps of the window; a site without any is not adapted.
    months : int

    Returns
    -------
    array (B, T, 3), gC m-2 d-1, NaN where a driver is missing.
    """
    given = gather(case, inside)
    own = {"months": months, "scale": case.scale, "settings": adaptation}
    model = case.member.model
    if method == CODE:
        known = networks.prior(model, case.training.support, case.training.static)
        found = networks.fit_codes(model, given, known, **own)
        return networks.predict(model, case.cells, case.season, found, skip=case.lead)
    found = []
    for k in range(len(inside)):
        here = slice(k, k + 1)
        one, site = only(given, here), rows(case.cells, here)
        if method == TREES:
            tuned = trees.refit(model, one, trees=adaptation.trees, rate=adaptation.tree_rate)
            found.append(trees.predict(tuned, site, skip=case.lead))
        else:
            tuned = networks.fit_weights(model, one, **own)
            found.append(networks.predict(tuned, site, case.season[here], networks.unadapted(tuned, site), skip=case.lead))
    return np.concatenate(found)


def gather(case: Case, inside: np.ndarray) -> Given:
    """The window of each site with its spin-up, L steps; weight 0 outside the window."""
    there = inside.any(1)
    start = np.where(there, inside.argmax(1), 0)
    stop = np.where(there, inside.shape[1] - inside[:, ::-1].argmax(1), 0)
    where = start[:, None] + np.arange(-case.spinup, (stop - start).max(initial=1))  # (B, L)
    step = torch.from_numpy(np.clip(where, 0, inside.shape[1] - 1))
    site = torch.arange(len(inside))[:, None]
    counts = torch.from_numpy((where >= start[:, None]) & (where < stop[:, None])) & torch.from_numpy(inside)[site, step]
    position = torch.from_numpy(np.clip(where, -case.lead, inside.shape[1] - 1)) + case.lead
    own = case.cells
    cells = Inputs(own.x[site, position], own.static, own.support, own.valid[site, position])
    return Given(cells, case.season[site, step], case.y[site, step], case.weight[site, step] * counts[..., None])


def only(given: Given, which: slice) -> Given:
    """Some of the sites."""
    return Given(rows(given.cells, which), given.season[which], given.y[which], given.weight[which])


def rows(cells: Inputs, which: slice) -> Inputs:
    """Some of the sites."""
    return Inputs(**{name: tensor[which] for name, tensor in vars(cells).items()})

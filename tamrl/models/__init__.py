"""Models: one file, one plug-in. They know arrays of numbers only: no names, files, xarray or configuration.

A plug-in holds

``class Options(Strict)``
    Its options; light imports only, because it is read without importing the module. Some fields ask for inputs, see
    `samples.dataset.Spec`: ``windows`` (days) for running means of the drivers among the features, ``calendar`` for the
    season as their last two, ``static`` for these attributes alone, ``support`` for another support set.
``CLOSES : bool``
    Whether the NEE it delivers is RECO - GPP.
``build(dims: Dims, options: Options) -> model``
    A model with

    ``predict(x, support, static, *, skip=0) -> (B, T - skip, 3)``
        gpp, reco, nee in gC m-2 d-1 for features x (B, T, F), support (B, C, D) and static (B, S), deterministic; the first
        `skip` steps only fill the memory. A site's numbers depend on no other site, a step's on no later one.
    ``encode(support, static) -> z`` and ``resume(x, z, state, *, skip) -> (fluxes, state)``
        only where the memory can be put down and taken up again (`_network.Network`): `predict` in two halves.
    ``state_dict() -> dict[str, Tensor]`` and ``load_state_dict(state)``
        All that training changes.
    Either it is a `torch.nn.Module` whose ``forward(x, support, static)`` gives differentiable fluxes (B, T, 3) in gC m-2 d-1,
    and what else `training.losses.flux_loss` knows, trained by `training.loop` (which calls ``begin(progress)``, 0 to 1,
    before each step), or it has ``fit(x, support, static, y, weight, *, seed)`` with the tensors of `samples.dataset`.

Tests run over every plug-in present.
"""

"""Models: one file, one plug-in (`plugins.FluxModel`). They know arrays of numbers only: no names, files or configuration.

Some options ask for inputs (`samples.dataset.InputSpec`): ``windows`` (days) for running means of the drivers among the features,
``calendar`` for the season as their last two, ``static`` for these attributes alone, ``support`` for another support set.

`build` returns a `parts.network.FluxNetwork`, which `training.loop` trains, or a model with
``fit(x, support, static, y, weight, *, seed)``, which trains itself (`plugins.SelfTraining`).

`tests/models/test_registry.py` holds the contract for every plug-in present.
"""

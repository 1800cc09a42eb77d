"""Call the stage of a rule, and make a function a stage.

The parameter `stage` of a rule names the function. Named inputs, outputs and parameters are its arguments; empty or unnamed
inputs are not passed. Wildcards, threads and resources of a cluster are passed if the function has such arguments.
"""

import importlib
import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pydantic import ConfigDict, ValidationError, validate_call

from tamrl import log
from tamrl.errors import ConfigError
from tamrl.intake import border

P = ParamSpec("P")
R = TypeVar("R")

NO_ARGUMENTS = {"stage", "code", "stamps"}
"""Parameters of rules that only decide whether a job runs again, and the module of the stage."""


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a stage and convert them to their types, for example a mapping to its section.

    The stage raises `ConfigError` for a wrong argument, and `MachineError` if the machine refuses memory, threads or files.
    """
    checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        """Check the arguments and call the stage."""
        with border.naming_machine_faults(function.__name__):
            try:
                return checked(*args, **{name: _plain(value) for name, value in kwargs.items()})
            except ValidationError as error:
                if error.title != function.__name__:
                    raise
                raise ConfigError("a stage is called with wrong arguments", where=function.__qualname__, found=error) from error

    return call


def _plain(value: Any) -> Any:
    """Turn paths into text, as Snakemake passes them."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def arguments(job: Any, function: Callable[..., object]) -> dict[str, Any]:
    """Return the arguments of `function` from a job, the `snakemake` object of a script.

    Raises `ConfigError` if two parts of the rule have the same name, or one is no argument of the stage.
    """
    parameters = inspect.signature(function).parameters
    values: dict[str, Any] = {}
    inputs = [(name, value) for name, value in job.input.items() if value]
    params = [(name, value) for name, value in job.params.items() if name not in NO_ARGUMENTS - parameters.keys()]
    for name, value in (*inputs, *job.output.items(), *params):
        if name in values or name not in parameters:
            reason = "two values" if name in values else "no argument of the stage"
            raise ConfigError(f"the rule {job.rule} does not fit its stage", where=name, found=reason)
        values[name] = value
    surroundings = {**dict(job.wildcards.items()), "threads": job.threads, "nodes": job.resources.get("nodes", 1)}
    surroundings["launcher"] = job.resources.get("mpi", "")
    return values | {name: value for name, value in surroundings.items() if name in parameters.keys() - values.keys()}


def run_job(job: Any) -> None:
    """Run the stage of a job with the log of the rule."""
    log.to_file(job.log[0])
    module, _, name = job.params.stage.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    function(**arguments(job, function))

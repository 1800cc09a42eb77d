"""Print the plan of a run: `python -m tamrl.costs config/x.yaml ...`, each file laid over those before it."""

import sys
from collections.abc import Sequence

from tamrl import config as configuration
from tamrl.costs.data import data_needs, format_routes
from tamrl.costs.fit import Basis
from tamrl.costs.needs import MARGIN
from tamrl.costs.plan import format_plan
from tamrl.costs.search import format_search
from tamrl.costs.size import RunSize
from tamrl.errors import TamrlError


def main(files: Sequence[str]) -> int:
    """Print the plan of the configuration in `files`; returns the exit code."""
    config = configuration.load_files(files)
    print(format_search(config) if config.search else format_plan(RunSize.of(config), run=config.run))
    if needs := data_needs(config):
        print(f"\n{config.run} will need", *needs, sep="\n  ")
    if routes := format_routes(config):
        print(f"\nwhat {config.run} would fetch by each route\n\n{routes}")
    runs = ", ".join(run.run for run in Basis.read().basis)
    print(f"\nFitted to the runs {runs}; good to about a factor of {MARGIN:g} (docs/scaling.md).")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TamrlError as error:
        sys.exit(str(error))

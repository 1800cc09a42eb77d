"""Print the plan of a run: `python -m tamrl.costs config/x.yaml ...`, each file laid over those before it."""

import sys

from tamrl import config as configuration
from tamrl.costs.data import data_needs
from tamrl.costs.fit import Basis
from tamrl.costs.needs import MARGIN
from tamrl.costs.plan import format_plan
from tamrl.costs.size import RunSize
from tamrl.errors import TamrlError

if __name__ == "__main__":
    try:
        config = configuration.load_files(sys.argv[1:])
        print(format_plan(RunSize.of(config), run=config.run))
        if needs := data_needs(config):
            print(f"\n{config.run} will need", *needs, sep="\n  ")
    except TamrlError as error:
        sys.exit(str(error))
    runs = ", ".join(run.run for run in Basis.read().basis)
    print(f"\nFitted to the runs {runs}; good to about a factor of {MARGIN:g} (docs/scaling.md).")

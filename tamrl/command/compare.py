"""`tamrl compare`: the maps of a run beside a product of others."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tamrl import registry
from tamrl.command.output import as_text
from tamrl.command.parsers import add_command
from tamrl.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILES = {"scores": "scores.csv", "cycles": "cycles.csv", "totals": "totals.csv", "fields": "maps.nc"}
"""Files of the folder of a comparison."""

DESCRIPTION = """Compare the maps and totals of a run with a product of others: monthly means on the coarser of both grids.

The files stay where they are. Names, units, signs and months are compared with those that the product is published with; what
differs is refused. --output writes scores by region (bias, RMSE, correlation, seasonal amplitude and phase, variation between
years, trends), seasonal cycles, totals beside the run's 90 % intervals, and maps of the differences.

products:
  {products}

examples:
  tamrl compare results/real --product fluxcom_x_base --files 'xbase/*_050_monthly.nc'
  tamrl compare results/real --product carbontracker --files CT2022.flux1x1-monthly.nc --output comparison/"""


def add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    products = registry.names(registry.COMPARED)
    description = DESCRIPTION.format(products=", ".join(products))
    parser = add_command(commands, "compare", compare_run, description=description, summary="maps beside a product of others")
    parser.add_argument("run", metavar="RUN", help="folder of a run, such as results/real")
    parser.add_argument("--product", required=True, choices=products, metavar="NAME", help="a product of the list above")
    parser.add_argument("--files", required=True, nargs="+", metavar="FILE", help="its files, or patterns in quotes")
    parser.add_argument("--output", metavar="FOLDER", help="a folder for tables, maps and figures")
    parser.add_argument("--json", action="store_true", help="JSON to the terminal")


def compare_run(options: argparse.Namespace) -> int:
    """Compare, print the scores of the globe and all totals, and write what is asked for."""
    from tamrl.api.run import open_run
    from tamrl.layout import File
    from tamrl.reference.compare import compare_budget, compare_gridded
    from tamrl.reference.layouts import holds_maps
    from tamrl.reference.maps import RunMaps, paths_of_run
    from tamrl.reference.names import match_files
    from tamrl.reference.stage import write_comparison, write_totals

    run = open_run(options.run)
    if options.output and Path(options.output).is_file():
        raise InputError("the output is a folder", where=options.output, todo="name another folder")
    budgets, paths = run.budgets, match_files(options.files)
    written = {key: str(Path(options.output or ".") / name) for key, name in FILES.items()}
    if not holds_maps(options.product):
        totals = compare_budget(budgets, paths, options.product, name=options.product)
        _show(None, totals, as_json=options.json)
        if options.output:
            write_totals(written["totals"], totals, virtual=run.virtual, sealed=False)
        return 0
    maps = RunMaps.read(paths_of_run(run.layout), run.path(File.CUBE))
    result = compare_gridded(maps, budgets, paths, options.product, name=options.product)
    _show(result.scores, result.totals, as_json=options.json)
    if options.output:
        write_comparison(result, **written, virtual=run.virtual, sealed=False)
    return 0


def _show(scores: "pd.DataFrame | None", totals: "pd.DataFrame", *, as_json: bool) -> None:
    """Print the scores of the globe, where there are such, and the totals."""
    globe = None if scores is None else scores[scores["kind"] == "globe"].dropna(axis=1, how="all")
    if as_json:
        tables = {"totals": totals} | ({} if globe is None else {"scores": globe})
        plain = {name: table.astype(object).where(table.notna(), None).to_dict("records") for name, table in tables.items()}
        print(as_text(plain))
        return
    if globe is not None:
        print(globe.set_index("quantity").drop(columns=["product", "flux", "kind", "region"]).T.to_string(float_format="%.3g"))
    print(totals.drop(columns="product").to_string(index=False, float_format="%.3g"))

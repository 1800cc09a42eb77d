"""`tamrl export`: the maps of a run in the forms of other programs."""

import argparse
from pathlib import Path

from tamrl.command.output import as_text
from tamrl.command.parsers import add_command
from tamrl.errors import InputError

DESCRIPTION = """Monthly maps of a run as reference data for ILAMB and ESMValTool.

--cmip writes one NetCDF file a variable in the names, units and axes of CMIP with the attributes of obs4MIPs: gpp, reco (that is
ra + rh), nee and nep (-NEE), in kg m-2 s-1 of carbon, each with its standard deviation (gppstd) and the ends of its 90 %
interval (gppq05, gppq95), and sftlf and areacella. Fluxes are those of the land of the cell.

examples:
  tamrl export results/real --cmip --output cmip/
  tamrl export results/quarter --cmip --output cmip/ --source-id TAMRL-1-0 --institution-id MPI-BGC"""


def add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = add_command(commands, "export", export_run, description=DESCRIPTION, summary="maps for ILAMB and ESMValTool")
    parser.add_argument("run", metavar="RUN", help="folder of a run, such as results/real")
    parser.add_argument("--cmip", action="store_true", required=True, help="the form, the only one so far")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder of the files; made where it is not there")
    parser.add_argument("--source-id", default="tamrl", metavar="NAME", help="name of the product, in file names (tamrl)")
    parser.add_argument("--institution-id", default="unspecified", metavar="NAME", help="of whoever publishes it")
    parser.add_argument("--year", nargs="+", type=int, help="by default all years of the maps")
    parser.add_argument("--json", action="store_true", help="JSON to the terminal")


def export_run(options: argparse.Namespace) -> int:
    """Write the files and list them."""
    from tamrl.api.export import export_cmip
    from tamrl.api.run import open_run

    if Path(options.output).is_file():
        raise InputError("the output is a folder", where=options.output, todo="name another folder")
    names = {"source_id": options.source_id, "institution_id": options.institution_id}
    written = export_cmip(open_run(options.run), Path(options.output), **names, year=options.year)
    print(as_text({"files": [str(path) for path in written]}) if options.json else "\n".join(map(str, written)))
    return 0

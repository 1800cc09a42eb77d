"""The command `tamrl`. Exit codes: 0 done, 1 refused with an error that says what to do, 2 wrong arguments."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from tamrl import __version__
from tamrl.command import compare, doctor, export, extract, predict, programs, release
from tamrl.errors import TamrlError

DESCRIPTION = """Flux towers, ERA5 and MODIS to global maps of GPP, RECO and NEE with tested uncertainty.

first steps:
  tamrl predict --drivers my-site.csv --lat 51.1 --lon 10.5 --igbp DBF --koppen Temperate   with the model of the package
  tamrl doctor                        is this machine ready?
  tamrl plan config/real.yaml         what will the run take?
  tamrl run config/real.yaml          make it: from raw inputs to maps and report
  tamrl extract results/real --places places.csv --period climatology
  tamrl compare results/real --product fluxcom_x_base --files 'xbase/*.nc'
  tamrl export results/real --cmip --output cmip/
  tamrl predict results/real --drivers my-site.csv --lat 51.1 --lon 10.5 --igbp DBF --koppen Temperate

`tamrl COMMAND --help` says more, with examples."""

INTERRUPTED = 130

INSTALL = "pip install 'tamrl[workflow]', or in a checkout make .venv"
"""What brings the packages that runs need and predictions do not."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="tamrl", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"tamrl {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    further = (extract.add_extract, compare.add_compare, export.add_export, doctor.add_doctor)
    for add in (predict.add_predict, *further, programs.add_programs, release.add_release):
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. What follows `--` goes to Snakemake, where a subcommand starts it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    at = words.index("--") if "--" in words else len(words)
    parser = build_parser()
    try:
        options = parser.parse_args(words[:at])
        options.further = words[at + 1 :]
        if options.further and not getattr(options, "starts_snakemake", False):
            parser.error(f"{options.command} takes nothing behind --")
    except SystemExit as stop:  # argparse ends the program itself
        return stop.code if isinstance(stop.code, int) else 2
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        code: int = options.act(options)
        sys.stdout.flush()
    except TamrlError as error:
        print(f"tamrl {options.command}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "tamrl":
            raise
        print(f"tamrl {options.command}: needs the package {error.name}\n  to do: {INSTALL}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code

"""Parsers of subcommands, all made alike."""

import argparse
from collections.abc import Callable


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    act: Callable[[argparse.Namespace], int],
    *,
    description: str,
    summary: str,
) -> argparse.ArgumentParser:
    """Add a subcommand and return its parser.

    Parameters
    ----------
    commands : of the command `tamrl`
    name : of the subcommand
    act : called with the options; returns the exit code
    description, summary : texts of its help, and of the list of all subcommands
    """
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=summary, description=description, formatter_class=form, allow_abbrev=False)
    parser.set_defaults(act=act)
    return parser

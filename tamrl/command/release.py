"""`tamrl release`: the model of a run as one file for others; `tamrl card`: what such a file says of itself."""

import argparse
from pathlib import Path

from tamrl.command.output import as_text
from tamrl.command.parsers import add_command

DESCRIPTION = """Pack the model of a finished run into one verified file that predicts without the run.

The file NAME.safetensors holds the members trained on all towers, their calibrated intervals, what compares places with the
training towers, and the model card; NAME.md and NAME.json show the card. --statement is a YAML with title, summary, network, data
(title, author, year, doi, licence, use), uses and limits: what people must say of a model, while the rest is measured.

example:
  tamrl release results/release --name my-model --statement statement.yaml --output models"""

CARD = """Show the card of a released model: training towers, drivers and units, errors and intervals at unseen towers, limits.

examples:
  tamrl card
  tamrl card models/my-model.safetensors --json"""


def add_release(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands."""
    parser = add_command(commands, "release", release_run, description=DESCRIPTION, summary="the model of a run as one file")
    parser.add_argument("run", metavar="RUN", help="folder of a run of real towers")
    parser.add_argument("--name", required=True, help="of the model")
    parser.add_argument("--statement", required=True, metavar="FILE", help="YAML: what people write of the model")
    parser.add_argument("--output", default=".", metavar="FOLDER", help="by default the working folder")
    card = add_command(commands, "card", show_card, description=CARD, summary="what a released model says of itself")
    card.add_argument("model", metavar="MODEL", nargs="?", help="name of a model of the package, or a file; by default its model")
    card.add_argument("--json", action="store_true", help="JSON to the terminal")


def release_run(options: argparse.Namespace) -> int:
    """Pack the model."""
    from tamrl.api.model_card import Statement
    from tamrl.api.releasing import release_model
    from tamrl.api.run import open_run

    statement = Statement.of_file(options.statement)
    path = release_model(open_run(options.run), name=options.name, statement=statement, folder=Path(options.output))
    print(f"{path}: {path.stat().st_size:,} bytes, with {path.with_suffix('.md').name} and {path.with_suffix('.json').name}")
    return 0


def show_card(options: argparse.Namespace) -> int:
    """Print the card."""
    from tamrl.api.released import DEFAULT, read_card

    card, digest = read_card(options.model or DEFAULT)
    print(as_text(card.model_dump(mode="json") | {"sha256": digest}) if options.json else card.markdown(digest).rstrip())
    return 0

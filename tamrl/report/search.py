"""Page and figure of a search of settings: all settings of every model, failures too."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl import contracts, escaping, files, provenance, simulated
from tamrl.carbon import FLUXES
from tamrl.markdown import markdown_table
from tamrl.report import style
from tamrl.report.pages.html import draw_picture
from tamrl.report.pages.tables import interval_text
from tamrl.report.style import format_number
from tamrl.sections.results import RunDescription
from tamrl.sections.search import SearchBudget
from tamrl.workflow import stage

CHANGE = "change of RMSE from setting 0 (%)"


@stage
def write_search(*, table: str, page: str, figure: str, search: SearchBudget, description: RunDescription, seed: int) -> None:
    """Write all settings as a Markdown page and a figure.

    Parameters
    ----------
    table : by `contracts.SEARCH`
    page, figure : outputs
    search : what every model was given
    description, seed : of the run
    """
    rows = contracts.read_csv(table, contracts.SEARCH)
    folds = ", ".join(map(str, search.folds))
    origin = (
        f"Run `{description.run}`, configuration `{description.config_digest}`, revision `{provenance.revision()}`; "
        f"{search.settings} settings of each model, one member each, towers of fold {folds} held out by seed {seed}."
    )
    text = search_page(rows, title=simulated.title("Settings of the models", description.virtual), origin=origin)
    with files.atomic(page) as part:
        part.write_text(text, encoding="utf-8")
    picture = draw_picture(plot_search(rows), Path(figure).stem, caption="", alt="")
    with files.atomic(figure) as part:
        part.write_bytes(picture.png)


def search_page(rows: pd.DataFrame, *, title: str, origin: str) -> str:
    """Write the table of `contracts.SEARCH` as a Markdown page, one section per model."""
    blocks = [
        f"# {title}",
        origin,
        "Setting 0 is that of the configuration; the others were drawn at random from the space of the model. The error is the "
        "change of RMSE from setting 0 at the same tower (geometric mean over fluxes and towers), with a 95 % interval over "
        "groups of neighbouring towers. The best setting is chosen if its error is below that of setting 0. The least of several "
        "uncertain errors is on average too small: the gain that counts is that of a run with another seed.",
    ]
    head = ["setting", "options", "towers", "groups", "error (%)", *(f"{flux.upper()} (%)" for flux in FLUXES), "minutes", ""]
    for model, part in rows.groupby("model", sort=False):
        blocks += [
            f"## {escaping.escape_markdown(model)}",
            markdown_table(head, [_cells(row) for row in part.itertuples()]),
        ]
    return "\n\n".join(blocks) + "\n"


def _cells(row: NamedTuple) -> list[object]:
    """Cells of a setting; a failure instead of its error."""
    values = row._asdict()
    options = ", ".join(f"{key}: {json.dumps(value)}" for key, value in json.loads(values["options"]).items())
    change = {name: 100 * (values[name] - 1) for name in ("score", "low", "high", *FLUXES)}
    failed = isinstance(values["failure"], str)
    error = "failed" if failed else interval_text(change["score"], change["low"], change["high"])
    remark = escaping.escape_markdown(values["failure"]) if failed else "chosen" if values["chosen"] == "yes" else ""
    fluxes = [format_number(change[flux], 1) for flux in FLUXES]
    minutes = format_number(values["minutes"], 1)
    return [values["setting"], options, values["towers"], values["groups"], error, *fluxes, minutes, remark]


@style.styled
def plot_search(rows: pd.DataFrame) -> Figure:
    """Plot the change of RMSE of every setting, one panel per model: failures are crosses, the choice has a ring."""
    models = list(dict.fromkeys(rows["model"]))
    figure = style.new_figure(max(2.2 * len(models), 4), 0.3 * (rows["setting"].max() + 1) + 1.2)
    colour = style.series_colours(["setting"])["setting"]
    for axes, model in zip(style.panels(figure, len(models), sharey=True), models, strict=True):
        part = rows[rows["model"] == model]
        change = 100 * (part[["score", "low", "high"]].to_numpy() - 1)
        for at, (score, low, high) in zip(part["setting"], change, strict=True):
            if np.isfinite(score):
                style.draw_interval(axes, low, high, at, colour, alpha=0.5)
            axes.plot(score if np.isfinite(score) else 0, at, "o" if np.isfinite(score) else "x", color=colour, markersize=5)
        best = part["chosen"] == "yes"
        axes.plot(change[best.to_numpy(), 0], part["setting"][best], "o", markersize=10, markerfacecolor="none", color=style.INK)
        axes.axvline(0, color=style.INK, linewidth=0.9)
        axes.set(title=model, yticks=sorted(set(rows["setting"])))
    figure.axes[0].set_ylim(rows["setting"].max() + 0.5, -0.5)  # of all panels, which share it
    figure.axes[0].set_ylabel("setting")
    figure.supxlabel(CHANGE, fontsize=9)
    return figure

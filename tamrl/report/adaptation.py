"""What a few months of a tower's fluxes are worth: table and picture of adapted models against unadapted ones and rivals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl import contracts, escaping, files, provenance, simulated
from tamrl.carbon import FLUXES
from tamrl.evaluation import bootstrap, comparisons
from tamrl.report import style
from tamrl.report.pages.html import picture as rendered
from tamrl.report.style import FLUX_LONG, number
from tamrl.workflow import stage

NONE = "none"
"""Method of a model that was not adapted."""

START_NAMES = {"summer": "from the first summer month", "record": "from the first month of the record"}
KEYS = ["model", "method", "start", "months", "flux"]


@stage
def write_adaptation(
    *, scores: Sequence[str], table: str, page: str, picture: str, config: dict[str, Any], config_digest: str
) -> None:
    """Write `adaptation.csv`, the same as Markdown, and a picture.

    Parameters
    ----------
    scores : paths
        `adaptation/{model}.csv` (`contracts.ADAPTATION`); the first is the model that the others are compared with.
    table, page, picture : outputs
    config, config_digest : the run's configuration as plain values, and its digest
    """
    parts = [contracts.read_csv(path, contracts.ADAPTATION) for path in scores]
    first, found = parts[0]["model"].iloc[0], pd.concat(parts, ignore_index=True)
    rows = changes(found, first=first)
    with files.atomic(table) as part:
        escaping.write_csv(simulated.label_table(rows, simulated.is_virtual(config)), part)
    with files.atomic(page) as part:
        part.write_text(markdown(rows, first=first, origin=_origin(config, config_digest)), encoding="utf-8")
    image = rendered(curves(rows), Path(picture).stem, caption="", alt="")
    with files.atomic(picture) as part:
        part.write_bytes(image.png)


def changes(scores: pd.DataFrame, *, first: str) -> pd.DataFrame:
    """Medians over towers and their change in percent, with 95 % bootstrap intervals over towers.

    Parameters
    ----------
    scores : table of `contracts.ADAPTATION`
    first : str
        The model whose predictions without adaptation all methods are compared with, too.

    Returns
    -------
    DataFrame
        One row a model, method, start, number of months and flux: towers, rmse, `change`, `low`, `high` against the same model
        unadapted on the same steps, and `against_first`, `against_low`, `against_high` against `first` unadapted, all of
        the median; `tower_change`, `tower_low`, `tower_high`: of the geometric mean, which pairs the two at each tower; p90 of
        the RMSE and its change; `better`, the share of towers whose RMSE fell.
    """
    zero = scores[scores["model"] == first].groupby(["start", "months", "site", "flux"])["zero_rmse"].first().rename("first")
    joined = scores[(scores["method"] != NONE)].merge(zero.reset_index(), on=["start", "months", "site", "flux"], how="left")
    rows = []
    for key, part in joined.groupby(KEYS, sort=False):
        pairs = part[["rmse", "zero_rmse"]].to_numpy()
        own, tail = (bootstrap.resample(pairs, comparisons.relative(q)) for q in (0.5, 0.9))
        paired = bootstrap.resample(pairs, comparisons.at_towers)
        other = bootstrap.resample(part[["rmse", "first"]].dropna().to_numpy(), comparisons.relative(0.5))
        row = {"towers": len(part), "rmse": part["rmse"].median(), "p90": part["rmse"].quantile(0.9)}
        row |= {"change": own.estimate, "low": own.low, "high": own.high, "p90_change": tail.estimate}
        row |= {"tower_change": paired.estimate, "tower_low": paired.low, "tower_high": paired.high}
        row |= {"against_first": other.estimate, "against_low": other.low, "against_high": other.high}
        rows.append(dict(zip(KEYS, key, strict=True)) | row | {"better": (part["rmse"] < part["zero_rmse"]).mean()})
    return pd.DataFrame(rows).sort_values(["start", "flux", "months", "model", "method"], ignore_index=True)


def _origin(config: dict[str, Any], digest: str) -> str:
    """With what the towers were adapted; enough to give the same command again."""
    own, members = config["adaptation"], config["training"]["members"]
    return (
        f"Run `{config['run']}`, configuration `{digest}`, revision `{provenance.revision()}`, seed {config['seed']}; "
        f"members of each model per fold: {members}. Codes: {own['steps']} steps of rate {own['code_rate']:g}, a month counts as "
        f"{own['per_month']:g} measurements; factors on GPP and RECO: standard deviation of the logarithm {own['gain']:g}, of "
        f"its swing over the year {own['gain_season']:g}. Trees: {own['trees']} more of rate {own['tree_rate']:g}. Weights: rate "
        f"{own['weight_rate']:g}, anchor {own['anchor']:g}."
    )


def markdown(rows: pd.DataFrame, *, first: str, origin: str) -> str:
    """The table as a page, which begins with its origin."""
    lines = [
        "# What a few months of fluxes are worth",
        origin,
        "Median over held-out towers of the RMSE (gC m⁻² d⁻¹) on the steps outside the months that were used, and its change in "
        f"percent (95 % interval over towers) from the same model before, at the same tower too (geometric mean), and from "
        f"`{first}` before.",
    ]
    head = ["flux", "months", "model", "adapted", "towers", "RMSE", "90th pct.", "change (%)", "at the same tower (%)"]
    head += [f"from `{first}` (%)", "better at"]
    for start, part in rows.groupby("start"):
        lines += [f"## Months {START_NAMES[start]}", f"| {' | '.join(head)} |\n|{'---|' * len(head)}"]
        for flux in FLUXES:
            for r in part[part["flux"] == flux].itertuples(index=False):
                triples = [(r.change, r.low, r.high), (r.tower_change, r.tower_low, r.tower_high)]
                triples += [(r.against_first, r.against_low, r.against_high)]
                values = [flux.upper(), r.months, r.model, r.method, r.towers, number(r.rmse), number(r.p90)]
                values += [f"{number(a, 1)} [{number(b, 1)}, {number(c, 1)}]" for a, b, c in triples]
                lines[-1] += "\n| " + " | ".join(map(str, [*values, f"{100 * r.better:.0f} %"])) + " |"
    return "\n\n".join(lines) + "\n"


def curves(rows: pd.DataFrame) -> Figure:
    """Change of the median RMSE from the first model unadapted, over the months used; one row of panels a start."""
    starts = sorted(rows["start"].unique(), reverse=True)
    fluxes = [flux for flux in FLUXES if flux in set(rows["flux"])]
    series = list(dict.fromkeys(zip(rows["model"], rows["method"], strict=True)))
    colours = style.series_colours([" · ".join(s) for s in series])
    months = sorted(rows["months"].unique())
    with style.styled():
        figure = style.figure(11, 3.0 * len(starts) + 0.4)
        for cell in style.cells(figure, starts, fluxes, sharey=True):
            part = rows[(rows["start"] == cell.row) & (rows["flux"] == cell.column)]
            for k, (model, method) in enumerate(series):
                own = part[(part["model"] == model) & (part["method"] == method)].sort_values("months")
                at = np.array([months.index(m) for m in own["months"]]) + 0.08 * (k - (len(series) - 1) / 2)
                ends = np.abs(own[["against_low", "against_high"]].to_numpy().T - own["against_first"].to_numpy())
                name = f"{model} · {method}"
                cell.axes.errorbar(at, own["against_first"], yerr=ends, color=colours[name], marker="o", markersize=4, label=name)
            cell.axes.axhline(0, color=style.INK, linewidth=0.9)
            cell.axes.set_xticks(range(len(months)), [str(m) for m in months])
            cell.axes.set_title(FLUX_LONG[cell.column] if cell.top else "")
            if cell.left:
                cell.axes.set_ylabel(f"change of RMSE (%)\n{START_NAMES[cell.row]}", fontsize=8)
            if cell.bottom:
                cell.axes.set_xlabel("months of fluxes used")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=max(len(series), 1))
    return figure

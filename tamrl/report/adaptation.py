"""Value of a few months of fluxes of a tower: table and figure of adapted models against unadapted ones and rivals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tamrl import contracts, escaping, files, provenance, simulated
from tamrl.carbon import FLUXES
from tamrl.evaluation.bootstrap import TowerGroups, paired_change, quantile_change, resample_groups
from tamrl.evaluation.compare import CHANGE, TOWER_CHANGE
from tamrl.markdown import markdown_table
from tamrl.report import style
from tamrl.report.pages.html import draw_picture
from tamrl.report.pages.tables import interval_text
from tamrl.report.style import FLUX_LONG, format_number
from tamrl.sections.results import Adaptation, RunDescription
from tamrl.workflow import stage

NONE = "none"
"""Method of a model that was not adapted."""

START_NAMES = {"summer": "from the first summer month", "record": "from the first month of the record"}
KEYS = ["model", "method", "start", "months", "flux"]
FIRST_CHANGE = ("against_first", "against_low", "against_high")


@stage
def write_adaptation(
    *,
    scores: Sequence[str],
    splits: str,
    table: str,
    page: str,
    figure: str,
    adaptation: Adaptation,
    description: RunDescription,
    seed: int,
    members: int,
) -> None:
    """Write `adaptation.csv`, the same as Markdown, and a figure.

    Parameters
    ----------
    scores : `adaptation/{model}.csv` (`contracts.ADAPTATION`); the first is the model that the others are compared with
    members : members of each model per fold
    """
    parts = [contracts.read_csv(path, contracts.ADAPTATION) for path in scores]
    first = parts[0]["model"].iloc[0]
    rows = summarise_adaptation(pd.concat(parts, ignore_index=True), TowerGroups.read(splits), first=first)
    with files.atomic(table) as part:
        escaping.write_csv(simulated.label_table(rows, description.virtual), part)
    origin = _origin(adaptation, description, seed=seed, members=members)
    files.save_text(page, adaptation_page(rows, first=first, origin=origin))
    picture = draw_picture(plot_adaptation(rows), Path(figure).stem, caption="", alt="")
    with files.atomic(figure) as part:
        part.write_bytes(picture.png)


def summarise_adaptation(scores: pd.DataFrame, groups: TowerGroups, *, first: str) -> pd.DataFrame:
    """Compute medians over towers and their change in percent, with 95 % bootstrap intervals over groups of towers.

    `scores` is by `contracts.ADAPTATION`. The table has one row per model, method, start, number of months and flux: towers,
    rmse; changes of the median against the same model unadapted (`change`, `low`, `high`) and against the unadapted model
    `first` (`against_first`, `against_low`, `against_high`); changes of the geometric mean, which pairs the two at each tower
    (`tower_change`, ...); p90 of the RMSE and its change; `better`, the share of towers whose RMSE fell.
    """
    zero = scores[scores["model"] == first].groupby(["start", "months", "site", "flux"])["zero_rmse"].first().rename("first")
    joined = scores[(scores["method"] != NONE)].merge(zero.reset_index(), on=["start", "months", "site", "flux"], how="left")
    rows = []
    for key, part in joined.groupby(KEYS, sort=False):
        pairs, of_tower, both = part[["rmse", "zero_rmse"]].to_numpy(), groups.of(part["site"]), part.dropna(subset="first")
        change, tail = (resample_groups(pairs, of_tower, quantile_change(q)) for q in (0.5, 0.9))
        against_first = resample_groups(both[["rmse", "first"]].to_numpy(), groups.of(both["site"]), quantile_change(0.5))
        row = dict(zip(KEYS, key, strict=True))
        row |= {"towers": change.n, "groups": change.groups, "rmse": part["rmse"].median(), "p90": part["rmse"].quantile(0.9)}
        row |= change.columns(CHANGE) | {"p90_change": tail.estimate}
        row |= resample_groups(pairs, of_tower, paired_change).columns(TOWER_CHANGE) | against_first.columns(FIRST_CHANGE)
        rows.append(row | {"better": (part["rmse"] < part["zero_rmse"]).mean()})
    return pd.DataFrame(rows).sort_values(["start", "flux", "months", "model", "method"], ignore_index=True)


def _origin(options: Adaptation, description: RunDescription, *, seed: int, members: int) -> str:
    """Return the settings of the adaptation; enough to give the same command again."""
    return (
        f"Run `{description.run}`, configuration `{description.config_digest}`, revision `{provenance.revision()}`, seed {seed}; "
        f"members of each model per fold: {members}. Codes: {options.steps} steps of rate {options.code_rate:g}, "
        f"a month counts as {options.per_month:g} measurements; factors on GPP and RECO: standard deviation of the logarithm "
        f"{options.gain:g}, of its swing over the year {options.gain_season:g}. "
        f"Trees: {options.trees} more of rate {options.tree_rate:g}. "
        f"Weights: rate {options.weight_rate:g}, anchor {options.anchor:g}."
    )


def adaptation_page(rows: pd.DataFrame, *, first: str, origin: str) -> str:
    """Write the table as a Markdown page, which begins with its origin."""
    blocks = [
        "# What a few months of fluxes are worth",
        origin,
        "Median over held-out towers of the RMSE (gC m⁻² d⁻¹) on the steps outside the months that were used, and its change in "
        "percent (95 % interval over groups of neighbouring towers) from the same model before, at the same tower too (geometric "
        f"mean), and from `{first}` before.",
    ]
    head = ["flux", "months", "model", "adapted", "towers", "groups", "RMSE", "90th pct.", "change (%)", "at the same tower (%)"]
    head += [f"from `{first}` (%)", "better at"]
    for start, part in rows.groupby("start"):
        lines = []
        for r in (r for flux in FLUXES for r in part[part["flux"] == flux].to_dict("records")):
            values = [r["flux"].upper(), *(r[name] for name in ("months", "model", "method", "towers", "groups"))]
            values += [format_number(r["rmse"]), format_number(r["p90"])]
            values += [interval_text(*(r[name] for name in names)) for names in (CHANGE, TOWER_CHANGE, FIRST_CHANGE)]
            lines.append([*values, f"{100 * r['better']:.0f} %"])
        blocks += [f"## Months {START_NAMES[start]}", markdown_table(head, lines)]
    return "\n\n".join(blocks) + "\n"


@style.styled
def plot_adaptation(rows: pd.DataFrame) -> Figure:
    """Plot the change of the median RMSE from the first model unadapted, over the months used; one row of panels per start."""
    starts = sorted(rows["start"].unique(), reverse=True)
    fluxes = [flux for flux in FLUXES if flux in set(rows["flux"])]
    series = list(dict.fromkeys(zip(rows["model"], rows["method"], strict=True)))
    colours = style.series_colours([" · ".join(s) for s in series])
    months = sorted(rows["months"].unique())
    figure = style.new_figure(11, 3.0 * len(starts) + 0.4)
    for panel in style.panel_grid(figure, starts, fluxes, sharey=True):
        part = rows[(rows["start"] == panel.row) & (rows["flux"] == panel.column)]
        for k, (model, method) in enumerate(series):
            series_rows = part[(part["model"] == model) & (part["method"] == method)].sort_values("months")
            at = np.array([months.index(m) for m in series_rows["months"]]) + 0.08 * (k - (len(series) - 1) / 2)
            ends = np.abs(series_rows[["against_low", "against_high"]].to_numpy().T - series_rows["against_first"].to_numpy())
            name = f"{model} · {method}"
            panel.axes.errorbar(
                at, series_rows["against_first"], yerr=ends, color=colours[name], marker="o", markersize=4, label=name
            )
        panel.axes.axhline(0, color=style.INK, linewidth=0.9)
        panel.axes.set_xticks(range(len(months)), [str(m) for m in months])
        panel.axes.set_title(FLUX_LONG[panel.column] if panel.top else "")
        if panel.left:
            panel.axes.set_ylabel(f"change of RMSE (%)\n{START_NAMES[panel.row]}", fontsize=8)
        if panel.bottom:
            panel.axes.set_xlabel("months of fluxes used")
    columns = style.legend_columns(figure, colours, most=len(colours))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    return figure

"""Figures of uncertainty at held-out towers: example records with their intervals, coverage, and the PIT."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from scipy.special import ndtr

from tamrl.report import style
from tamrl.report.figures.reference import NOMINAL
from tamrl.report.style import FLUX_COLOURS, FLUX_LONG, FLUX_NAMES, FLUX_UNITS

YEARS_SHOWN = 2

GAP = {"day": 15, "month": 45}
"""Longest gap in days that a line is drawn across, by step."""


def choose_examples(metrics: pd.DataFrame, *, scale: str) -> dict[str, str]:
    """Choose the best, median and worst tower by a fixed rule, so that no example is picked by eye.

    Towers with at least half the median number of scored steps are ranked by their RMSE at `scale` divided by the median
    over towers, averaged over the fluxes (rows of one model and split).
    """
    rows = metrics[metrics["scale"] == scale]
    relative = rows["rmse"] / rows.groupby("flux")["rmse"].transform("median")
    table = rows.assign(relative=relative).groupby("site").agg(rank=("relative", "mean"), n=("n", "min"))
    table = table[table["n"] >= table["n"].median() / 2].sort_values("rank")
    places = {"best": 0, "median": len(table) // 2, "worst": len(table) - 1}
    return {name: str(table.index[at]) for name, at in places.items()} if len(table) else {}


@style.styled
def plot_example_records(
    predictions: pd.DataFrame, chosen: dict[str, str], towers: pd.DataFrame, *, qc: float, step: str
) -> Figure:
    """Plot observed and predicted records of the chosen towers with the 90 % interval; pale points are not scored.

    Parameters
    ----------
    predictions, towers : tables by `contracts.PREDICTIONS` and `SITES`
    chosen : site by the text of its row of panels
    qc : steps with a lower NEE quality are not scored
    step : {"day", "month"}
    """
    fluxes = style.present_fluxes(predictions)
    sites = towers.set_index("site")
    figure = style.new_figure(11, 2.15 * len(chosen) + 0.4)
    panels = style.panel_grid(figure, list(chosen), fluxes, sharex="row")
    for cell in panels:
        site = chosen[cell.row]
        rows = predictions[predictions["site"] == site]
        rows = rows[rows["date"].dt.year.isin(_fullest_years(rows, qc)) & (rows["flux"] == cell.column)]
        _plot_record(cell.axes, rows.sort_values("date"), FLUX_COLOURS[cell.column], qc=qc, step=step)
        cell.axes.set_title(FLUX_LONG[cell.column] if cell.top else "")
        if cell.left:
            kind = ", ".join(sites.loc[site, ["igbp", "koppen"]].dropna())
            cell.axes.set_ylabel(f"{cell.row}: {site}\n{kind}\n{FLUX_UNITS}", fontsize=8)
    figure.legend(*panels[0].axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _fullest_years(rows: pd.DataFrame, qc: float) -> list[int]:
    """Find the consecutive years with the most good observations."""
    good = rows.loc[(rows["qc"] >= qc) & rows["observed"].notna(), "date"].dt.year.value_counts().sort_index()
    years = {year: sum(good.get(year + k, 0) for k in range(YEARS_SHOWN)) for year in good.index}
    first = max(years, key=lambda year: years[year]) if years else int(rows["date"].dt.year.min())
    return [first + k for k in range(YEARS_SHOWN)]


def _plot_record(axes: Axes, rows: pd.DataFrame, colour: str, *, qc: float, step: str) -> None:
    full = break_gaps(rows.set_index("date"), step)
    axes.fill_between(full.index, full["q05"], full["q95"], color=colour, alpha=0.22, linewidth=0, label="90 % interval")
    good = (rows["qc"] >= qc).to_numpy(bool)
    size = 5 if step == "day" else 14
    axes.scatter(rows["date"][good], rows["observed"][good], s=size, linewidths=0, color=style.INK, alpha=0.55, label="observed")
    axes.scatter(
        rows["date"][~good],
        rows["observed"][~good],
        s=size,
        linewidths=0,
        color="#b8c2c8",
        label="observed, not scored",
        zorder=1,
    )
    axes.plot(full.index, full["predicted"], color=colour, linewidth=1.2, label="predicted")
    axes.axhline(0, color=style.SOFT, linewidth=0.6)
    locator = MonthLocator(bymonth=(1, 7))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]


def break_gaps(rows: pd.DataFrame, step: str) -> pd.DataFrame:
    """Break the lines where the record has a gap longer than `GAP` (rows indexed by date)."""
    after = rows.index[:-1][np.diff(rows.index) > np.timedelta64(GAP[step], "D")]
    empty = pd.DataFrame(np.nan, index=after + pd.Timedelta(days=1), columns=["predicted", "q05", "q95"])
    return pd.concat([rows[["predicted", "q05", "q95"]], empty]).sort_index()


@style.styled
def plot_calibration(scored: pd.DataFrame) -> Figure:
    """Plot the coverage of each tower's 90 % interval (left), PIT histogram (middle) and error against spread (right).

    `scored` holds the maps' model with one kind of inputs. The PIT takes a normal distribution with the predicted mean and
    standard deviation; a flat one is right, a hump means too wide, a bowl too narrow. Towers weigh the same in all three.
    """
    figure = style.new_figure(11, 3.5)
    left, middle, right = figure.subplots(1, 3)
    names: list[str] = []
    for flux in style.present_fluxes(scored):
        rows = scored[scored["flux"] == flux].dropna(subset=["q05", "q95", "std"])
        weight = 1 / rows.groupby("site")["site"].transform("size").to_numpy()
        mean = _plot_tower_coverage(left, len(names), rows, FLUX_COLOURS[flux])
        names.append(f"{FLUX_NAMES[flux]}\n{mean:.1f} %")
        _plot_pit(middle, rows, weight, FLUX_COLOURS[flux], FLUX_NAMES[flux])
        _plot_spread_error(right, rows, weight, FLUX_COLOURS[flux], FLUX_NAMES[flux])
    left.axhline(100 * NOMINAL, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
    left.set_xticks(range(len(names)), names)
    left.set(ylim=(max(0, left.get_ylim()[0]), 102), xlim=(-0.6, len(names) - 0.4), title="Coverage of the 90 % interval")
    left.set_ylabel("% of a tower's steps inside")
    left.grid(axis="x", visible=False)
    middle.axhline(1, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
    middle.set(xlim=(0, 1), ylim=(0, None), xlabel="probability integral transform", title="PIT (flat is right)")
    middle.set_ylabel("density")
    middle.legend(loc="lower center", ncols=3)
    top = max(right.get_xlim()[1], right.get_ylim()[1])
    right.plot([0, top], [0, top], color=style.SOFT, linewidth=0.9, zorder=1)
    right.set(xlim=(0, top), ylim=(0, top), box_aspect=1, title="Error against spread")
    right.set(xlabel=f"predicted standard deviation ({FLUX_UNITS})", ylabel=f"error found, RMS ({FLUX_UNITS})")
    right.legend(loc="upper left")
    return figure


def _plot_pit(axes: Axes, rows: pd.DataFrame, weight: np.ndarray, colour: str, name: str) -> None:
    pit = ndtr(((rows["observed"] - rows["predicted"]) / rows["std"]).to_numpy())
    share = np.histogram(pit, bins=20, range=(0, 1), weights=weight)[0] / weight.sum() * 20
    axes.stairs(share, np.linspace(0, 1, 21), color=colour, linewidth=1.5, label=name, baseline=None)


def _plot_tower_coverage(axes: Axes, at: int, rows: pd.DataFrame, colour: str) -> float:
    """Plot the coverage of each tower with the mean of all, which is returned, in percent."""
    inside = 100 * rows["observed"].between(rows["q05"], rows["q95"]).groupby(rows["site"]).mean().to_numpy()
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, inside.size)
    axes.scatter(at + jitter, inside, s=10, color=colour, alpha=0.5, linewidths=0)
    axes.plot([at - 0.34, at + 0.34], [inside.mean()] * 2, color=colour, linewidth=2.6)
    return float(inside.mean())


def _plot_spread_error(axes: Axes, rows: pd.DataFrame, weight: np.ndarray, colour: str, name: str) -> None:
    edges = np.unique(np.quantile(rows["std"], np.linspace(0, 1, 11)))
    classes = np.clip(np.searchsorted(edges, rows["std"]) - 1, 0, max(len(edges) - 2, 0))
    total = np.bincount(classes, weight)
    spread = np.sqrt(np.bincount(classes, weight * rows["std"] ** 2) / total)
    error = np.sqrt(np.bincount(classes, weight * (rows["observed"] - rows["predicted"]) ** 2) / total)
    axes.plot(spread, error, color=colour, marker="o", markersize=3.5, linewidth=1, label=name)

"""`summary.md`: the numbers of a run on one page that reads in a terminal, in a browser and in a pull request."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import contracts, escaping, files, simulated
from tamrl.carbon import FLUXES
from tamrl.grid import Grid
from tamrl.report.figures import budgets
from tamrl.report.pages import tables
from tamrl.run_record import Provenance
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

TOTALS = "PgC yr⁻¹"

LONGEST = 8
"""Rules whose time and memory are told."""


@stage
def write_summary(
    *,
    metrics: str,
    calibration: str,
    comparisons: str,
    reliability: str,
    provenance: str,
    summary: str,
    title: str,
    run: str,
    step: str,
    budgets: str | None = None,
    choices: Sequence[str] = (),
    applicability: str | None = None,
) -> None:
    """Write totals, scores and costs of a run as Markdown.

    Parameters
    ----------
    metrics, calibration, comparisons, reliability, provenance : paths
        As in `docs/architecture.md`.
    budgets, choices, applicability : paths
        `budgets.csv` of the run and of its choices, and the mask; a run without grids has none.
    title, run : str
    step : {"day", "month"}
    """
    found, record = Calibration.read(calibration), Provenance.read(provenance)
    virtual = simulated.is_virtual(record.config)
    scores, changes, kept = _read(metrics, comparisons, reliability)
    if not budgets:
        scores, changes, kept = (tables.measured(table) for table in (scores, changes, kept))
        found = found.measured()
    parts = [
        f"# {escaping.escape_markdown(simulated.title(title, virtual))}",
        *([f"**{simulated.COMMENT}**"] if virtual else []),
        _origin(run, record),
        *(f"**Mind:** {text}. See `made` in `provenance.json`." for text in record.mixed),
        *(_globe(budgets, choices) if budgets else []),
        "## Held-out towers",
        f"Medians over towers, by {step}; inputs `grid` are what the map has, inputs `tower` were measured beside the fluxes.",
        _markdown(_scores(scores, step)),
        "R² of site means (does a model know which of two unseen towers has the larger mean flux?), with 95 % intervals:",
        _markdown(_site_means(found)),
        "".join(f"* {flux.upper()}: {found.skill[flux]}.\n" for flux in FLUXES).rstrip(),
        *_against(changes, step),
        "## Intervals",
        _coverage(found),
        *_intervals(kept, found.model),
        *([_inside(applicability)] if applicability else []),
        "## Cost",
        _cost(record),
        _markdown(_longest(record)),
    ]
    with files.atomic(summary) as part:
        part.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _read(metrics: str, comparisons: str, reliability: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    known = {metrics: contracts.METRICS, comparisons: contracts.COMPARISONS, reliability: contracts.RELIABILITY}
    return tuple(contracts.read_csv(path, schema) for path, schema in known.items())


def _origin(run: str, record: Provenance) -> str:
    """When the run ended, with what; enough to give the same command again."""
    training = record.config["training"]
    members, models = record.config["evaluation"]["members"] or training["members"], ", ".join(training["models"])
    return (
        f"Run `{run}` of {record.recorded[:10]}, configuration `{record.config_digest}`, "
        f"revision `{record.git_revision}`, seed {record.seed}; {members} members of each model per fold: {models}."
    )


def _globe(budget: str, choices: Sequence[str]) -> list[str]:
    own = {"this run": contracts.read_csv(budget, contracts.BUDGETS)}
    others = {path.split("/")[-2]: contracts.read_csv(path, contracts.BUDGETS) for path in choices}
    return ["## Global totals", _markdown(_totals(own | others)), _published()]


def _totals(runs: dict[str, pd.DataFrame]) -> list[list[str]]:
    """Mean ± standard deviation over members, one line a choice, and the range over the choices."""
    rows = {name: budgets.years_mean(table).query("region == 'globe'").set_index("flux") for name, table in runs.items()}
    lines = [["choice", *(f"{flux.upper()} ({TOTALS})" for flux in FLUXES)]]
    lines += [[name, *(f"{r.loc[f, 'mean']:.1f} ± {r.loc[f, 'std']:.1f}" for f in FLUXES)] for name, r in rows.items()]
    if len(rows) > 1:
        ends = {f: [r.loc[f, "mean"] for r in rows.values()] for f in FLUXES}
        lines.append(["range over choices", *(f"{min(ends[f]):.1f} to {max(ends[f]):.1f}" for f in FLUXES)])
    return lines


def _published() -> str:
    named = budgets.PUBLISHED.items()
    lines = [f"* {flux.upper()}, published: {p.low:.1f} to {p.high:.1f} {TOTALS}, {p.source}" for flux, p in named]
    return "\n".join(["± is the standard deviation over the members.", "", *lines])


def _scores(metrics: pd.DataFrame, step: str) -> list[list[str]]:
    lines = [["flux", "inputs", "model", "towers", "RMSE (gC m⁻² d⁻¹)", "90th percentile", "bias", "R²", "NSE"]]
    own = metrics[metrics["scale"] == step]
    for flux in FLUXES:
        for (split, model), group in own[own["flux"] == flux].groupby(["split", "model"]):
            median = group[["rmse", "bias", "r2", "nse"]].median()
            tail = f"{group['rmse'].quantile(0.9):.2f}"
            values = [f"{median['rmse']:.2f}", tail, *(f"{median[name]:.2f}" for name in ("bias", "r2", "nse"))]
            lines.append([flux.upper(), tables.inputs_of(split), model, str(len(group)), *values])
    return lines


def _site_means(calibration: Calibration) -> list[list[str]]:
    lines = [["flux", "inputs", "model", "towers", "R² of site means"]]
    order = sorted(calibration.site_means, key=lambda r: (FLUXES.index(r.flux), r.split, r.model))
    for row in order:
        value = f"{row.r2:.2f} [{row.low:.2f}, {row.high:.2f}]"
        lines.append([row.flux.upper(), tables.inputs_of(row.split), row.model, str(row.n), value])
    return lines


def _against(comparisons: pd.DataFrame, step: str) -> list[str]:
    """What the maps' model gains on its rivals, and which targets are met."""
    own = comparisons[comparisons["scale"] == step]
    if own.empty:
        return []
    columns = ["median of RMSE (%)", "at the same tower (%)", "90th percentile (%)", "target (%)", "met"]
    lines = [["flux", "inputs", "against", "towers", *columns]]
    for flux in FLUXES:
        for row in own[own["flux"] == flux].itertuples(index=False):
            lines.append([flux.upper(), tables.inputs_of(row.split), row.rival, str(row.towers), *tables.change_texts(row)])
    named = (
        f"Change of the RMSE by {step} from each rival to `{own['model'].iloc[0]}` over the same towers, with 95 % intervals "
        "over towers: of the median, which targets concern; at the same tower (geometric mean); of the 90th percentile:"
    )
    return [named, _markdown(lines)]


def _intervals(reliability: pd.DataFrame, model: str) -> list[str]:
    """Coverage and proper scores of all models over all towers, and where the limits of the maps' model are broken."""
    lines = [["flux", "inputs", "model", "intervals from", "inside (%)", "width", "CRPS", "interval score"]]
    for flux in FLUXES:
        for r in reliability[(reliability["flux"] == flux) & (reliability["kind"] == "all")].itertuples(index=False):
            head = [flux.upper(), tables.inputs_of(r.split), r.model, r.intervals, f"{100 * r.coverage:.1f}"]
            lines.append([*head, f"{r.width:.2f}", f"{r.crps:.3f}", f"{r.interval_score:.2f}"])
    own = reliability[reliability["model"] == model]
    broken = own[(own["met"] == "no") & (own["intervals"] == own["intervals"].min())]  # `members` where there are some
    where = [
        f"{r.flux.upper()} {r.group} {100 * r.coverage:.0f} % (inputs {tables.inputs_of(r.split)}, {r.towers} towers)"
        for r in broken.itertuples(index=False)
    ]
    limits = "Limits of coverage (87 to 93 % of a flux, 80 to 97 % of a class of five towers or more)"
    return [_markdown(lines), f"{limits} broken by `{model}`: {'; '.join(where) or 'none'}."]


def _coverage(calibration: Calibration) -> str:
    shares = ", ".join(f"{flux.upper()} {100 * calibration.coverage[flux]:.0f} %" for flux in FLUXES)
    return f"Share of held-out observations inside the 90 % interval, towers weighing the same: {shares}."


def _inside(applicability: str) -> str:
    with xr.open_dataset(files.verified(applicability)) as ds:
        inside, lat, grid = ds["applicability"].values, ds["lat"].values, Grid.from_dataset(ds)
    area = np.where(np.isfinite(inside), grid.area(), 0.0)  # (lat, lon), m2
    belts = {"of the mapped land": np.abs(lat) <= 90, "of it between 23.5° S and 23.5° N": np.abs(lat) < 23.5}
    shares = [f"{100 * np.nansum((inside * area)[rows]) / area[rows].sum():.0f} % {name}" for name, rows in belts.items()]
    return f"Inside the area of applicability: {', '.join(shares)}."


def _cost(record: Provenance) -> str:
    jobs = record.rules.values()
    seconds = sum(job.seconds for job in jobs)
    memory = max(job.memory_mib or 0 for job in jobs)
    return (
        f"{len(jobs)} jobs, {seconds / 60:.1f} minutes of jobs in all, at most {memory / 1024:.1f} GiB in one job, "
        f"on {record.hardware.cores} cores ({record.hardware.processor})."
    )


def _longest(record: Provenance) -> list[list[str]]:
    """The rules that took most of the time, with all their jobs."""
    parts = [name.split("/") for name in record.rules]  # those of a choice begin with choices/NAME
    rows = pd.DataFrame([job.model_dump() for job in record.rules.values()]).astype(float)
    rows["rule"] = [names[2 if names[0] == "choices" else 0] for names in parts]
    table = rows.groupby("rule").agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), memory=("memory_mib", "max"))
    lines = [["rule", "jobs", "minutes in all", "GiB in one job"]]
    for row in table.sort_values("seconds", ascending=False).head(LONGEST).itertuples():
        memory = f"{row.memory / 1024:.1f}" if np.isfinite(row.memory) else "–"
        lines.append([f"`{row.Index}`", str(row.jobs), f"{row.seconds / 60:.1f}", memory])
    return lines


def _markdown(lines: list[list[str]]) -> str:
    head, *rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rows])

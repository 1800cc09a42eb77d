"""`summary.md`: the numbers of a run on one page that reads in a terminal, in a browser and in a pull request."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tamrl import contracts, escaping, files, simulated
from tamrl.calendar import Step
from tamrl.carbon import FLUXES
from tamrl.evaluation.compare import NO
from tamrl.evaluation.metrics import TROPICS
from tamrl.layout import File, RunFiles
from tamrl.report.figures.budgets import PUBLISHED, mean_budgets
from tamrl.report.pages.markdown import markdown_table
from tamrl.report.pages.tables import change_texts, inputs_of
from tamrl.report.results import Applicability, TowerScores, read_choices
from tamrl.report.sums import GLOBE
from tamrl.run_record import Provenance
from tamrl.sections.results import RunDescription
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

TOTALS = "PgC yr⁻¹"

LONGEST = 8
"""Number of rules whose time and memory are listed."""


@stage
def write_summary(*, files: Sequence[str], folder: str, description: RunDescription, provenance: str, summary: str) -> None:
    """Write totals, scores and costs of a run as Markdown.

    Parameters
    ----------
    files : paths
        Those of the run that the summary may read; a run without grids has no budgets and no mask.
    folder : folder of the run
    provenance : `provenance.json`
    summary : output
    """
    run, record = RunFiles.of(folder, files), Provenance.read(provenance)
    gridded, step, virtual = run.find(File.BUDGETS) is not None, description.step, record.virtual
    scores = TowerScores.read(run, gridded=gridded)
    parts = [
        f"# {escaping.escape_markdown(simulated.title(description.title, virtual))}",
        *([f"**{simulated.COMMENT}**"] if virtual else []),
        _origin(description.run, record),
        *(f"**Mind:** {text}. See `made` in `provenance.json`." for text in record.mixed),
        *(_totals(run, description) if gridded else []),
        "## Held-out towers",
        f"Medians over towers, by {step}; inputs `grid` are what the map has, inputs `tower` were measured beside the fluxes.",
        _score_table(scores.metrics, step),
        "R² of site means (does a model know which of two unseen towers has the larger mean flux?), with 95 % intervals:",
        _site_mean_table(scores.calibration),
        "".join(f"* {flux.upper()}: {scores.calibration.skill[flux]}.\n" for flux in FLUXES).rstrip(),
        *_comparisons(scores.comparisons, step),
        "## Intervals",
        _coverage(scores.calibration),
        *_intervals(scores.reliability, description.map_model),
        *([_applicable_area(run)] if gridded else []),
        "## Cost",
        _cost(record),
        _longest_rules(record),
    ]
    _write_text("\n\n".join(parts) + "\n", summary)


def _write_text(text: str, path: str) -> None:
    with files.atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def _origin(run: str, record: Provenance) -> str:
    """Return the end of the run and its settings; enough to give the same command again."""
    training = record.config["training"]
    members, models = record.config["evaluation"]["members"] or training["members"], ", ".join(training["models"])
    return (
        f"Run `{run}` of {record.recorded[:10]}, configuration `{record.config_digest}`, "
        f"revision `{record.git_revision}`, seed {record.seed}; {members} members of each model per fold: {models}."
    )


def _totals(run: RunFiles, description: RunDescription) -> list[str]:
    """Global totals: mean ± standard deviation over members, one line per choice, the range over choices, published ranges."""
    tables = {"this run": contracts.read_csv(run(File.BUDGETS), contracts.BUDGETS)} | read_choices(run, description)
    totals = {name: mean_budgets(table).set_index("region").loc[[GLOBE]].set_index("flux") for name, table in tables.items()}
    rows = [[name, *(f"{t.loc[f, 'mean']:.1f} ± {t.loc[f, 'std']:.1f}" for f in FLUXES)] for name, t in totals.items()]
    if len(totals) > 1:
        means = {f: [t.loc[f, "mean"] for t in totals.values()] for f in FLUXES}
        rows.append(["range over choices", *(f"{min(means[f]):.1f} to {max(means[f]):.1f}" for f in FLUXES)])
    published = [
        f"* {flux.upper()}, published: {p.low:.1f} to {p.high:.1f} {TOTALS}, {p.source}" for flux, p in PUBLISHED.items()
    ]
    note = "\n".join(["± is the standard deviation over the members.", "", *published])
    return ["## Global totals", markdown_table(["choice", *(f"{flux.upper()} ({TOTALS})" for flux in FLUXES)], rows), note]


def _score_table(metrics: pd.DataFrame, step: Step) -> str:
    rows = []
    scaled = metrics[metrics["scale"] == step]
    for flux in FLUXES:
        for (split, model), group in scaled[scaled["flux"] == flux].groupby(["split", "model"]):
            median = group[["rmse", "bias", "r2", "nse"]].median()
            values = (median["rmse"], group["rmse"].quantile(0.9), median["bias"], median["r2"], median["nse"])
            rows.append([flux.upper(), inputs_of(split), model, len(group), *(f"{value:.2f}" for value in values)])
    head = ["flux", "inputs", "model", "towers", "RMSE (gC m⁻² d⁻¹)", "90th percentile", "bias", "R²", "NSE"]
    return markdown_table(head, rows)


def _site_mean_table(calibration: Calibration) -> str:
    order = sorted(calibration.site_means, key=lambda r: (FLUXES.index(r.flux), r.split, r.model))
    rows = [
        [
            r.flux.upper(),
            inputs_of(r.split),
            r.model,
            r.n,
            "{:.2f} [{:.2f}, {:.2f}]".format(*(np.nan if v is None else v for v in (r.r2, r.low, r.high))),
        ]
        for r in order
    ]
    return markdown_table(["flux", "inputs", "model", "towers", "R² of site means"], rows)


def _comparisons(comparisons: pd.DataFrame, step: Step) -> list[str]:
    """Gains of the maps' model on its rivals, and the targets that are met."""
    scaled = comparisons[comparisons["scale"] == step]
    if scaled.empty:
        return []
    rows = []
    for flux in FLUXES:
        for r in scaled[scaled["flux"] == flux].itertuples(index=False):
            rows.append([flux.upper(), inputs_of(r.split), r.rival, r.towers, *change_texts(r)])
    text = (
        f"Change of the RMSE by {step} from each rival to `{scaled['model'].iloc[0]}` over the same towers, with 95 % intervals "
        "over towers: of the median, which targets concern; at the same tower (geometric mean); of the 90th percentile:"
    )
    columns = ["median of RMSE (%)", "at the same tower (%)", "90th percentile (%)", "target (%)", "met"]
    return [text, markdown_table(["flux", "inputs", "against", "towers", *columns], rows)]


def _intervals(reliability: pd.DataFrame, model: str) -> list[str]:
    """Coverage and proper scores of all models over all towers, and where the maps' model exceeds the limits."""
    rows = []
    for flux in FLUXES:
        for r in reliability[(reliability["flux"] == flux) & (reliability["kind"] == "all")].itertuples(index=False):
            head = [flux.upper(), inputs_of(r.split), r.model, r.intervals, f"{100 * r.coverage:.1f}"]
            rows.append([*head, f"{r.width:.2f}", f"{r.crps:.3f}", f"{r.interval_score:.2f}"])
    ours = reliability[reliability["model"] == model]
    broken = ours[(ours["met"] == NO) & (ours["intervals"] == ours["intervals"].min())]  # `members` where there are any
    where = [
        f"{r.flux.upper()} {r.group} {100 * r.coverage:.0f} % (inputs {inputs_of(r.split)}, {r.towers} towers)"
        for r in broken.itertuples(index=False)
    ]
    limits = "Limits of coverage (87 to 93 % of a flux, 80 to 97 % of a class of five towers or more)"
    head = ["flux", "inputs", "model", "intervals from", "inside (%)", "width", "CRPS", "interval score"]
    return [markdown_table(head, rows), f"{limits} broken by `{model}`: {'; '.join(where) or 'none'}."]


def _coverage(calibration: Calibration) -> str:
    shares = ", ".join(f"{flux.upper()} {100 * calibration.coverage[flux]:.0f} %" for flux in FLUXES)
    return f"Share of held-out observations inside the 90 % interval, towers weighing the same: {shares}."


def _applicable_area(run: RunFiles) -> str:
    area = Applicability.read(run(File.APPLICABILITY))
    land, lat = np.where(np.isfinite(area.inside), area.grid.area(), 0.0), area.grid.lat  # (lat, lon), m2
    belts = {"of the mapped land": np.abs(lat) <= 90, "of it between 23.5° S and 23.5° N": np.abs(lat) < TROPICS}
    shares = [f"{100 * np.nansum((area.inside * land)[rows]) / land[rows].sum():.0f} % {name}" for name, rows in belts.items()]
    return f"Inside the area of applicability: {', '.join(shares)}."


def _cost(record: Provenance) -> str:
    jobs, hardware = record.rules.values(), record.hardware
    seconds, memory = sum(job.seconds for job in jobs), max(job.memory_mib or 0 for job in jobs)
    return (
        f"{len(jobs)} jobs, {seconds / 60:.1f} minutes of jobs in all, at most {memory / 1024:.1f} GiB in one job, "
        f"on {hardware.cores} cores ({hardware.processor})."
    )


def _longest_rules(record: Provenance) -> str:
    """The rules that took most of the time, with all their jobs."""
    names = [name.split("/") for name in record.rules]  # those of a choice begin with choices/NAME
    jobs = pd.DataFrame([job.model_dump() for job in record.rules.values()]).astype(float)
    jobs["rule"] = [parts[2 if parts[0] == "choices" else 0] for parts in names]
    table = jobs.groupby("rule").agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), memory=("memory_mib", "max"))
    rows = []
    for r in table.sort_values("seconds", ascending=False).head(LONGEST).itertuples():
        memory = f"{r.memory / 1024:.1f}" if np.isfinite(r.memory) else "–"
        rows.append([f"`{r.Index}`", r.jobs, f"{r.seconds / 60:.1f}", memory])
    return markdown_table(["rule", "jobs", "minutes in all", "GiB in one job"], rows)

"""`summary.md`: the numbers of a run on one page that reads in a terminal, in a browser and in a pull request."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tamrl import classes, contracts, escaping, simulated
from tamrl.calendar import TROPICS, Step
from tamrl.carbon import FLUXES
from tamrl.evaluation.compare import NO
from tamrl.files import save_text
from tamrl.layout import File, RunFiles
from tamrl.markdown import markdown_table
from tamrl.report.figures.budgets import PUBLISHED, mean_budgets
from tamrl.report.figures.errors import ERROR_COLUMNS, error_texts
from tamrl.report.independent import COLUMNS, LABELS, IndependentTowers
from tamrl.report.pages.protocol import driver_origins, published_blocks, tuning_blocks
from tamrl.report.pages.tables import SCORE_COLUMNS, WAY_COLUMNS, change_texts, inputs_of, score_texts, way_texts
from tamrl.report.pages.texts import CEILING_NAMES, INDEPENDENT, SCORE_NAMES
from tamrl.report.results import Applicability, TowerScores, read_choices
from tamrl.run_record import Provenance
from tamrl.sections.results import RunDescription
from tamrl.uncertainty.calibration import Calibration
from tamrl.workflow import stage

TOTALS = "PgC yr⁻¹"

ERROR_PARTS = {
    "member_std": "between the members",
    "class_std": "common to the places of a class",
    "place_std": "of single places",
    "passing_std": "that pass within months",
}
"""Columns of `contracts.BUDGETS` for the parts of the error of a total."""

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
        *tuning_blocks(record),
        f"Medians over towers, by {step}; inputs `grid` are what the map has, {driver_origins(record)}.",
        _score_table(scores, step),
        f"{SCORE_NAMES} {CEILING_NAMES}",
        "NSE of site means (does a model know which of two unseen towers has the larger mean flux?), with 95 % intervals:",
        _site_mean_table(scores.calibration),
        "".join(f"* {flux.upper()}: {scores.calibration.skill[flux]}.\n" for flux in FLUXES).rstrip(),
        *_sum_skill(run),
        *_independent(run),
        *_comparisons(scores.comparisons, step),
        *_shares(scores.shares, step),
        *([] if gridded or virtual or step != "day" else published_blocks(_of_step(scores.metrics, step), description.map_model)),
        "## Intervals",
        _coverage(scores.calibration),
        *_intervals(scores.reliability, description.map_model),
        *_error_structure(scores.calibration),
        *([_applicable_area(run)] if gridded else []),
        *(_truth_coverage(contracts.read_csv(path, contracts.TRUTH_COVERAGE)) if (path := run.find(File.TRUTH_COVERAGE)) else []),
        "## Cost",
        _cost(record),
        _longest_rules(record),
    ]
    save_text(summary, "\n\n".join(parts) + "\n")


def _origin(run: str, record: Provenance) -> str:
    """Return the end of the run and its settings; enough to give the same command again."""
    training = record.config["training"]
    members, models = record.config["evaluation"]["members"] or training["members"], ", ".join(training["models"])
    return (
        f"Run `{run}` of {record.recorded[:10]}, configuration `{record.config_digest}`, "
        f"revision `{record.git_revision}`, seed {record.seed}; {members} members of each model per fold: {models}."
    )


def _totals(run: RunFiles, description: RunDescription) -> list[str]:
    """Totals of all mapped land with their 90 % intervals, one line per choice, the parts of the errors, and published ranges."""
    tables = {"this run": contracts.read_csv(run(File.BUDGETS), contracts.BUDGETS)} | read_choices(run, description)
    region = description.region
    every = classes.REGION if region else classes.GLOBE
    totals = {name: mean_budgets(table).set_index("region").loc[[every]].set_index("flux") for name, table in tables.items()}
    shown = "{:.3g}".format if region else "{:.1f}".format
    rows = [[name, *(_with_interval(table.loc[flux], shown) for flux in FLUXES)] for name, table in totals.items()]
    if len(totals) > 1:
        means = {f: [t.loc[f, "mean"] for t in totals.values()] for f in FLUXES}
        rows.append(["range over choices", *(f"{shown(min(means[f]))} to {shown(max(means[f]))}" for f in FLUXES)])
    published = [
        f"* {flux.upper()}, published: {p.low:.1f} to {p.high:.1f} {TOTALS}, {p.source}" for flux, p in PUBLISHED.items()
    ]
    parts = [[words, *(shown(totals["this run"].loc[f, name]) for f in FLUXES)] for name, words in ERROR_PARTS.items()]
    columns = [f"{flux.upper()} ({TOTALS})" for flux in FLUXES]
    return [
        f"## Totals of the mapped region: {escaping.escape_markdown(description.region)}"
        if description.region
        else "## Global totals",
        markdown_table(["choice", *columns], rows),
        "In brackets the 90 % interval of the total. Standard deviations of its parts, whose squares add up:",
        markdown_table(["part of the error", *columns], parts),
        *([] if region else ["\n".join(published)]),
    ]


def _truth_coverage(table: pd.DataFrame) -> list[str]:
    """Coverage of the known truth by scale; `table` by `contracts.TRUTH_COVERAGE`."""
    share = (100 * table.set_index(["scale", "intervals", "flux"])["coverage"]).map("{:.0f}".format).unstack("flux")
    keys = table[["scale", "intervals"]].drop_duplicates().itertuples(index=False, name=None)
    rows = [[*key, *share.loc[key, list(FLUXES)]] for key in keys]
    columns = ["interval of", "from", *(f"{flux.upper()} (%)" for flux in FLUXES)]
    text = "Share of the true fluxes of cells (weighted by land area), regions and changes inside their 90 % intervals:"
    return ["## Coverage of the truth", text, markdown_table(columns, rows)]


def _with_interval(total: pd.Series, shown: Callable[[float], str]) -> str:
    """A total and its interval, PgC yr-1."""
    return f"{shown(total['mean'])} ({shown(total['q05'])} to {shown(total['q95'])})"


def _score_table(scores: TowerScores, step: Step) -> str:
    """Scores of the models, then, as ceilings, of what the towers' own fluxes tell."""
    rows = []
    tables = (scores.metrics, scores.ceilings.assign(model="ceiling: " + scores.ceilings["model"]))
    scaled = pd.concat([table[table["scale"] == step] for table in tables], ignore_index=True)
    for flux in FLUXES:
        for (split, model), group in scaled[scaled["flux"] == flux].groupby(["split", "model"], sort=False):
            rows.append([flux.upper(), inputs_of(split), model, *score_texts(group, scores.groups)])
    return markdown_table(["flux", "inputs", "model", *SCORE_COLUMNS], rows)


def _site_mean_table(calibration: Calibration) -> str:
    order = sorted(calibration.site_means, key=lambda r: (FLUXES.index(r.flux), r.split, r.model))
    rows = [
        [
            r.flux.upper(),
            inputs_of(r.split),
            r.model,
            r.n,
            "–" if r.groups is None else r.groups,
            "{:.2f} [{:.2f}, {:.2f}]".format(*(np.nan if v is None else v for v in (r.r2, r.low, r.high))),
        ]
        for r in order
    ]
    return markdown_table(["flux", "inputs", "model", "towers", "groups", "NSE of site means"], rows)


def _sum_skill(run: RunFiles) -> list[str]:
    """Skill at held-out places of sums, where the run has such."""
    if (path := run.find(File.SUM_SCORES)) is None:
        return []
    scores = contracts.read_csv(path, contracts.SUM_SCORES)
    rows = [
        [flux.upper(), r.model, r.places, r.groups, f"{r.nse:.2f} [{r.low:.2f}, {r.high:.2f}]", f"{r.rmse:.2f}", f"{r.bias:.2f}"]
        for flux in FLUXES
        for r in scores[scores["flux"] == flux].itertuples(index=False)
    ]
    text = (
        "Site means of sums: the same at held-out places of which only means over periods are known (`towers.sums`), with inputs "
        "of the grid and intervals over groups of neighbours; RMSE and bias in gC m⁻² d⁻¹:"
    )
    return [text, markdown_table(["flux", "model", "places", "groups", "NSE of site means", "RMSE", "bias"], rows)]


def _independent(run: RunFiles) -> list[str]:
    """Yearly sums of towers that no model saw, where the run names a table of them."""
    towers = IndependentTowers.read(run)
    if towers is None:
        return []
    table = markdown_table([*LABELS, *COLUMNS], towers.rows(("all", "zone", "distance")))
    units = "Sums, biases, RMSE and widths in gC m⁻² yr⁻¹; km is the median distance to the nearest tower that trained."
    return ["## Independent towers", f"{INDEPENDENT} {towers.origin} {units}", table]


def _comparisons(comparisons: pd.DataFrame, step: Step) -> list[str]:
    """Gains of the maps' model on its rivals, and the targets that are met."""
    scaled = comparisons[comparisons["scale"] == step]
    if scaled.empty:
        return []
    rows = []
    for flux in FLUXES:
        for r in scaled[scaled["flux"] == flux].itertuples(index=False):
            rows.append([flux.upper(), inputs_of(r.split), r.rival, r.towers, r.groups, *change_texts(r)])
    text = (
        f"Change of the RMSE by {step} from each rival to `{scaled['model'].iloc[0]}` over the same towers, with 95 % intervals "
        "over groups of neighbouring towers: of the median, which targets concern; at the same tower (geometric mean); of the "
        "90th percentile:"
    )
    columns = ["median of RMSE (%)", "at the same tower (%)", "90th percentile (%)", "target (%)", "met"]
    return [text, markdown_table(["flux", "inputs", "against", "towers", "groups", *columns], rows)]


def _of_step(metrics: pd.DataFrame, step: Step) -> pd.DataFrame:
    return metrics[metrics["scale"] == step]


def _shares(shares: pd.DataFrame, step: Step) -> list[str]:
    """How far the maps' model comes on the way from its rivals to the ceilings."""
    if shares.empty:
        return []
    text = (
        f"Share of the way by {step} from a rival's error to a ceiling's, (rival − model) / (rival − ceiling), errors being "
        f"geometric means over the same towers at the same steps; `{shares['model'].iloc[0]}` against the best rival of each "
        "flux and against those that targets name, with 95 % intervals over groups of neighbouring towers:"
    )
    return [text, markdown_table(WAY_COLUMNS, way_texts(shares))]


def _intervals(reliability: pd.DataFrame, model: str) -> list[str]:
    """Coverage and proper scores of all models over all towers and scales, and where the maps' model exceeds the limits."""
    rows = []
    for flux in FLUXES:
        for r in reliability[(reliability["flux"] == flux) & (reliability["kind"] == "all")].itertuples(index=False):
            head = [flux.upper(), inputs_of(r.split), r.model, r.scale, r.intervals, f"{100 * r.coverage:.1f}"]
            rows.append([*head, f"{r.width:.2f}", f"{r.crps:.3f}", f"{r.interval_score:.2f}"])
    ours = reliability[reliability["model"] == model]
    broken = ours[(ours["met"] == NO) & (ours["intervals"] == ours["intervals"].min())]  # `members` where there are any
    where = [
        f"{r.flux.upper()} {r.scale} {r.group} {100 * r.coverage:.0f} % (inputs {inputs_of(r.split)}, {r.towers} towers)"
        for r in broken.itertuples(index=False)
    ]
    limits = "Limits of coverage (87 to 93 % of a flux, 80 to 97 % of a class of five towers or more)"
    head = ["flux", "inputs", "model", "mean of a", "intervals from", "inside (%)", "width", "CRPS", "interval score"]
    return [markdown_table(head, rows), f"{limits} broken by `{model}`: {'; '.join(where) or 'none'}."]


def _error_structure(calibration: Calibration) -> list[str]:
    """How the errors of monthly means belong together, from which those of sums follow (`calibration.json`, `errors`)."""
    if calibration.errors is None:
        return []
    rows = [[flux.upper(), *error_texts(calibration.errors.of_flux(flux))] for flux in FLUXES]
    text = (
        "How errors of monthly means belong together (shares of their variance; correlation at a place after 1 and 12 months; "
        "correlation of places a distance d apart):"
    )
    return [text, markdown_table(["flux", *ERROR_COLUMNS], rows)]


def _coverage(calibration: Calibration) -> str:
    shares = ", ".join(f"{flux.upper()} {100 * calibration.step_coverage[flux]:.0f} %" for flux in FLUXES)
    return f"Share of held-out observations inside the 90 % interval, towers weighing the same: {shares}."


def _applicable_area(run: RunFiles) -> str:
    area = Applicability.read(run(File.APPLICABILITY))
    belts = {"of the mapped land": 90.0, "of it between 23.5° S and 23.5° N": TROPICS}
    within = {name: area.share(north) for name, north in belts.items()}  # a region may have no land in the tropics
    shares = [f"{100 * share:.0f} % {name}" for name, share in within.items() if np.isfinite(share)]
    return f"Inside the area of applicability: {', '.join(shares)}."


def _cost(record: Provenance) -> str:
    return f"{record.cost}, on {record.hardware.cores} cores ({record.hardware.processor})."


def _longest_rules(record: Provenance) -> str:
    """The rules that took most of the time, with all their jobs."""
    costs = [(job.rule or name, job.seconds, job.memory_mib) for name, job in record.rules.items()]
    jobs = pd.DataFrame(costs, columns=["rule", "seconds", "memory_mib"]).astype({"memory_mib": float})
    table = jobs.groupby("rule").agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), memory=("memory_mib", "max"))
    rows = []
    for r in table.sort_values("seconds", ascending=False).head(LONGEST).itertuples():
        memory = f"{r.memory / 1024:.1f}" if np.isfinite(r.memory) else "–"
        rows.append([f"`{r.Index}`", r.jobs, f"{r.seconds / 60:.1f}", memory])
    return markdown_table(["rule", "jobs", "minutes in all", "GiB in one job"], rows)

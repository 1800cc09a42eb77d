"""The section of the report on products of others."""

from calendar import month_name
from collections.abc import Mapping

import numpy as np

from tamrl.classes import GLOBE
from tamrl.evaluation.bootstrap import Interval
from tamrl.evaluation.compare import interannual_sentence
from tamrl.report.figures import products
from tamrl.report.pages import texts
from tamrl.report.pages.captions import captioned
from tamrl.report.pages.html import Item, Note, ReportTable, Section
from tamrl.report.products import ProductComparisons
from tamrl.report.style import BAND_NAMES, FLUX_NAMES, FLUX_UNITS, format_number, signed_number, true_minus

SCORE_COLUMNS = ("run", "product", "bias", "RMSE", "r", "amplitude", "phase, months", "IAV", "r of years", "trend per decade")


def products_section(compared: ProductComparisons, interannual: Mapping[str, Interval]) -> Section:
    """Show Taylor diagrams, seasonal cycles, totals and anomalies of years, and list the scores of classes and climates.

    `interannual` is the skill of the maps' model in the anomalies of years at held-out towers, by flux.
    """
    items: list[Item] = [Note(texts.PRODUCTS), Note(years_text(interannual))]
    gridded = {name: title for name, title in compared.titles.items() if name in set(compared.scores["product"])}
    totals = products.plot_product_totals(compared.totals, compared.titles)
    items.append(captioned("products_totals", totals, _total_facts(compared)))
    if (anomalies := products.plot_product_anomalies(compared.totals, compared.titles)) is not None:
        items.append(captioned("products_anomalies", anomalies, _anomaly_facts(compared)))
    if gridded:
        taylor = products.plot_taylor(compared.scores, gridded)
        cycles = products.plot_product_cycles(compared.cycles, gridded)
        items.append(captioned("products_taylor", taylor, _taylor_facts(compared)))
        items.append(captioned("products_cycles", cycles, _cycle_facts(compared)))
        items.append(score_table(compared))
    return Section("products", "Products of others: where the maps differ from them", items)


def years_text(interannual: Mapping[str, Interval]) -> str:
    """Say whether the differences between years are worth more than none."""
    parts = [f"{FLUX_NAMES[flux]} {true_minus(interannual_sentence(skill))}" for flux, skill in interannual.items()]
    return f"Differences between years at held-out towers: {'; '.join(parts) or 'no tower has several years'}."


def _anomaly_facts(compared: ProductComparisons) -> str:
    """Correlation of the anomalies of the global totals."""
    table = products.yearly_anomalies(compared.totals)
    parts = [
        f"{quantity.upper()} against {compared.titles[name]} r {format_number(rows['run'].corr(rows['theirs']))}"
        for (quantity, name), rows in table.groupby(["quantity", "product"], sort=False, observed=True)
    ]
    return f"{'; '.join(parts)}."


def _total_facts(compared: ProductComparisons) -> str:
    """Means over the years of the totals of the globe."""
    globe = compared.totals[compared.totals["region"] == GLOBE]
    columns = ["run_total", "product_total", "run_compared", "product_compared", "compared_share"]
    parts = []
    for (name, quantity), rows in globe.groupby(["product", "quantity"], sort=False, observed=True):
        mean = rows[columns].mean()
        ours, theirs = format_number(mean["run_total"], 1), format_number(mean["product_total"], 1)
        part = f"{quantity.upper()} of {compared.titles[name]} {theirs} PgC yr⁻¹, run {ours}"
        if np.isfinite(mean["compared_share"]):
            ours, theirs = format_number(mean["run_compared"], 1), format_number(mean["product_compared"], 1)
            part += (
                f" (on the {format_number(100 * mean['compared_share'], 0)} % of the land that both cover {theirs} and {ours})"
            )
        parts.append(part)
    return f"{'; '.join(parts)}."


def _taylor_facts(compared: ProductComparisons) -> str:
    """Correlation and ratio of standard deviations over the globe."""
    parts = [
        f"{row.quantity.upper()} against {compared.titles[row.product]} r {format_number(row.correlation)}, ratio of standard "
        f"deviations {format_number(row.run_std / row.product_std)}"
        for row in compared.scores[compared.scores["kind"] == "globe"].itertuples(index=False)
    ]
    return f"{'; '.join(parts)}."


def _cycle_facts(compared: ProductComparisons) -> str:
    """Where and when the run differs most from each product."""
    table = compared.cycles.assign(difference=compared.cycles["run"] - compared.cycles["product_flux"])
    table = table[table["region"].isin(BAND_NAMES) & table["difference"].notna()]
    parts = []
    for (name, quantity), rows in table.groupby(["product", "quantity"], sort=False, observed=True):
        row = rows.loc[rows["difference"].abs().idxmax()]
        where = f"{BAND_NAMES[row['region']]} in {month_name[int(row['month'])]}"
        parts.append(f"{quantity.upper()} against {compared.titles[name]} {signed_number(row['difference'])} in {where}")
    return f"Largest difference ({FLUX_UNITS}): {'; '.join(parts)}."


def score_table(compared: ProductComparisons) -> ReportTable:
    """Scores of the globe, of classes and of climates."""
    rows = compared.scores[compared.scores["kind"] != "band"]
    columns = ["product", "quantity", "region", *SCORE_COLUMNS]
    texts_of_rows = [
        [
            compared.titles[row.product],
            row.quantity.upper(),
            row.region,
            format_number(row.run_mean),
            format_number(row.product_mean),
            signed_number(row.bias),
            format_number(row.rmse),
            format_number(row.correlation),
            f"{format_number(row.run_amplitude)} / {format_number(row.product_amplitude)}",
            format_number(row.phase_difference, 1),
            f"{format_number(row.run_iav)} / {format_number(row.product_iav)}",
            format_number(row.iav_correlation),
            f"{format_number(row.run_trend)} / {format_number(row.product_trend)}",
        ]
        for row in rows.itertuples(index=False)
    ]
    return ReportTable("Run against products (gC m⁻² d⁻¹; pairs are run / product)", columns, texts_of_rows, labels=3)

"""The section of the report on products of others."""

from tamrl.report.figures import products
from tamrl.report.pages import texts
from tamrl.report.pages.html import Note, Picture, ReportTable, Section, draw_picture
from tamrl.report.products import ProductComparisons
from tamrl.report.style import format_number, signed_number

SCORE_COLUMNS = ("run", "product", "bias", "RMSE", "r", "amplitude", "phase, months", "IAV", "trend per decade")


def products_section(compared: ProductComparisons) -> Section:
    """Show Taylor diagrams, seasonal cycles and totals, and list the scores of the globe, classes and climates."""
    items: list[Picture | ReportTable | Note] = [Note(texts.PRODUCTS)]
    gridded = {name: title for name, title in compared.titles.items() if name in set(compared.scores["product"])}
    figures = {"products_totals": products.plot_product_totals(compared.totals, compared.titles)}
    if gridded:
        figures["products_taylor"] = products.plot_taylor(compared.scores, gridded)
        figures["products_cycles"] = products.plot_product_cycles(compared.cycles, gridded)
    for name, figure in figures.items():
        items.append(draw_picture(figure, name, caption=texts.CAPTIONS[name], alt=texts.ALTERNATIVES[name]))
    items += [score_table(compared)] if gridded else []
    return Section("products", "Products of others: where the maps differ from them", items)


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
            f"{format_number(row.run_trend)} / {format_number(row.product_trend)}",
        ]
        for row in rows.itertuples(index=False)
    ]
    return ReportTable("Run against products (gC m⁻² d⁻¹; pairs are run / product)", columns, texts_of_rows, labels=3)

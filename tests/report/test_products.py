"""The section of the report on products of others."""

import numpy as np
import pandas as pd
import pytest

from tamrl import contracts
from tamrl.evaluation.bootstrap import Interval
from tamrl.layout import File, RunFiles, RunLayout
from tamrl.reference.pairs import pair_up
from tamrl.reference.regions import ComparedRegions
from tamrl.reference.scores import mean_cycles, score_pair
from tamrl.reference.tables import COMPARED_CYCLES, COMPARED_SCORES, COMPARED_TOTALS
from tamrl.reference.totals import compare_totals
from tamrl.report.figures.products import plot_product_anomalies, plot_taylor, yearly_anomalies
from tamrl.report.pages.html import Picture, ReportTable
from tamrl.report.pages.products import products_section
from tamrl.report.products import ProductComparisons
from tests.reference.conftest import budgets, known_maps, product_dataset
from tests.reference.test_scores import layout

SKILL = {"gpp": Interval(0.2, 0.1, 0.3, 90, 30), "nee": Interval(-0.1, -0.3, 0.1, 90, 30), "reco": Interval(0.4, 0, 0, 9, 4)}
"""Skill in the anomalies of years."""


@pytest.fixture
def run(tmp_path):
    """A run with one compared product and one table of totals."""
    place, maps, ds = (
        RunLayout.at(str(tmp_path / "mine")),
        known_maps(["2010", "2011"], factor=1.5),
        product_dataset("gpp", size=5.0),
    )
    pair = pair_up(ds, layout(), "gpp", maps)
    regions = ComparedRegions.of(pair, maps.land)
    totals = compare_totals(pair, budgets(["2010", "2011"]), product="xbase")
    written = {
        File.COMPARED_SCORES: (score_pair(pair, regions, product="xbase"), COMPARED_SCORES),
        File.COMPARED_CYCLES: (mean_cycles(pair, regions, product="xbase"), COMPARED_CYCLES),
        File.COMPARED_TOTALS: (totals, COMPARED_TOTALS),
    }
    paths = []
    for file, (table, schema) in written.items():
        paths.append(place(file, compared="xbase"))
        contracts.write_table(paths[-1], table, schema)
    nbe = totals.assign(product="gcb", quantity="nbe", flux="nee")
    paths.append(place(File.COMPARED_TOTALS, compared="gcb"))
    contracts.write_table(paths[-1], nbe, COMPARED_TOTALS)
    return RunFiles(place, frozenset(paths))


def test_a_run_without_products_has_no_section(run):
    assert ProductComparisons.read(run, {}) is None


def test_the_section_shows_figures_and_scores(run):
    compared = ProductComparisons.read(run, {"xbase": "FLUXCOM-X-BASE", "gcb": "Global Carbon Budget"})
    section = products_section(compared, SKILL)
    pictures = [item.name for item in section.items if isinstance(item, Picture)]
    assert pictures == ["products_totals", "products_taylor", "products_cycles"]
    alt = {item.name: item.alt for item in section.items if isinstance(item, Picture)}
    assert "ratio of standard deviations 1.50" in alt["products_taylor"] and "PgC yr⁻¹, run " in alt["products_totals"]
    assert "(on the 100 % of the land that both cover " in alt["products_totals"]
    assert "Largest difference" in alt["products_cycles"] and "+" in alt["products_cycles"]
    (table,) = (item for item in section.items if isinstance(item, ReportTable))
    globe = next(row for row in table.rows if row[2] == "globe")
    assert globe[:2] == ["FLUXCOM-X-BASE (xbase)", "GPP"] and globe[5].startswith("+2.0")
    assert any("not" in item.text or "NBE" in item.text for item in section.items if hasattr(item, "text"))


def test_a_table_of_totals_alone_has_totals_alone(run):
    compared = ProductComparisons.read(run, {"gcb": "Global Carbon Budget"})
    assert [item.name for item in products_section(compared, SKILL).items if isinstance(item, Picture)] == ["products_totals"]


def test_the_taylor_diagram_places_the_run_by_ratio_and_correlation(run):
    compared = ProductComparisons.read(run, {"xbase": "FLUXCOM-X-BASE"})
    figure = plot_taylor(compared.scores, compared.titles)
    globe = pd.Series(compared.scores.set_index("region").loc["globe"])
    angle, radius = figure.axes[0].lines[0].get_xydata()[0]
    assert radius == pytest.approx(globe["run_std"] / globe["product_std"]) and radius == pytest.approx(1.5, abs=1e-3)
    assert angle == pytest.approx(np.arccos(globe["correlation"]), abs=1e-6)


def test_the_section_says_whether_years_are_worth_more_than_a_constant(run):
    compared = ProductComparisons.read(run, {"xbase": "FLUXCOM-X-BASE"})
    (text,) = (item.text for item in products_section(compared, SKILL).items if "between years" in getattr(item, "text", ""))
    assert "GPP more than a constant (skill of anomalies 0.20 [0.10, 0.30] at 90 tower years in 30 groups)" in text
    assert "NEE no more than a constant (skill of anomalies −0.10" in text and "RECO too few towers have several years" in text
    (none,) = (item.text for item in products_section(compared, {}).items if "between years" in getattr(item, "text", ""))
    assert none.endswith("no tower has several years.")


def test_anomalies_need_years_and_are_about_their_own_mean():
    years = [str(year) for year in range(2001, 2006)]
    totals = pd.DataFrame({"year": years, "run_total": [1.0, 2, 3, 4, 5], "product_total": [3.0, 3, 3, 3, 8]})
    totals = totals.assign(product="xbase", quantity="gpp", region="globe")
    found = yearly_anomalies(totals)
    assert found["run"].tolist() == [-2, -1, 0, 1, 2] and found["theirs"].tolist() == [-1, -1, -1, -1, 4]
    figure = plot_product_anomalies(totals, {"xbase": "FLUXCOM-X-BASE"})
    assert figure.axes[0].lines[1].get_ydata().tolist() == [-2, -1, 0, 1, 2]
    assert plot_product_anomalies(totals[:2], {"xbase": "X"}) is None
    assert plot_product_anomalies(totals.assign(year="climatology"), {"xbase": "X"}) is None

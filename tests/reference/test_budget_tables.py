"""Published tables of totals."""

import pytest

from tamrl.errors import InputError
from tamrl.reference.compare import compare_budget
from tests.reference.conftest import budgets

TEXT = """The global carbon budget 2024,,,,
All values in billion tonnes of carbon per year (GtC/yr),,,,
,,,,
Year,fossil emissions excluding carbonation,land-use change emissions,ocean sink,land sink
2010,9.1,1.5,2.5,3.0
2011,9.3,1.6,2.5,3.7
2012,9.4,1.5,2.6,
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "Global_Carbon_Budget_2024.csv"
    path.write_text(TEXT)
    return path


def test_land_use_less_sink_is_the_net_biome_exchange(table):
    result = compare_budget(budgets(["2010", "2011", "2012"], -2.0, 1.0), [table], "global_carbon_budget", name="GCB")
    assert result["year"].tolist() == ["2010", "2011"] and set(result["quantity"]) == {"nbe"} and set(result["flux"]) == {"nee"}
    assert result["product_total"].tolist() == pytest.approx([-1.5, -2.1])
    assert result["inside"].tolist() == [1.0, 1.0]
    assert result[["run_compared", "product_compared", "compared_share"]].isna().all(axis=None)


def test_a_mean_year_is_beside_the_mean_of_the_table(table):
    result = compare_budget(budgets(["climatology"], -17.0, 3.0), [table], "global_carbon_budget", name="GCB")
    assert result["product_total"].tolist() == pytest.approx([-1.8]) and result["inside"].tolist() == [0.0]


def test_a_workbook_a_lost_column_and_other_years_are_refused(table, tmp_path):
    other = tmp_path / "budget.xlsx"
    other.write_bytes(b"PK")
    with pytest.raises(InputError, match="save the sheet 'Global Carbon Budget' as CSV"):
        compare_budget(budgets(["2010"]), [other], "global_carbon_budget", name="GCB")
    with pytest.raises(InputError, match="none of the run's years"):
        compare_budget(budgets(["1999"]), [table], "global_carbon_budget", name="GCB")
    table.write_text(TEXT.replace("land sink", "sink of the land"))
    with pytest.raises(InputError, match="no column 'land sink'"):
        compare_budget(budgets(["2010"]), [table], "global_carbon_budget", name="GCB")
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no line begins with the column Year"):
        compare_budget(budgets(["2010"]), [table], "global_carbon_budget", name="GCB")

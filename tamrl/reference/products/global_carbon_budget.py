"""Global Carbon Budget: a sheet of its workbook as CSV. Land-use emissions less the land sink are the net biome exchange."""

from tamrl.reference.layouts import BudgetLayout

TITLE = "Global Carbon Budget"
SOURCE = "doi 10.18160/GCP-2024"

LAYOUT = BudgetLayout(
    columns={"nbe": {"land-use change emissions": 1, "land sink": -1}},
    sheet="Global Carbon Budget",
    example="Global_Carbon_Budget_2024.csv",
)

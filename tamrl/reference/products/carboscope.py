"""Jena CarboScope, daily: PgC per cell and year, divided by the area of the cell; only its valid years are read."""

from tamrl.reference.layouts import FluxVariable, GriddedLayout

TITLE = "Jena CarboScope"
SOURCE = "doi 10.5194/acp-3-1919-2003"

LAYOUT = GriddedLayout(
    quantities={"nbe": FluxVariable({"co2flux_land": 1}, ("PgC yr-1",))},
    files=r"s\w+_v\d{4}\w*_daily\.nc",
    example="s10oc_v2022_daily.nc",
    per="total",
    steps="day",
    time="mtime",
    area="area",
    select={"rt": 2},
    valid_years=("yrfi_valid", "yrfe_valid"),
)

"""VODCA2GPP v1, one file with steps of eight days."""

from tamrl.reference.layouts import GRAMS, FluxVariable, GriddedLayout

TITLE = "VODCA2GPP v1"
SOURCE = "doi 10.48436/1k7aj-bdz35"

LAYOUT = GriddedLayout(
    quantities={"gpp": FluxVariable({"GPP": 1}, GRAMS)},
    files=r"VODCA2GPP_v1\.nc",
    example="VODCA2GPP_v1.nc",
    per="land",
    steps="8 days",
    states_units=False,
)

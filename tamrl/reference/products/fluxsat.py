"""FluxSat v2, a file of days each month."""

from tamrl.reference.layouts import GRAMS, PIXELS, FluxVariable, GriddedLayout

TITLE = "FluxSat v2"
SOURCE = "doi 10.3334/ORNLDAAC/1835"

LAYOUT = GriddedLayout(
    quantities={"gpp": FluxVariable({"GPP": 1}, GRAMS)},
    files=r"GPP_FluxSat_daily_v2(\.\d)?_(?P<year>\d{4})(?P<month>\d{2})\.nc4?",
    example="GPP_FluxSat_daily_v2_201007.nc4",
    per="land",
    land=PIXELS,
    steps="day",
    fill=(-9999.0,),
)

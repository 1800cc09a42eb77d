"""CEDAR-GPP v1. Its factor and fill value are global attributes that CF does not know; they are read from each file."""

from tamrl.reference.layouts import GRAMS, PIXELS, FluxVariable, GriddedLayout

TITLE = "CEDAR-GPP v1"
SOURCE = "doi 10.5194/essd-17-3009-2025"

LAYOUT = GriddedLayout(
    quantities={"gpp": FluxVariable({"GPP_mean": 1}, GRAMS, std="GPP_std")},
    files=r"CEDAR-GPP_v01_(?P<edition>(ST|LT)_(CFE-ML|CFE-Hybrid|Baseline)_(NT|DT))_(?P<year>\d{4})(?P<month>\d{2})\.nc",
    example="CEDAR-GPP_v01_ST_CFE-Hybrid_NT_201007.nc",
    per="land",
    land=PIXELS,
    dated_by="name",
    scale_attributes=("SCALE_FACTOR", "FILL_VALUE"),
    states_units=False,
)

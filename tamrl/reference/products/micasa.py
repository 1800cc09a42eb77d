"""MiCASA v1, monthly. NEE is Rh - NPP; NBE adds fire and fuel wood."""

from tamrl.reference.layouts import KILOGRAMS, FluxVariable, GriddedLayout

TITLE = "MiCASA v1"
SOURCE = "doi 10.5067/UCFEAAIDIUEQ"

LAYOUT = GriddedLayout(
    quantities={
        "nee": FluxVariable({"NEE": 1}, KILOGRAMS),
        "nbe": FluxVariable({"NBE": 1}, KILOGRAMS),
    },
    files=r"MiCASA_v(1|NRT)_flux_x3600_y1800_monthly_(?P<year>\d{4})(?P<month>\d{2})\.nc4",
    example="MiCASA_v1_flux_x3600_y1800_monthly_201007.nc4",
    per="cell",
    dated_by="name",
)

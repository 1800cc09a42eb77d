"""FLUXCOM-X-BASE, monthly means of ICOS. RECO is NEE + GPP: NEE is negative where the land takes up carbon."""

from tamrl.reference.layouts import GRAMS, FluxVariable, GriddedLayout

TITLE = "FLUXCOM-X-BASE"
SOURCE = "doi 10.5194/bg-21-5079-2024"

LAYOUT = GriddedLayout(
    quantities={
        "gpp": FluxVariable({"GPP": 1}, GRAMS),
        "reco": FluxVariable({"NEE": 1, "GPP": 1}, GRAMS),
        "nee": FluxVariable({"NEE": 1}, GRAMS),
    },
    files=r"(?P<variable>GPP|NEE)_(?P<year>\d{4})_(?P<edition>050|025|005)_monthly\.nc",
    example="GPP_2010_050_monthly.nc",
    per="land",
    land="land_fraction",
    yearly=True,
)

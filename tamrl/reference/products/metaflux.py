"""MetaFlux, monthly. It has no NEE: that is RECO - GPP. Its unit string is not documented, so it may be absent."""

from tamrl.reference.layouts import GRAMS, FluxVariable, GriddedLayout

TITLE = "MetaFlux"
SOURCE = "doi 10.5281/zenodo.7761881"

LAYOUT = GriddedLayout(
    quantities={
        "gpp": FluxVariable({"GPP": 1}, GRAMS, std="GPP_std"),
        "reco": FluxVariable({"RECO": 1}, GRAMS, std="RECO_std"),
        "nee": FluxVariable({"RECO": 1, "GPP": -1}, GRAMS),
    },
    files=r"METAFLUX_GPP_RECO_monthly_(?P<year>\d{4})\.nc",
    example="METAFLUX_GPP_RECO_monthly_2010.nc",
    per="land",
    yearly=True,
    states_units=False,
)

"""Inversions in the layout of the Global Carbon Project: the mean of the ensemble, PgC per m2 and year, fires inside."""

from tamrl.reference.layouts import FluxVariable, GriddedLayout

TITLE = "GCP inversions"
SOURCE = "doi 10.18160/GCP-2024"

LAYOUT = GriddedLayout(
    quantities={"nbe": FluxVariable({"land_flux_only_fossil_cement_adjusted": 1}, ("PgC m-2 yr-1",))},
    files=r"GCP20\d\d_\S+\.nc",
    example="GCP2024_inversions_1x1_version1_2_20241021.nc",
    per="cell",
    members="ensemble_member",
)

"""CarbonTracker of NOAA, monthly fluxes of one degree. Land biosphere and fire together are the net biome exchange."""

from tamrl.reference.layouts import FluxVariable, GriddedLayout

TITLE = "CarbonTracker"
SOURCE = "https://gml.noaa.gov/ccgg/carbontracker"

LAYOUT = GriddedLayout(
    quantities={"nbe": FluxVariable({"bio_flux_opt": 1, "fire_flux_imp": 1}, ("mol m-2 s-1",))},
    files=r"(?P<edition>CT\d{4}|CT-NRT\.v[\d-]+)\.flux1x1-monthly\.nc",
    example="CT2022.flux1x1-monthly.nc",
    per="cell",
)

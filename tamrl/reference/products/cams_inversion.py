"""CAMS inversion of CO2, monthly: kgC per m2 of the cell and calendar month; the files hold no time."""

from tamrl.reference.layouts import FluxVariable, GriddedLayout

TITLE = "CAMS CO2 inversion"
SOURCE = "https://ads.atmosphere.copernicus.eu/datasets/cams-global-greenhouse-gas-inversion"

LAYOUT = GriddedLayout(
    quantities={"nbe": FluxVariable({"flux_apos_bio": 1}, ("kgC m-2 month-1", "kg m-2 month-1"))},
    files=r"(?P<edition>cams73_(v\d+r\d+|latest)_co2_flux_(surface|satellite))_mm_(?P<year>\d{4})(?P<month>\d{2})\.nc",
    example="cams73_v23r1_co2_flux_surface_mm_201007.nc",
    per="cell",
    dated_by="name",
)

"""Models of TRENDY, under CMIP names. NEE is ra + rh - gpp; nbp is positive downwards and becomes NBE by its sign."""

from tamrl.reference.layouts import KILOGRAMS, FluxVariable, GriddedLayout

TITLE = "TRENDY"
SOURCE = "doi 10.1029/2024GB008102"

LAYOUT = GriddedLayout(
    quantities={
        "gpp": FluxVariable({"gpp": 1}, KILOGRAMS),
        "reco": FluxVariable({"ra": 1, "rh": 1}, KILOGRAMS),
        "nee": FluxVariable({"ra": 1, "rh": 1, "gpp": -1}, KILOGRAMS),
        "nbe": FluxVariable({"nbp": -1}, KILOGRAMS),
    },
    files=r"(?P<edition>[A-Za-z0-9.-]+_S[0-3])_(?P<variable>gpp|ra|rh|nbp)\.nc",
    example="JULES_S3_gpp.nc",
    per="land",
    fill=(-99999.0, -9999.0),
)

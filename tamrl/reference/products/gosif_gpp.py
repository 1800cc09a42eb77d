"""GOSIF-GPP v2, monthly GeoTIFF. Its numbers are hundredths of gC per m2 and calendar month."""

from tamrl.reference.layouts import PIXELS, FluxVariable, GriddedLayout

TITLE = "GOSIF-GPP v2"
SOURCE = "doi 10.3390/rs11212563"

LAYOUT = GriddedLayout(
    quantities={"gpp": FluxVariable({"band": 1}, ("gC m-2 month-1",))},
    files=r"GOSIF_GPP_(?P<year>\d{4})\.M(?P<month>\d{2})_Mean\.tif",
    example="GOSIF_GPP_2010.M07_Mean.tif",
    per="land",
    land=PIXELS,
    dated_by="name",
    fill=(65535.0, 65534.0),
    scale=0.01,
    states_units=False,
    raster=True,
)

"""FLUXCOM RS, V006: from satellite data alone. The unit string gC m-2 d-1 is that of its readers."""

from tamrl.reference.layouts import GRAMS, FluxVariable, GriddedLayout

TITLE = "FLUXCOM RS"
SOURCE = "doi 10.5194/bg-17-1343-2020"

LAYOUT = GriddedLayout(
    quantities={
        "gpp": FluxVariable({"GPP": 1}, GRAMS),
        "reco": FluxVariable({"TER": 1}, GRAMS),
        "nee": FluxVariable({"NEE": 1}, GRAMS),
    },
    files=r"(?P<variable>GPP|TER|NEE)\.RS_V006\.FP-(ALL|NONE)\.MLM-ALL\.METEO-NONE\."
    r"(?P<edition>720_360|4320_2160)\.monthly\.(?P<year>\d{4})\.nc",
    example="GPP.RS_V006.FP-ALL.MLM-ALL.METEO-NONE.720_360.monthly.2010.nc",
    per="land",
    fill=(-9999.0,),
    yearly=True,
    zero_is_sea=True,
)

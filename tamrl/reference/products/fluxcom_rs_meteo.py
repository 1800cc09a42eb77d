"""FLUXCOM RS+METEO, and its older form ANN with CRUNCEP. Cells that are always zero are sea."""

from dataclasses import replace

from tamrl.reference.products import fluxcom_rs

TITLE = "FLUXCOM RS+METEO"
SOURCE = "doi 10.5194/bg-17-1343-2020"

LAYOUT = replace(
    fluxcom_rs.LAYOUT,
    files=r"(?P<variable>GPP|TER|NEE)\.((RS_METEO\.FP-(ALL|NONE)\.MLM-ALL\.METEO-(?P<edition>\w+)\.720_360)|(ANN\.CRUNCEPv6))"
    r"\.monthly\.(?P<year>\d{4})\.nc",
    example="NEE.RS_METEO.FP-NONE.MLM-ALL.METEO-ERA5.720_360.monthly.2010.nc",
)

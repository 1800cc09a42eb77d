"""FLUXNET products of AmeriFlux, ICOS, TERN and other hubs (ONEFlux, CC-BY-4.0): one archive a tower, metadata inside.

A folder of `AMF_XX-Xxx_FLUXNET_YYYY-YYYY_v1.3_r1.zip` (any hub's prefix), as the FLUXNET shuttle fetches them, of the older
`AMF_XX-Xxx_FLUXNET_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` of AmeriFlux, whose BIF table comes as a file of its own, or of the files
`ICOSETC_XX-Xxx_FLUXNET_DD_L2.csv` of the ICOS thematic centre with `ICOSETC_XX-Xxx_SITEINFO_L2.csv` beside them, or zips of both.
"""

import re

from tamrl.plugins import NetworkCapabilities
from tamrl.towers.networks._oneflux import ArchiveOptions, OnefluxNetwork
from tamrl.towers.product import ONEFLUX_CITATION, SITE_PATTERN

FILES = re.compile(
    rf"^(?:[A-Za-z0-9]+_{SITE_PATTERN}_FLUXNET_(?:(?P<kind>FLUXMET|SUBSET|FULLSET)_)?(?:(?:HH|HR|DD|MM)_)?\d{{4}}-\d{{4}}_"
    rf"(?P<version>v?\d+[\d.]*[-_]r?\d+)|ICOSETC_{SITE_PATTERN.replace('<site>', '<icos>')}_"
    r"(?:ARCHIVE|FLUXNET(?:_(?:HH|DD|MM))?)(?:_INTERIM)?_L2)\.(?:zip|csv)$"
)
CITATION = ONEFLUX_CITATION
CAPABILITIES = NetworkCapabilities(archives=True)


class Options(ArchiveOptions):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet"
    """Folder of the archives."""


NETWORK = OnefluxNetwork("fluxnet", FILES, "*_FLUXNET_*.zip")
inputs, archives, read_archive = NETWORK.inputs, NETWORK.archives, NETWORK.read_archive

"""FLUXNET2015 (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3, CC-BY-4.0), archives as downloaded by the user.

A folder of `FLX_XX-Xxx_FLUXNET2015_{SUBSET,FULLSET}_YYYY-YYYY_V-V.zip` (or the CSV files out of them, down to half hours), and
one BIF table for all towers with coordinates, classes and management. Version `beta-3` is the same format of the later
Warm Winter 2020 release (doi 10.18160/2G60-ZHAK).
"""

import re

from tamrl.plugins import NetworkCapabilities
from tamrl.towers.networks._oneflux import ArchiveOptions, OnefluxNetwork
from tamrl.towers.product import ONEFLUX_CITATION, SITE_PATTERN

FILES = re.compile(
    rf"^FLX_{SITE_PATTERN}_FLUXNET2015_(?P<kind>SUBSET|FULLSET)_(?:(?:HH|HR|DD|MM)_)?\d{{4}}-\d{{4}}_(?P<version>(?:\d+|beta)-\d+)\.(?:zip|csv)$"
)
CITATION = ONEFLUX_CITATION
CAPABILITIES = NetworkCapabilities(archives=True)


class Options(ArchiveOptions):
    """Where the archives lie."""

    path: str = "{results}/inputs/towers/fluxnet2015"
    """Folder of the archives."""


NETWORK = OnefluxNetwork("fluxnet2015", FILES, "FLX_*_FLUXNET2015_*.zip", metadata_inside=False)
inputs, archives, read_archive = NETWORK.inputs, NETWORK.archives, NETWORK.read_archive

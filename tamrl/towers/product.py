"""Files of towers, and what every network of ONEFlux archives shares. Light: the workflow is planned with it."""

from dataclasses import dataclass
from pathlib import Path

SITE_PATTERN = r"(?P<site>[A-Za-z0-9]{2,}-[A-Za-z0-9]{1,10})"
"""The id of a tower within the name of a file."""

ONEFLUX_CITATION = {
    "title": "The FLUXNET2015 dataset and the ONEFlux processing pipeline for eddy covariance data",
    "author": "Pastorello, Gilberto and others",
    "year": "2020",
    "doi": "10.1038/s41597-020-0534-3",
}
"""The publication of the format, which the networks of such archives share."""


@dataclass(frozen=True)
class Product:
    """The file of a tower: an archive, or a loose CSV."""

    site: str
    path: Path
    listed: tuple[str, ...] = ()
    """Cells of a list of products that its reading depends on."""
    reason: str = ""
    """Reason why it cannot be read, if known beforehand."""

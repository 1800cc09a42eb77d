"""Alternatives to the chosen fluxes of a tower: another partitioning of NEE, percentiles over thresholds of friction velocity.

An alternative is named by both, such as `DT_REF` or `NT_84`. Its GPP and RECO stand in columns `gpp_DT_REF` and `reco_DT_REF`
beside the chosen fluxes, its NEE in `nee_84`, or in `nee` where the threshold is the chosen one.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from tamrl.carbon import FLUXES

Kind = Literal["partitioning", "ustar"]

PERCENTILES = ("05", "16", "25", "50", "75", "84", "95")
"""Percentiles over forty thresholds (Pastorello et al. 2020, doi 10.1038/s41597-020-0534-3), each chosen step by step."""

_COLUMN = re.compile(rf"(?P<flux>{'|'.join(FLUXES)})_(?:(?P<partitioning>NT|DT)_)?(?P<threshold>[A-Z0-9]+)")


class Alternative(NamedTuple):
    """A partitioning and a threshold of friction velocity."""

    partitioning: str
    threshold: str

    @classmethod
    def named(cls, label: str) -> "Alternative":
        """The alternative of a label."""
        partitioning, _, threshold = label.partition("_")
        return cls(partitioning, threshold)

    @property
    def label(self) -> str:
        """Its name, such as `DT_REF`."""
        return f"{self.partitioning}_{self.threshold}"

    def column(self, flux: str) -> str:
        """The name of the column of a flux."""
        return f"nee_{self.threshold}" if flux == "nee" else f"{flux}_{self.label}"


def listed(names: Iterable[str]) -> list[Alternative]:
    """The alternatives that a table with these columns has, in the order of the columns."""
    matches = [m for m in map(_COLUMN.fullmatch, names) if m and m["partitioning"]]
    return list(dict.fromkeys(Alternative(m["partitioning"], m["threshold"]) for m in matches))


def base_name(name: str) -> str:
    """The flux whose alternative a column holds, or the name itself if the column holds none."""
    match = _COLUMN.fullmatch(name)
    return match["flux"] if match else name

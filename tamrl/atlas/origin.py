"""What the atlas says of itself: digests, citation, licences, published totals, and how far to trust the fluxes."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from tamrl import provenance
from tamrl.carbon import FLUXES
from tamrl.report.figures.budgets import PUBLISHED
from tamrl.report.pages import texts
from tamrl.report.style import minus

REGIONS = {"regions": "SREX: Seneviratne et al. (2012), doi 10.1017/CBO9781139177245.006"}


def describe(attributes: dict[str, Any], calibration: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Origin, citation, terms and skill.

    Parameters
    ----------
    attributes : global attributes of a map
    calibration : content of `evaluation/calibration.json`
    about : dict
        `config_digest`, digest of the `code`, and whether the world is `virtual`.
    """
    licence = str(attributes.get("license", "")) or "not stated in the files"
    terms = texts.TERMS_VIRTUAL if about["virtual"] else texts.TERMS_REAL
    return {
        "made": f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC",
        "digests": {
            "configuration digest": about["config_digest"],
            "maps' code digest": str(attributes.get("code_digest", "not stated")),
            "atlas' code digest": about["code"],
            "revision": provenance.revision(),
        },
        "software": provenance.software(),
        "sources": texts.sources(about["virtual"]) | REGIONS,
        "coast": "Coastlines: Natural Earth, public domain",
        "cite": texts.CITE.format(licence=licence, terms=terms).replace(" at the top of this page", " on this page"),
        "published": {flux: dataclasses.asdict(found) for flux, found in PUBLISHED.items()},
        "coverage": calibration.get("coverage", {}),
        "skill": {flux: minus(calibration.get("skill", {}).get(flux, "not stated")) for flux in FLUXES},
        "split": calibration.get("split"),
    }

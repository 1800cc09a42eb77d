"""The page about the atlas: digests, citation, licences, published totals, and skill of the fluxes."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from tamrl import provenance
from tamrl.carbon import FLUXES
from tamrl.report.figures.budgets import PUBLISHED
from tamrl.report.pages import texts
from tamrl.report.style import true_minus
from tamrl.sections.results import RunIdentity
from tamrl.simulated import Attributes
from tamrl.uncertainty.calibration import Calibration

REGIONS = {"regions": "SREX: Seneviratne et al. (2012), doi 10.1017/CBO9781139177245.006"}


def about_page(attributes: Attributes, calibration: Calibration, identity: RunIdentity, *, code: str) -> dict[str, Any]:
    """Return origin, citation, terms and skill for the page.

    Parameters
    ----------
    attributes : global attributes of a map
    code : digest of the code of the atlas
    """
    licence = str(attributes.get("license", "")) or "not stated in the files"
    terms = texts.TERMS_VIRTUAL if identity.virtual else texts.TERMS_REAL
    return {
        "made": f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC",
        "digests": {
            "configuration digest": identity.config_digest,
            "maps' code digest": str(attributes.get("code_digest", "not stated")),
            "atlas' code digest": code,
            "revision": provenance.revision(),
        },
        "software": provenance.software(),
        "sources": texts.cited_sources(identity.virtual) | REGIONS,
        "coast": "Coastlines: Natural Earth, public domain",
        "cite": texts.CITE.format(licence=licence, terms=terms).replace(" at the top of this page", " on this page"),
        # totals of the globe say nothing of a region
        "published": {} if "mapped_region" in attributes else {f: dataclasses.asdict(total) for f, total in PUBLISHED.items()},
        "coverage": calibration.coverage.get(calibration.step, {}),
        "skill": {flux: true_minus(calibration.skill.get(flux, "not stated")) for flux in FLUXES},
        "split": calibration.split,
    }

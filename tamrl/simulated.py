"""Products of a virtual Earth state that they are simulated, in the same words everywhere.

The section `twin` of the configuration decides it, the rules pass it on as `virtual`, and every label is written here. Products
of real inputs carry no label.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

STATEMENT = "virtual Earth: simulated, not observed"
"""Statement of every product of such a run."""

COMMENT = (
    f"Data of a {STATEMENT}. Towers, weather and satellite indices of this run were simulated; "
    "its numbers say nothing about the real Earth."
)
KEYWORDS = ("virtual Earth", "simulated data", "not observed")
COLUMN = "virtual_earth"
"""The last column of every table that leaves such a run; each of its cells holds `STATEMENT`."""

Attributes = Mapping[str, object]
"""Global attributes of a file, or tags of a picture, by their names in ACDD."""


def title(text: str, virtual: bool) -> str:
    """Return a title, followed by the statement if the world is virtual and the title does not contain it."""
    return f"{text} ({STATEMENT})" if virtual and STATEMENT not in text else text


def description(name: str, virtual: bool) -> dict[str, Any]:
    """Return `name`, `description` and `keywords` for the JSON record of a run; empty if the world is real."""
    return {"name": title(name, True), "description": COMMENT, "keywords": list(KEYWORDS)} if virtual else {}


def label_attributes(attributes: Attributes, virtual: bool) -> dict[str, object]:
    """Return global attributes that state a virtual world in title, source, keywords and so on; unchanged if the world is real.

    Statements are not repeated; instruments of a real run are replaced.
    """
    stated = dict(attributes)
    if not virtual:
        return stated
    keywords = [word for word in str(attributes.get("keywords", "")).split(", ") if word and word not in KEYWORDS]
    for name in ("summary", "comment"):
        text = str(attributes.get(name, ""))
        stated[name] = text if COMMENT in text else f"{COMMENT} {text}".strip()
    stated |= {
        "title": title(str(attributes.get("title", "fluxes of carbon")), virtual),
        "source": title(str(attributes.get("source", "models of carbon fluxes")), virtual),
        "keywords": ", ".join([*keywords, *KEYWORDS]),
    }
    if vocabulary := attributes.get("keywords_vocabulary"):
        stated["keywords_vocabulary"] = title(str(vocabulary), virtual)
    return stated | {"instrument": f"none ({STATEMENT})", "platform": f"model ({STATEMENT})"}


def is_stated(attributes: Attributes) -> bool:
    """Return whether the global attributes of a file state a virtual Earth."""
    return STATEMENT in str(attributes.get("comment", ""))


def label_table(frame: pd.DataFrame, virtual: bool) -> pd.DataFrame:
    """Return a table with `COLUMN` if the world is virtual, even if the table has no rows."""
    return frame.assign(**{COLUMN: pd.Series(STATEMENT, index=frame.index, dtype=object)}) if virtual else frame

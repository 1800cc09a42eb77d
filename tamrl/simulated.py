"""A virtual Earth says so: whether the inputs of a run were simulated, and how its products tell it.

The configuration decides it once (`of`), the rules hand it on as `virtual`, and every label is written here, in the same words.
Products of real inputs carry none of them.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

STATEMENT = "virtual Earth: simulated, not observed"
"""What every product of such a run says, in these words."""

COMMENT = (
    f"Data of a {STATEMENT}. Towers, weather and satellite indices of this run were simulated; "
    "its numbers say nothing about the real Earth."
)
KEYWORDS = ("virtual Earth", "simulated data", "not observed")
COLUMN = "virtual_earth"
"""The last column of every table that leaves such a run; each of its cells holds `STATEMENT`."""


def of(config: Mapping[str, Any]) -> bool:
    """Whether a configuration, as plain values, is one of a virtual Earth."""
    return bool(config.get("twin"))


def title(text: str, virtual: bool) -> str:
    """A title, with the statement behind it where the world is virtual and the title does not yet say so."""
    return f"{text} ({STATEMENT})" if virtual and STATEMENT not in text else text


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """`name`, `description` and `keywords` of the record of a run in JSON; nothing where the world is real."""
    if not of(config):
        return {}
    name = title(config["evaluation"]["title"] or config["run"], True)
    return {"name": name, "description": COMMENT, "keywords": list(KEYWORDS)}


def attributes(given: Mapping[str, Any], virtual: bool) -> dict[str, Any]:
    """Global attributes or tags (ACDD names): as `given` where the world is real, else title, source and so on that say so.

    What is said already is not said again; instruments that a real run would have are taken away.
    """
    if not virtual:
        return dict(given)
    listed = [word for word in str(given.get("keywords", "")).split(", ") if word and word not in KEYWORDS]
    told = {name: _before(COMMENT, given.get(name, "")) for name in ("summary", "comment")}
    vocabulary = given.get("keywords_vocabulary")
    return {
        **given,
        **told,
        "title": title(str(given.get("title", "fluxes of carbon")), virtual),
        "source": title(str(given.get("source", "models of carbon fluxes")), virtual),
        "keywords": ", ".join([*listed, *KEYWORDS]),
        **({"keywords_vocabulary": title(str(vocabulary), virtual)} if vocabulary else {}),
        "instrument": f"none ({STATEMENT})",
        "platform": f"model ({STATEMENT})",
    }


def _before(first: str, text: str) -> str:
    return text if first in text else f"{first} {text}".strip()


def said(given: Mapping[str, Any]) -> bool:
    """Whether the global attributes of a file tell of a virtual Earth."""
    return STATEMENT in str(given.get("comment", ""))


def table(frame: pd.DataFrame, virtual: bool) -> pd.DataFrame:
    """A table as it leaves the run: with `COLUMN` where the world is virtual, which tells it even in a table without rows."""
    return frame.assign(**{COLUMN: pd.Series(STATEMENT, index=frame.index, dtype=object)}) if virtual else frame

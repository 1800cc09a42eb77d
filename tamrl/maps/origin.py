"""Origin of a product: its inputs, code and software; and attributes of files that are made from several."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tamrl import provenance, simulated, stores
from tamrl.maps import acdd
from tamrl.predictions import Predictions
from tamrl.sections.results import RunIdentity
from tamrl.simulated import Attributes


@dataclass(frozen=True)
class Origin:
    """Inputs, code and software of a product; the names of the fields are those of the global attributes."""

    run: str
    config_digest: str
    code_digest: str
    drivers_sha256: str
    predictions_sha256: str
    model: str
    software: str
    git_revision: str

    @classmethod
    def of(cls, identity: RunIdentity, predictions: Sequence[Predictions], *, cube: str, code: str) -> "Origin":
        """Return the origin of a product.

        Parameters
        ----------
        predictions : those of one or several years
        code : digest of the code that makes the product
        """
        return cls(
            run=identity.run,
            config_digest=identity.config_digest,
            code_digest=code,
            drivers_sha256=stores.manifest_digest(cube),
            predictions_sha256=" ".join(each.digest for each in predictions),
            model=predictions[0].model,
            software=", ".join(f"{name} {version}" for name, version in provenance.software().items()),
            git_revision=provenance.revision(),
        )


def merge_attributes(files: Sequence[Attributes], *, title: str, summary: str, product: str) -> dict[str, object]:
    """Return the global attributes of a file that is made from several.

    Title, summary, `id` and dates are new. Attributes on which all files agree stay. Keywords are joined, each once. If the files
    differ in another attribute, all its values are listed. The files state whether the world is virtual.

    Parameters
    ----------
    files : global attributes of each file
    title, summary : of the new file
    product : name of the product, for `id` and `history`
    """
    merged: dict[str, object] = {}
    for name in dict.fromkeys(name for attributes in files for name in attributes):
        values = {str(attributes[name]): attributes[name] for attributes in files if name in attributes}
        merged[name] = next(iter(values.values())) if len(values) == 1 else "; ".join(values)
    now = time_of_writing()
    merged |= {name: now for name in merged if name.startswith("date_")}
    merged |= {"title": title, "summary": summary}
    merged["id"] = acdd.identifier(" ".join([product, title, *(str(attributes.get("id")) for attributes in files)]))
    words = [word for attributes in files for word in str(attributes.get("keywords", "")).split(", ") if word]
    merged["keywords"] = ", ".join(dict.fromkeys(words))
    lines = [line for attributes in files for line in str(attributes.get("history", "")).splitlines()]
    merged["history"] = "\n".join(dict.fromkeys([history(now, product), *lines]))
    return simulated.label_attributes(merged, any(simulated.is_stated(attributes) for attributes in files))


def history(now: str, product: str) -> str:
    """Return the line of `history` for a product."""
    return f"{now}: tamrl wrote the product {product!r}"


def time_of_writing() -> str:
    """Return the present time by ISO 8601, or SOURCE_DATE_EPOCH if it is set, which gives the same bytes again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

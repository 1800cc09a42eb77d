"""What a product was made from, and with what; and the attributes of files that are made from several."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from tamrl import provenance, simulated, stores
from tamrl.maps import acdd
from tamrl.options import Strict
from tamrl.predictions import Predictions
from tamrl.simulated import Attributes


class RunIdentity(Strict):
    """What every file of a run states of the run."""

    run: str
    config_digest: str
    """Digest of the keys that shape the numbers of the maps."""
    virtual: bool = False
    """Whether the inputs were simulated (`tamrl.simulated`)."""


@dataclass(frozen=True)
class Origin:
    """What a product was made from, the predictions of one or several years, and with what; the names are those of attributes."""

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
        """Origin of a product of the run; `code` is the digest of the code that makes it."""
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

    @property
    def attributes(self) -> dict[str, str]:
        """As global attributes."""
        return asdict(self)


def merge_attributes(files: Sequence[Attributes], *, title: str, summary: str, product: str) -> dict[str, object]:
    """Global attributes of a file made from several, whose attributes are `files`.

    Title, summary, `id` and dates are its own. Attributes on which all files agree stay; keywords are joined, each once; where
    the files differ in anything else, all values are listed. The files state whether the world is virtual.
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
    """The line that `history` has of a product."""
    return f"{now}: tamrl wrote the product {product!r}"


def time_of_writing() -> str:
    """The present time by ISO 8601, or SOURCE_DATE_EPOCH where the same bytes are wanted again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

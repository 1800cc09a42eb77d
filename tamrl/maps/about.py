"""How a map came about: its global attributes."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from tamrl import provenance, simulated, stores
from tamrl.errors import ContractError
from tamrl.maps import acdd, cf
from tamrl.maps.predictions import Predictions
from tamrl.sections.results import MapFormat


def attributes(
    about: dict[str, str],
    predictions: Predictions,
    axis: xr.Dataset,
    format: MapFormat,
    made_by: dict[str, str],
    *,
    virtual: bool,
) -> dict[str, Any]:
    """Global attributes of a file; `about` tells `title`, `names` of its fluxes, `label`, `first` sentence, `product`, `step`.

    `virtual`: whether the inputs were simulated (`tamrl.simulated`).
    """
    ds, now = predictions.ds, _now()
    found = acdd.attributes(
        lat=ds["lat"].values,
        lon=ds["lon"].values,
        bounds=_instants(axis),
        step=about["step"],
        name=f"{about['product']} {about['title']} {made_by['predictions_sha256']}",
        created=now,
        attribution=format.attribution,
    )
    towers = "simulated towers" if virtual else "eddy-covariance towers"
    given = cf.global_attributes(
        title=about["title"],
        summary=f"{about['names']}, {about['label']}. {about['first']}",
        source=f"{ds.sizes['member']} members of the model {predictions.model!r} of tamrl, trained on {towers}",
        history=f"{now}: tamrl wrote the product {about['product']!r}",
        made_by=found | made_by,
    )
    return simulated.attributes(given, virtual)


def together(every: Sequence[dict[str, Any]], *, title: str, summary: str, product: str) -> dict[str, Any]:
    """Global attributes of a file made from several, whose attributes are `every`.

    Title, summary, `id` and dates are its own. What all say alike stays; keywords are joined, each once; where they differ in
    anything else, all that they say is listed. Whether the world is virtual, the files say.
    """
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in every for name in one):
        told = {str(one[name]): one[name] for one in every if name in one}
        found[name] = next(iter(told.values())) if len(told) == 1 else "; ".join(told)
    now = _now()
    found |= {name: now for name in found if name.startswith("date_")}
    found |= {"title": title, "summary": summary}
    found["id"] = acdd.identifier(" ".join([product, title, *(str(one.get("id")) for one in every)]))
    words = [word for one in every for word in str(one.get("keywords", "")).split(", ") if word]
    found["keywords"] = ", ".join(dict.fromkeys(words))
    lines = [line for one in every for line in str(one.get("history", "")).splitlines()]
    found["history"] = "\n".join(dict.fromkeys([f"{now}: tamrl wrote the product {product!r}", *lines]))
    return simulated.attributes(found, any(simulated.said(one) for one in every))


def listed(words: Sequence[str]) -> str:
    """Words in one line: a, b and c."""
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _instants(axis: xr.Dataset) -> np.ndarray:
    """Bounds (time, 2) of a time axis of `cf.time_axis` as datetime64."""
    (name,) = axis.data_vars
    origin = np.datetime64(axis["time"].attrs["units"].removeprefix("days since "), "D")
    return origin + axis[name].values.astype("timedelta64[D]")


def origin(every: list[Predictions], cube: str) -> dict[str, str]:
    """What the file was made from, the predictions of one or several years, and with what."""
    software = ", ".join(f"{name} {version}" for name, version in provenance.software().items())
    return {
        "drivers_sha256": stores.digest(cube),
        "predictions_sha256": " ".join(predictions.digest for predictions in every),
        "model": every[0].model,
        "software": software,
        "git_revision": provenance.revision(),
    }


def _now() -> str:
    """The time of writing, or SOURCE_DATE_EPOCH where the same bytes are wanted again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def step_of(cube: xr.Dataset) -> tuple[str, str | None]:
    """Length of a step (`day` or `month`), and the years a climatology is the mean of (None where it is none)."""
    if "time_step" not in cube.attrs:
        raise ContractError("the cube does not say its time_step", found=sorted(cube.attrs))
    return cube.attrs["time_step"], cube.attrs.get("climatology")

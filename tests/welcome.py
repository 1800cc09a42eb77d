"""How often the answers of the atlas to its three questions hold the truth: of regions by month, of places by day, of towers.

`python -m tests.welcome RUN` prints the shares of a finished run of the virtual Earth, as its page would say the answers.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tamrl.atlas import pack
from tamrl.carbon import FLUXES

PROMISED = 0.9


def content(script: Path) -> object:
    """What a script of the atlas hands to the page."""
    return json.loads(re.fullmatch(r'ATLAS\.put\("[^"]+",(.*)\);\n', script.read_text(), re.DOTALL).group(1))


def of_regions(data: Path) -> pd.DataFrame:
    """Each month and year of each region, whether its 90 % interval holds the truth."""
    regions, rows = content(data / "regions.js"), []
    for label, reference in regions["reference"].items():
        for region, fluxes in reference.items():
            for flux, values in fluxes.items():
                for month, (compared, total) in enumerate(zip(values, regions["totals"][label][region][flux], strict=True)):
                    if compared is not None and total is not None and (total[0] or compared[0]):
                        rows.append((region, regions["kinds"][region], flux, month, total[2] <= compared[0] <= total[3]))
    return pd.DataFrame(rows, columns=["region", "kind", "flux", "month", "inside"])


def of_places(data: Path) -> dict[str, float]:
    """Share of the days of all cells with the truth inside the 90 % range of a day, by flux."""
    index, shares = content(data / "index.js"), {}
    layers = {layer["name"]: layer for layer in index["layers"]}
    for flux in FLUXES:
        parts = []
        for label in index["labels"]:
            for k in range(len(index["blocks"])):
                numbers = pack.unpack(content(data / label / f"{flux}.inside" / f"{k}.js"), 12)
                parts.append(numbers[numbers != pack.FILL] * layers[f"{flux}.inside"]["quantum"])
        shares[flux] = float(np.concatenate(parts).mean())
    return shares


def of_towers(data: Path) -> dict[str, float]:
    """Share of the observations of held-out towers inside their 90 % range, by flux."""
    index, found = content(data / "index.js"), {flux: [] for flux in FLUXES}
    for script in sorted((data / "towers").glob("*.js")):
        for flux, part in content(script)["fluxes"].items():
            own = part["splits"].get(index["about"]["split"], {}).get(index["model"], {})
            if "lo" in own:
                value, low, high = (np.array(line, float) for line in (part["observed"], own["lo"], own["hi"]))
                known = np.isfinite(value + low + high)
                if known.any():
                    found[flux].append(float(((value >= low) & (value <= high))[known].mean()))
    return {flux: float(np.mean(shares)) for flux, shares in found.items()}


def shares(run: Path) -> pd.DataFrame:
    """Rows: question, flux, number of answers, share of them that hold the truth."""
    data, rows = run / "atlas/data", []
    regions = of_regions(data)
    for (kind, flux), group in regions.groupby(["kind", "flux"]):
        for when, part in (("months", group[group["month"] > 0]), ("year", group[group["month"] == 0])):
            rows.append((f"total of a {kind}, {when}", flux, len(part), part["inside"].mean()))
    rows += [("day of a place", flux, None, share) for flux, share in of_places(data).items()]
    rows += [("day of a held-out tower", flux, None, share) for flux, share in of_towers(data).items()]
    return pd.DataFrame(rows, columns=["question", "flux", "answers", "inside"])


if __name__ == "__main__":
    print(shares(Path(sys.argv[1])).to_string(index=False, float_format="{:.2f}".format))

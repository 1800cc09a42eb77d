"""`make worlds`: coverage of all intervals over many virtual Earths, written to docs/coverage.md.

A world alone says little of the interval of its global total: that is one number. So many small worlds are run, with seeds,
networks of towers, noise and equations of their own, and the shares of covered truths are averaged over them. The world is the
unit of the uncertainty of these shares. A world that is there already is not run again.
"""

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from tamrl import contracts, files
from tamrl.carbon import FLUXES
from tamrl.layout import File, RunLayout
from tamrl.report.figures.truth import LIMITS, plot_truth_coverage
from tamrl.report.pages.html import draw_picture

CONFIG = "config/worlds.yaml"
TOWERS = (40, 80, 120)
NOISE = (0.5, 1.0, 2.0)
EQUATIONS: dict[str, tuple[Any, ...]] = {
    "light": ("hyperbola", "exponential", "linear"),
    "stress": ("product", "least"),
    "decay": ("lloyd_taylor", "q10"),
    "traits": (0.5, 1.0, 1.5),
}
"""Values of `Equations` that worlds draw."""
LEVEL = 0.9
"""Level of the intervals that are tested, and of those of their coverage."""

INTRODUCTION = """# Coverage: does 90 % mean 90 %?

Share of the true fluxes of virtual Earths inside their 90 % intervals: of cells (weighted by land area), blocks, latitude bands,
the globe, and changes from one year to the next. In brackets the 90 % interval of that share over {count} worlds, which differ in
seed, number of towers ({towers}) and noise of the towers ({noise}). `spread alone` is mean ± 1.645 standard deviations of the
members, each of which has learned from another sample of the towers. The truths differ too: light use, stress, decay of soil
carbon and the spread of hidden traits are drawn for each world (`twin.equations`). Asked for: {low} to {high} % at every scale.
The interval score is the width of the interval, and twenty times what the truth lies outside it, in the unit of the flux (cells:
gC m⁻² d⁻¹; regions: PgC yr⁻¹): of two kinds of intervals, that with the smaller score is the better. Made by
`make worlds WORLDS={count}` (config/worlds.yaml).

![Coverage of the truth by scale]({picture})
"""


@dataclass(frozen=True)
class World:
    """One virtual Earth of the experiment."""

    number: int

    @property
    def run(self) -> str:
        """Name of its run."""
        return f"world-{self.number:02d}"

    @property
    def overlay(self) -> dict[str, Any]:
        """What differs from `CONFIG`, drawn from its number."""
        chance = random.Random(self.number)
        equations = {name: chance.choice(values) for name, values in EQUATIONS.items()}
        twin = {"towers": chance.choice(TOWERS), "noise": chance.choice(NOISE), "equations": equations}
        return {"run": self.run, "seed": 1000 + self.number, "twin": twin}

    @property
    def coverage(self) -> Path:
        """Its table by `contracts.TRUTH_COVERAGE`."""
        return Path(RunLayout(self.run)(File.TRUTH_COVERAGE))

    def simulate(self, cores: str) -> bool:
        """Run the workflow up to the table; returns whether that succeeded."""
        overlay = Path(RunLayout(self.run).folder).with_suffix(".yaml")
        overlay.parent.mkdir(exist_ok=True)
        overlay.write_text(yaml.safe_dump(self.overlay), encoding="utf-8")
        command = [sys.executable, "-m", "tamrl.forked", "--cores", cores, "--rerun-incomplete", "--quiet", "rules"]
        command += ["--configfile", CONFIG, str(overlay), "--", str(self.coverage)]
        return subprocess.run(command, check=False).returncode == 0


def pool_worlds(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average the tables of worlds: scale, flux, intervals, coverage with `low` and `high`, width, interval_score and worlds.

    The interval of a coverage is that of the mean over worlds (Student), or of a proportion where worlds have one truth each
    (Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404).
    """
    rows = []
    every = pd.concat(tables, ignore_index=True)
    for (scale, flux, intervals), group in every.groupby(["scale", "flux", "intervals"], sort=False):
        share, count = group["coverage"].to_numpy(), len(group)
        trials = int(group["n"].sum())
        if (group["n"] <= 2).all():
            hits = round(float((group["coverage"] * group["n"]).sum()))
            ends = stats.binomtest(hits, trials).proportion_ci(LEVEL)
            low, high = ends.low, ends.high
        else:
            half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * share.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
            low, high = max(share.mean() - half, 0.0), min(share.mean() + half, 1.0)
        means = {name: group[name].mean() for name in ("width", "interval_score")}
        row = {"scale": scale, "flux": flux, "intervals": intervals, "coverage": share.mean(), "low": low, "high": high}
        rows.append(row | means | {"worlds": count})
    return pd.DataFrame(rows)


def coverage_page(pooled: pd.DataFrame, *, count: int, picture: str) -> str:
    """Markdown of the pooled table, with the file of its picture."""
    low, high = (f"{100 * share:.0f}" for share in LIMITS)
    text = INTRODUCTION.format(count=count, towers=_listed(TOWERS), noise=_listed(NOISE), low=low, high=high, picture=picture)
    lines = [
        text,
        "| interval of | from | flux | covered (%) | asked for | width | interval score |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += _lines(pooled)
    return "\n".join(lines) + "\n"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _lines(pooled: pd.DataFrame) -> Iterator[str]:
    order = {flux: k for k, flux in enumerate(FLUXES)}
    for row in pooled.sort_values("flux", key=lambda f: f.map(order), kind="stable").itertuples(index=False):
        met = "" if row.intervals != "calibrated" else ("met" if LIMITS[0] <= row.coverage <= LIMITS[1] else "**missed**")
        covered = f"{100 * row.coverage:.0f} [{100 * row.low:.0f}, {100 * row.high:.0f}]"
        cells = (row.scale, row.intervals, row.flux.upper(), covered, met, f"{row.width:.3g}", f"{row.interval_score:.3g}")
        yield f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worlds and write the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20, help="how many virtual Earths")
    parser.add_argument("--cores", default="all", help="processors that the workflow may use")
    parser.add_argument("--page", default="docs/coverage.md", help="the page to write")
    chosen = parser.parse_args(arguments)
    worlds = [World(number) for number in range(chosen.worlds)]
    failed = [world.run for world in worlds if not world.coverage.exists() and not world.simulate(chosen.cores)]
    done = [world for world in worlds if world.coverage.exists()]
    if not done:
        print(f"no world has finished: see {RunLayout(worlds[0].run).folder}/logs/", file=sys.stderr)
        return 1
    pooled = pool_worlds([contracts.read_csv(str(world.coverage), contracts.TRUTH_COVERAGE) for world in done])
    page = Path(chosen.page)
    picture = draw_picture(plot_truth_coverage(pooled), page.stem, caption="", alt="")
    with files.atomic(page.with_suffix(".png")) as part:
        part.write_bytes(picture.png)
    with files.atomic(page) as part:
        part.write_text(coverage_page(pooled, count=len(done), picture=f"{page.stem}.png"), encoding="utf-8")
    if failed:
        print(f"worlds that failed, and are not in {chosen.page}: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

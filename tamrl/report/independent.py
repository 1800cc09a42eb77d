"""Yearly sums of towers beside the map that never saw them, as report and summary read them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tamrl import contracts
from tamrl.calendar import TROPICS
from tamrl.carbon import FLUXES
from tamrl.layout import File, RunFiles
from tamrl.reference.independent import HELD_OUT, PLACES, SCORES, TRAINING, UNSEEN
from tamrl.report.style import format_number, signed_number

ROLE_NAMES = {UNSEEN: "the map, at places that trained no model", HELD_OUT: "the models of the fold that held the place out"}
"""What is judged, in words."""

LABELS = ("judged", "places", "flux")
"""What a row is of."""

COLUMNS = ("number", "groups", "mean", "bias", "RMSE", "r²", "NSE", "inside 90 % (%)", "width", "km")
"""Numbers of a row; sums in gC m-2 yr-1, the last one the median distance to the nearest tower that trained."""


@dataclass(frozen=True)
class IndependentTowers:
    """Places and scores."""

    places: pd.DataFrame
    """`PLACES`, those in training left out, with a column `tropical`."""
    scores: pd.DataFrame
    in_training: int
    """Places of the table that trained and that no fold held out."""

    @classmethod
    def read(cls, run: RunFiles) -> "IndependentTowers | None":
        """Read them; None where the run names no table of yearly sums."""
        if (path := run.find(File.INDEPENDENT)) is None:
            return None
        places = contracts.read_csv(path, PLACES)
        scores = contracts.read_csv(run(File.INDEPENDENT_SCORES), SCORES)
        trained = places.loc[places["role"] == TRAINING, "site"].nunique()
        judged = places[places["role"] != TRAINING]
        return cls(judged.assign(tropical=judged["lat"].abs() <= TROPICS), scores, trained)

    def rows(self, kinds: tuple[str, ...]) -> list[list[str]]:
        """`LABELS` and `COLUMNS` as texts, of the scores of these kinds."""
        part = self.scores[self.scores["kind"].isin(kinds)]
        return [
            [ROLE_NAMES[role], str(row["name"]), flux.upper(), *_numbers(row)]
            for role in ROLE_NAMES
            for flux in FLUXES
            for _, row in part[(part["role"] == role) & (part["flux"] == flux)].iterrows()
        ]

    @property
    def origin(self) -> str:
        """How many places are of which kind."""
        count = self.places.drop_duplicates("site")["role"].value_counts()
        parts = [f"{count.get(role, 0)} places judge {words}" for role, words in ROLE_NAMES.items()]
        return f"{'; '.join(parts)}; {self.in_training} further places of the table trained the maps and judge nothing."


def _numbers(n: pd.Series) -> list[str]:
    nse = f"{format_number(n['nse'])} [{format_number(n['low'])}, {format_number(n['high'])}]"
    return [
        f"{n['places']:.0f}",
        f"{n['groups']:.0f}",
        f"{n['observed']:.0f}",
        signed_number(n["bias"], 0),
        f"{n['rmse']:.0f}",
        format_number(n["r2"]),
        nse if np.isfinite(n["low"]) else format_number(n["nse"]),
        f"{100 * n['coverage']:.0f}",
        f"{n['width']:.0f}",
        f"{n['distance_km']:.0f}",
    ]

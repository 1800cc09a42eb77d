"""Stage of the ceilings: predictions at held-out towers in, scores of the towers' own fluxes and shares of the way out."""

from collections.abc import Sequence

import pandas as pd

from tamrl import contracts, files
from tamrl.errors import ContractError
from tamrl.evaluation import pairs
from tamrl.evaluation.bootstrap import TowerGroups
from tamrl.evaluation.ceilings import ADAPTED, OWN_SEASON, predict_own_season, tower_errors, way_rows
from tamrl.evaluation.metrics import score_towers
from tamrl.sections.results import ScoringProtocol
from tamrl.workflow import stage

START = "record"
"""Start of the window of the ceiling `adapted`: the first month of the record."""

KEYS = ["flux", "site", "date"]


@stage
def measure_ceilings(
    *,
    predictions: str,
    towers: str,
    splits: str,
    ceilings: str,
    shares: str,
    protocol: ScoringProtocol,
    drivers: str,
    adapted: Sequence[str] = (),
) -> None:
    """Score what a tower's own fluxes tell of it, and how far the maps' model comes on the way there.

    Parameters
    ----------
    predictions, towers, splits : by `contracts.PREDICTIONS`, `SITES` and `SPLITS`
    ceilings : output, by `contracts.METRICS`; models are `own_season`, and `adapted: METHOD` where the run adapts its model
    shares : output, by `contracts.SHARES`
    protocol : how models are scored
    drivers : inputs that the adapted model has seen, `grid` or `tower`
    adapted : predictions of the adapted model, `adaptation/{model}.parquet`; one or none

    Raises
    ------
    ContractError
        If nothing can be scored.
    """
    sites, groups = contracts.read_csv(towers, contracts.SITES), TowerGroups.read(splits)
    columns = ["model", "split", "fold", "site", "date", "flux", "observed", "qc", "predicted"]
    frame = pd.read_parquet(files.verified(predictions), columns=columns)
    scored = frame[pairs.is_scored(frame, qc=protocol.qc)]
    if scored.empty:
        raise ContractError("nothing can be scored", where=predictions, found=f"{len(frame)} predictions")
    adapted_split = pairs.split_name(protocol.scheme, drivers if protocol.gridded else "grid")
    metrics, rows = [], []
    for split, of_split in scored.groupby("split", observed=True):
        one = frame[(frame["split"] == split) & (frame["model"] == of_split["model"].iloc[0])]
        references: list[tuple[str, int, pd.DataFrame]] = [(OWN_SEASON, 0, _own_season(one, protocol))]
        references += [(ADAPTED, *_read_adapted(path)) for path in adapted if split == adapted_split]
        for ceiling, months, reference in references:
            asked = [t for t in protocol.targets if t.measure == "way" and t.ceiling == ceiling]
            seen = _scored_steps(of_split[of_split["model"] == of_split["model"].iloc[0]], reference)
            errors = tower_errors(pd.concat([of_split.merge(reference[KEYS].drop_duplicates(), on=KEYS), seen]))
            of_ceiling = way_rows(
                errors,
                groups,
                ours=protocol.map_model,
                rivals=protocol.rivals,
                ceilings=sorted(seen["model"].unique()),
                targets=asked,
            )
            rows += [row | {"ceiling": ceiling, "split": split, "months": months} for row in of_ceiling]
            metrics.append(score_towers(seen, sites, step=protocol.step))
    table = pd.concat(metrics, ignore_index=True)[list(contracts.METRICS.columns)]
    contracts.write_table(ceilings, table, contracts.METRICS, virtual=protocol.virtual)
    texts = dict.fromkeys(("model", "against", "rival", "ceiling", "split", "flux", "met"), "str")
    ways = pd.DataFrame(rows, columns=list(contracts.SHARES.columns)).astype(
        texts | {"towers": int, "groups": int, "months": int}
    )
    contracts.write_table(shares, ways, contracts.SHARES, virtual=protocol.virtual)


def _own_season(frame: pd.DataFrame, protocol: ScoringProtocol) -> pd.DataFrame:
    """Steps that the other years of a tower tell, by the records of one model."""
    records = frame.assign(observed=frame["observed"].where(frame["qc"] >= protocol.qc))
    predicted = predict_own_season(records, step=protocol.step)
    return records[KEYS].assign(model=OWN_SEASON, predicted=predicted).dropna(subset="predicted")


def _read_adapted(path: str) -> tuple[int, pd.DataFrame]:
    """Longest window of the adapted model, and what it predicts outside that, for each method."""
    months = int(pd.read_parquet(files.verified(path), columns=["months"])["months"].max())
    chosen = [("months", "==", months), ("start", "==", START), ("used", "==", False)]
    columns = [*KEYS, "method", "predicted"]
    frame = pd.read_parquet(files.verified(path), filters=chosen, columns=columns).dropna(subset="predicted")
    used = [*chosen[:2], ("used", "==", True)]
    adapted_towers = pd.read_parquet(files.verified(path), filters=used, columns=["site"])["site"].unique()
    frame = frame[frame["site"].isin(adapted_towers)]
    return months, frame[[*KEYS, "predicted"]].assign(model=f"{ADAPTED}: " + frame["method"].astype(str))


def _scored_steps(pairs_of_one: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a reference at the scored steps; every method is scored at the steps that all of them predict."""
    both = pairs_of_one.drop(columns=["model", "predicted"]).merge(reference, on=KEYS)
    return both[both.groupby(KEYS, observed=True)["model"].transform("size") == reference["model"].nunique()]

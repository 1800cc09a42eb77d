"""Leave out whole towers, with the reason."""

import pandas as pd

from tamrl.sections.inputs import Quality


def towers_to_drop(places: pd.DataFrame, coverage: pd.DataFrame, *, exclude: tuple[str, ...], limits: Quality) -> pd.DataFrame:
    """List the towers to leave out, each with the first reason that applies.

    Parameters
    ----------
    places : DataFrame by `contracts.SITES`
    coverage : DataFrame by site; `steps` (good steps) and `months` (number of calendar months with good steps)
    exclude : `towers.exclude` of the configuration
    limits : section `towers.quality`

    Returns a report: site, test (`exclude`, `managed`, `water`, `time_shift`, `min_steps`, `months`), dropped (good steps lost),
    kept = 0, note.
    """
    reports, left = [], pd.Series(True, index=places.index)
    steps = _of(places, coverage, "steps")
    for test, (holds, note) in _reasons(places, coverage, exclude, limits).items():
        now = holds & left
        left &= ~now
        rows = {"site": places["site"][now], "test": test, "dropped": steps[now], "kept": 0, "note": note[now]}
        reports.append(pd.DataFrame(rows))
    return pd.concat(reports, ignore_index=True)


def _of(places: pd.DataFrame, coverage: pd.DataFrame, name: str) -> pd.Series:
    return places["site"].map(coverage[name]).fillna(0).astype(int)  # a tower without good steps is not in the table


def _reasons(
    places: pd.DataFrame, coverage: pd.DataFrame, exclude: tuple[str, ...], limits: Quality
) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return for each active test which towers fail, and the note of each."""
    steps, months = _of(places, coverage, "steps"), _of(places, coverage, "months")
    shift = places["time_shift"]
    reasons = {
        "exclude": (places["site"].isin(exclude), pd.Series("towers.exclude", index=places.index)),
        "managed": (places["managed"].notna() & (limits.managed == "drop"), places["managed"]),
        "water": (places["igbp"] == "WAT", pd.Series("stands over water", index=places.index)),
        "time_shift": (
            shift.abs() >= limits.max_shift,
            shift.map("radiation {:+.1f} h off the sun: check the UTC offset".format),
        ),
        "min_steps": (steps < limits.min_steps, steps.map(f"{{}} good steps, fewer than {limits.min_steps}".format)),
        "months": (months < limits.min_months, months.map(f"{{}} of 12 months, fewer than {limits.min_months}".format)),
    }
    optional = {"water", "time_shift", "months"} - {*limits.tests}
    return {test: reason for test, reason in reasons.items() if test not in optional}

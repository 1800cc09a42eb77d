"""Which towers are left out as a whole, and why."""

import pandas as pd

from tamrl.sections.inputs import Quality


def towers_to_drop(places: pd.DataFrame, coverage: pd.DataFrame, *, exclude: tuple[str, ...], limits: Quality) -> pd.DataFrame:
    """Towers to leave out, each for the first reason that holds.

    Parameters
    ----------
    places : DataFrame by `contracts.SITES`
    kept : DataFrame by site
        `steps` and `months`: good steps, and in how many of the twelve months they lie.
    exclude
        `towers.exclude` of the configuration.
    limits
        Section `towers.quality`.

    Returns
    -------
    DataFrame as a report: site, test (`exclude`, `managed`, `water`, `time_shift`, `min_steps`, `months`), dropped (good
    steps lost), kept = 0, note.
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
    """For each test that is on: which towers fail, and what to say of them."""
    steps, months = _of(places, coverage, "steps"), _of(places, coverage, "months")
    shift = places["time_shift"]

    def say(text: str) -> pd.Series:
        return pd.Series(text, index=places.index)

    reasons = {
        "exclude": (places["site"].isin(exclude), say("towers.exclude")),
        "managed": (places["managed"].notna() & (limits.managed == "drop"), places["managed"]),
        "water": (places["igbp"] == "WAT", say("stands over water")),
        "time_shift": (
            shift.abs() >= limits.max_shift,
            shift.map("radiation {:+.1f} h off the sun: check the UTC offset".format),
        ),
        "min_steps": (steps < limits.min_steps, steps.map(f"{{}} good steps, fewer than {limits.min_steps}".format)),
        "months": (months < limits.min_months, months.map(f"{{}} of 12 months, fewer than {limits.min_months}".format)),
    }
    optional = {"water", "time_shift", "months"} - {*limits.tests}
    return {test: reason for test, reason in reasons.items() if test not in optional}

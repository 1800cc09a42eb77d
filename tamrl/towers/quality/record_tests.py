"""Quality tests of tower records: each is a pure function that marks the values that fail. Every drop is counted.

A record that fails keeps its row; its fluxes become missing. Each test gives a mask per flux (rows of the records, columns
gpp, reco, nee). A mask over NEE covers all three fluxes, because GPP and RECO are made from NEE; a mask over GPP
covers GPP and RECO, because their partitioning failed while NEE was measured. Whole towers are judged in `screening`.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from tamrl import alternatives, carbon, variables
from tamrl.carbon import FLUXES
from tamrl.sections.inputs import Quality
from tamrl.solar import potential_radiation_at_towers

SPIKE = 10.0
"""Robust standard deviations beyond which a jump is a spike. Papale et al. (2006) take 4 to 7 for half hours; among daily means
those take away dark days between bright ones, which are weather, and would bias the towers towards uptake."""

FLAT = 5
"""Steps with exactly the same NEE in a row: a filled gap or a stuck instrument."""

ENERGY = ("net_radiation", "ground_heat_flux", "latent_heat_flux", "sensible_heat_flux")
MIN_ENERGY = 100
"""Days of a year with all of these that its balance needs."""
MIN_AVAILABLE = 10.0
"""W m-2, yearly mean: with less energy a ratio says nothing."""

POTENTIAL_SHARE, POTENTIAL_MORE = 1.05, 15.0
"""Factor and W m-2 above the potential that are still no fault: calibration, cloud edges, twilight, steps of a month."""

_BLOCK = 20
"""Jumps that a calendar month must have to be judged."""

_SCATTER = 0.3
"""gC m-2 d-1: least scatter of double differences, about the random error of a day (Richardson et al. 2006,
doi 10.1016/j.agrformet.2006.01.007); without it every flux of a dormant month would be a spike."""


def _spread(mask: pd.Series) -> pd.DataFrame:
    """A mask of records as a mask of all three fluxes."""
    return pd.DataFrame(dict.fromkeys(FLUXES, mask))


def fill_left(records: pd.DataFrame) -> pd.DataFrame:
    """Return fluxes that still hold a fill value (readers mask them; this is the last gate before a scaler)."""
    return pd.DataFrame({f: records[f].notna() & np.isnan(variables.mask_fill(records[f].to_numpy())[0]) for f in FLUXES})


def poor_quality(records: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return steps with a share of measured or well-filled half hours below `threshold`, or an unknown one; 0 passes all."""
    return _spread(~(records["nee_qc"] >= threshold) & (threshold > 0))


def outside_range(records: pd.DataFrame) -> pd.DataFrame:
    """Return fluxes outside the vocabulary's valid range (gC m-2 d-1)."""
    outside = {f: _outside(records, f) for f in FLUXES}
    return pd.DataFrame({f: outside[f] | outside["nee"] for f in FLUXES})


def drivers_outside_range(records: pd.DataFrame) -> pd.DataFrame:
    """Return drivers outside their valid range, one column for each."""
    names = [c for c in records.columns if c in variables.vocabulary() and c not in FLUXES]
    return pd.DataFrame({n: _outside(records, n) for n in names}, index=records.index)


def _outside(records: pd.DataFrame, name: str) -> pd.Series:
    low, high = variables.get(name).range
    return records[name].notna() & ~records[name].between(low, high)


def spikes(records: pd.DataFrame, *, limit: float = SPIKE) -> pd.DataFrame:
    """Return single days that jump away from both neighbours.

    The double difference d = (x_i - x_i-1) - (x_i+1 - x_i) is compared with its median Md and its median absolute deviation
    MAD: a spike is |d - Md| > limit · MAD / 0.6745 (Papale et al. 2006, doi 10.5194/bg-3-571-2006, eqs 1-3; there for half
    hours within 13 days, here for days within a site's calendar month of all years, as day-to-day scatter has a season). Only
    days with both neighbours are judged. The neighbours of a spike, which jump too, are kept, and so are months with too few
    days to estimate the scatter. The daily `records` are sorted by site and date.
    """
    jump = pd.DataFrame({f: _spike(records, records[f], limit) for f in ("nee", "gpp")})
    return pd.DataFrame({"gpp": jump.any(axis=1), "reco": jump.any(axis=1), "nee": jump["nee"]})


def _spike(records: pd.DataFrame, values: pd.Series, limit: float) -> pd.Series:
    after = (records["site"] == records["site"].shift()) & (records["date"].diff() == pd.Timedelta(days=1))
    both = after & after.shift(-1, fill_value=False)
    double = (2 * values - values.shift() - values.shift(-1)).where(both)
    away = _robust_deviation(double, records["site"], records["date"].dt.month)
    # the double difference of a spike's neighbours is half as large: judge only the largest of three
    peak = away.abs() >= away.abs().rolling(3, center=True, min_periods=1).max()
    return (away.abs() > limit) & peak


def _robust_deviation(values: pd.Series, site: pd.Series, month: pd.Series) -> pd.Series:
    """Distance from the median in robust standard deviations, per site and month; missing where a month has too few."""
    groups = values.groupby([site, month])
    away = values - groups.transform("median")
    sigma = away.abs().groupby([site, month]).transform("median") / 0.6745
    return (away / sigma.clip(lower=_SCATTER)).where(groups.transform("count") >= _BLOCK)


def flat_runs(records: pd.DataFrame, *, length: int = FLAT) -> pd.DataFrame:
    """Return runs of `length` or more steps with exactly the same NEE."""
    nee = records["nee"]
    run = ((nee != nee.shift()) | (records["site"] != records["site"].shift())).cumsum()
    return _spread(nee.notna() & (nee.groupby(run).transform("size") >= length))


def unbalanced(records: pd.DataFrame, limit: float) -> pd.DataFrame:
    """Return steps whose NEE differs from RECO - GPP by more than `limit` (gC m-2 d-1): the partitioning failed.

    Published records need not balance, as the percentiles of each flux are chosen by themselves; the limit is far above that.
    """
    off = carbon.residual(gpp=records["gpp"], reco=records["reco"], nee=records["nee"]).abs() > limit
    return pd.DataFrame({"gpp": off, "reco": off, "nee": False})


def unclosed_energy(records: pd.DataFrame, closure: tuple[float, float]) -> pd.DataFrame:
    """Years of a tower whose energy balance ratio, sum(LE + H) / sum(NETRAD - G), lies outside of `closure`.

    Wilson et al. (2002, doi 10.1016/S0168-1923(02)00109-0, eq. 2), over the steps on which all four were measured. Years with
    fewer than `MIN_ENERGY` of these, or with hardly any available energy, are not judged.
    """
    if not set(ENERGY) <= set(records):
        return _spread(pd.Series(False, index=records.index))
    known = records[list(ENERGY)].notna().all(axis=1)
    net, ground, latent, sensible = (records[name].where(known) for name in ENERGY)
    year = [records["site"], records["date"].dt.year]
    sums = {"turbulent": latent + sensible, "available": net - ground}
    turbulent, available = (values.groupby(year).transform("mean") for values in sums.values())
    judged = (known.groupby(year).transform("sum") >= MIN_ENERGY) & (available > MIN_AVAILABLE)
    return _spread(judged & ~(turbulent / available).between(*closure))


def above_potential(records: pd.DataFrame, places: pd.DataFrame, step: str) -> pd.Series:
    """Return steps whose incoming shortwave radiation exceeds that at the top of the atmosphere."""
    lat = records["site"].map(places.set_index("site")["lat"])
    middle = records["date"] + pd.Timedelta(days=14 if step == "month" else 0)
    potential = potential_radiation_at_towers(lat=lat.to_numpy(), day=middle.dt.day_of_year.to_numpy())
    return records["shortwave_radiation"] > POTENTIAL_SHARE * potential + POTENTIAL_MORE


def active_tests(step: str, limits: Quality) -> dict[str, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return the active tests of single records by name, in order; `limits` is section `towers.quality`.

    Months have too few neighbours for spikes and flat lines, and too few steps per year for the energy balance. The test for
    remaining fill values is always active.
    """
    tests: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "fill_left": fill_left,
        "valid_range": outside_range,
        "nee_qc": lambda records: poor_quality(records, limits.nee_qc),
        "flat": flat_runs,
        "spikes": spikes,
        "residual": lambda records: unbalanced(records, limits.residual),
        "energy_balance": lambda records: unclosed_energy(records, limits.closure),
    }
    never = {"flat", "spikes", "energy_balance"} if step == "month" else set()
    return {name: test for name, test in tests.items() if name == "fill_left" or name in {*limits.tests} - never}


def has_flux(records: pd.DataFrame) -> pd.Series:
    """Return the records with at least one flux."""
    return records[list(FLUXES)].notna().any(axis=1)


def apply_tests(
    records: pd.DataFrame, tests: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the tests in turn, each on the values that passed the one before.

    Fluxes that fail become missing, and `flags` names the tests that a record failed. The report has, for every site and test:
    site, test, dropped (records that lost a flux), kept (records with a flux afterwards), note.
    """
    records, reports = records.assign(flags=""), []
    for name, test in tests.items():
        mask = test(records) & records[list(FLUXES)].notna()
        hit = mask.any(axis=1)
        records.loc[hit, "flags"] += np.where(records.loc[hit, "flags"] == "", name, f",{name}")
        records[list(FLUXES)] = records[list(FLUXES)].mask(mask)
        counts = pd.DataFrame({"dropped": hit, "kept": has_flux(records)}).groupby(records["site"]).sum()
        reports.append(counts.reset_index().assign(test=name, note=None))
    return records, pd.concat(reports, ignore_index=True)


def close_alternatives(records: pd.DataFrame, limits: Quality) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make triples that obey NEE = RECO - GPP of all alternatives (`tamrl.alternatives`), with their own NEE.

    A flux that is missing follows from the two others; else GPP and RECO share what the balance lacks. Where the chosen NEE
    failed a test, an alternative lies outside of the valid range or its balance lacks more than `limits.residual`, it is missing.
    Returns records and report as `apply_tests`; GPP and RECO are changed in place of those that were read.
    """
    closed: dict[str, pd.Series] = {}
    reports = []
    for alternative in alternatives.listed(records.columns):
        names = {flux: alternative.column(flux) for flux in FLUXES}
        names["nee"] = names["nee"] if names["nee"] in records else "nee"
        gpp, reco, nee = (records[name].where(records[name].between(*variables.get(f).range)) for f, name in names.items())
        nee = nee.where(records["nee"].notna())
        gpp, reco = gpp.fillna(reco - nee), reco.fillna(nee + gpp)
        off = carbon.residual(gpp=gpp, reco=reco, nee=nee).abs() > (limits.residual if "residual" in limits.tests else np.inf)
        gpp, reco = carbon.reconcile(gpp=gpp.mask(off), reco=reco, nee=nee, gain=(0.5, -0.5))
        before = records[names["gpp"]].notna() | records[names["reco"]].notna()
        counts = pd.DataFrame({"dropped": before & gpp.isna(), "kept": gpp.notna()}).groupby(records["site"]).sum().reset_index()
        reports.append(counts.assign(test="alternatives", note=alternative.label)[counts["dropped"] + counts["kept"] > 0])
        closed |= {names["gpp"]: gpp, names["reco"]: reco}
    columns = ["site", "dropped", "kept", "test", "note"]
    return records.assign(**closed), pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=columns)


def mask_drivers(records: pd.DataFrame, places: pd.DataFrame, step: str, limits: Quality) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make impossible values of drivers missing.

    Parameters
    ----------
    places : sites with `lat`
    limits : section `towers.quality`

    Returns records and report as `apply_tests`, with counts of values.
    """
    records, first = _mask(records, "driver_range", drivers_outside_range(records))
    if "radiation" not in limits.tests or "shortwave_radiation" not in records:
        return records, first
    above = pd.DataFrame({"shortwave_radiation": above_potential(records, places, step)})
    records, second = _mask(records, "radiation", above)
    return records, pd.concat([first, second], ignore_index=True)


def _mask(records: pd.DataFrame, test: str, mask: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = list(mask.columns)
    counts = pd.DataFrame({"dropped": mask.sum(axis=1), "kept": records[names].notna().sum(axis=1) - mask.sum(axis=1)})
    report = counts.groupby(records["site"]).sum().reset_index().assign(test=test, note="values of drivers")
    report = report[report["dropped"] + report["kept"] > 0]  # a tower without the driver was not tested
    return records.assign(**records[names].mask(mask)), report

"""Check the finished products of a run, as part of the run, and write `checks.csv`.

The checks concern seals, coordinates and units, the carbon balance NEE = RECO - GPP, intervals, and budgets as sums of the maps.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd

from tamrl import calendar, carbon, classes, contracts, files, temporary, units
from tamrl.errors import ContractError, TamrlError
from tamrl.intake import border
from tamrl.layout import File
from tamrl.log import progress
from tamrl.workflow import stage

_log = logging.getLogger(__name__)

TABLES = {
    File.TOWERS: contracts.SITES,
    File.SITE_METRICS: contracts.METRICS,
    File.CEILINGS: contracts.METRICS,
    File.SHARES: contracts.SHARES,
    File.SCORES: contracts.SCORES,
    File.COMPARISONS: contracts.COMPARISONS,
    File.RELIABILITY: contracts.RELIABILITY,
    File.DISSIMILARITY: contracts.DISSIMILARITY,
}
"""Tables of every run, with their contracts."""

ROUNDING = 2e-4
"""Relative difference allowed for rounding: fluxes are stored with at least 13 bits, totals with six digits."""

Triple = tuple[str, str, str]
Check = tuple[str, str, Callable[[], object]]
"""File, name and function of a check, which raises an error where the file fails."""


@stage
def check_products(
    *,
    tables: Sequence[str],
    report: str,
    labels: Sequence[str],
    gpp: Sequence[str] = (),
    reco: Sequence[str] = (),
    nee: Sequence[str] = (),
    further: Sequence[str] = (),
    budgets: str | None = None,
    virtual: bool = False,
) -> None:
    """Test the products of a run and write a table of the checks that passed.

    Parameters
    ----------
    gpp, reco, nee : lists of paths
        Maps of the three fluxes in the same order: those of `labels` first, then members and means.
    further : other maps, for which no balance holds
    tables : those of `TABLES`, in that order
    report : table of the checks (`contracts.CHECKS`)
    labels : labels of the first maps, with which `budgets` are compared
    virtual : whether the inputs of the run were simulated

    Raises `ContractError`, which names the products that are broken, and how.
    """
    by_contract = zip(tables, TABLES.values(), strict=True)
    checks: list[Check] = [(path, "contract", partial(contracts.read_csv, path, schema)) for path, schema in by_contract]
    checks += _map_checks([*gpp, *reco, *nee, *further])
    triples = list(zip(gpp, reco, nee, strict=True))
    checks += [(triple[2], "NEE = RECO - GPP", partial(_check_balance, triple)) for triple in triples]
    if budgets:
        checks += [(budgets, "contract", partial(contracts.read_csv, budgets, contracts.BUDGETS))]
        pairs = zip(labels, triples, strict=False)
        checks += [(budgets, f"sums of the maps of {label}", partial(_check_budgets, budgets, label, t)) for label, t in pairs]
    faults = [fault for check in progress(checks, "checks") if (fault := _fault(*check))]
    if faults:
        raise ContractError(
            "products of the run are broken",
            where=Path(report).parent,
            found="".join(f"\n  {fault}" for fault in faults),
            todo="delete them and give the same command again",
        )
    table = pd.DataFrame([(path, name) for path, name, _ in checks], columns=["file", "check"])
    contracts.write_table(report, table, contracts.CHECKS, virtual=virtual)
    _log.info("%d checks of %d files passed", len(table), table["file"].nunique())


def _fault(path: str, name: str, check: Callable[[], object]) -> str | None:
    """Run a check; return the fault of the file, or None."""
    try:
        with border.reading("the product cannot be read", where=path, error=ContractError):
            check()
    except TamrlError as error:
        _log.error("%s of %s: %s", name, path, error)
        return f"{path}: {name}: {error.asked}" + ("" if error.found is None else f" ({error.found})")
    return None


def _map_checks(paths: Sequence[str]) -> list[Check]:
    checks: list[Check] = []
    for path in paths:
        checks.append((path, "seal", partial(files.verified, path)))
        checks.append((path, "coordinates and units", partial(_check_form, path)))
        checks.append((path, "values", partial(_check_values, path)))
    folders = dict.fromkeys(Path(path).parent for path in paths)
    checks += [(str(folder), "no unfinished file", partial(_check_finished, folder)) for folder in folders]
    return checks


def _check_finished(folder: Path) -> None:
    """Refuse unfinished files of a killed process."""
    if abandoned := temporary.abandoned(folder):
        names = ", ".join(path.name for path in abandoned)
        raise ContractError("unfinished files of a job that was killed", where=folder, found=names)


def _check_form(path: str) -> None:
    """Refuse a map that breaks the conventions: axes, cell bounds, time and units (CF-1.11)."""
    with netCDF4.Dataset(files.verified(path)) as file:
        if not str(getattr(file, "Conventions", "")).startswith("CF-"):
            raise ContractError("no CF conventions are declared", where=path)
        for axis, sign, limit in (("lat", -1, 90.0), ("lon", 1, 180.0)):
            centre, bounds = _numbers(file, axis), _numbers(file, f"{axis}_bnds")
            if not (np.diff(centre) * sign > 0).all() or np.abs(bounds).max() > limit + 1e-9:
                raise ContractError(f"{axis} is not in order or leaves the globe", where=path)
            if not np.allclose(bounds[1:, 0], bounds[:-1, 1]) or not np.allclose(bounds.mean(1), centre):
                raise ContractError(f"the bounds of {axis} do not fit its cells", where=path)
        if "time" in file.variables and not (np.diff(_numbers(file, "time")) > 0).all():
            raise ContractError("time does not increase", where=path)
        for name, variable in _fields(file):
            attributes = {"long_name", *(() if "flag_values" in variable.ncattrs() else ("units",))}
            if missing := attributes - set(variable.ncattrs()):
                raise ContractError(f"{name} has no {' and no '.join(sorted(missing))}", where=path)
            if "units" in attributes:
                units.parse_unit(variable.units)


def _check_values(path: str) -> None:
    """Refuse fields without a value, negative standard deviations and intervals that are upside down."""
    with netCDF4.Dataset(files.verified(path)) as file:
        for name, variable in _fields(file):
            empty, stem = True, name.rpartition("_")[0]
            for part in _parts(variable):
                values = _filled(variable[part])
                empty &= not np.isfinite(values).any()
                if name.endswith("_std") and (values < 0).any():
                    raise ContractError(f"{name} has negative values", where=path)
                if name.endswith("_q05") and (values > _filled(file[f"{stem}_q95"][part])).any():
                    raise ContractError(f"{name} lies above {stem}_q95", where=path)
            if empty:
                raise ContractError(f"{name} has no values", where=path)


def _check_balance(triple: Triple) -> None:
    """Refuse fluxes that do not close, beyond rounding of the stored values."""
    with ExitStack() as stack:
        opened = [stack.enter_context(netCDF4.Dataset(files.verified(path))) for path in triple]
        gpp, reco, nee = (file[flux] for file, flux in zip(opened, carbon.FLUXES, strict=True))
        if not gpp.shape == reco.shape == nee.shape or len({gpp.units, reco.units, nee.units}) > 1:
            raise ContractError("the fluxes differ in shape or units", where=triple, found=(gpp.shape, reco.shape, nee.shape))
        for part in _parts(nee):
            fluxes = {flux: _filled(field[part]) for flux, field in zip(carbon.FLUXES, (gpp, reco, nee), strict=True)}
            missing = {flux: np.isnan(values) for flux, values in fluxes.items()}
            if (missing["gpp"] != missing["nee"]).any() or (missing["reco"] != missing["nee"]).any():
                raise ContractError("the fluxes are missing in different cells", where=triple)
            scale = np.abs(fluxes["gpp"]) + np.abs(fluxes["reco"])
            off = np.abs(carbon.residual(**fluxes)) - ROUNDING * scale
            if (off > 0).any():
                excess = f"{np.nanmax(off):.3g} {nee.units} beyond rounding"
                raise ContractError("NEE is not RECO - GPP", where=triple, found=excess)


def _check_budgets(budgets: str, label: str, triple: Triple) -> None:
    """Refuse totals of all mapped land that are not the sums of the maps."""
    table = contracts.read_csv(budgets, contracts.BUDGETS)
    of_all = table[(table["region"] == classes.name_of_all(table["region"])) & (table["year"] == label)].set_index("flux")["mean"]
    sums = {flux: _petagrams(path, flux) for flux, path in zip(carbon.FLUXES, triple, strict=True)}
    tolerance = ROUNDING * (abs(sums["gpp"]) + abs(sums["reco"]))
    for flux, total in sums.items():
        if not abs(of_all[flux] - total) <= tolerance:
            totals = f"{of_all[flux]:.6g} PgC in the budgets, {total:.6g} PgC in the map"
            raise ContractError(f"the budget of {flux} is not the sum of its map", where=budgets, found=totals)


def _petagrams(path: str, flux: str) -> float:
    """Sum of a flux over land and time, PgC."""
    with netCDF4.Dataset(files.verified(path)) as file:
        variable = file[flux]
        land = _numbers(file, "cell_area") * np.nan_to_num(_numbers(file, "land_fraction"))
        days = _days(file["time"])
        total = 0.0
        for part in _parts(variable):
            total += float(np.einsum("tyx,t,yx->", np.nan_to_num(_filled(variable[part])), days[part], land))
        return float(units.convert(np.array(total), source=variable.units, target=carbon.CF_UNITS)) / carbon.GRAMS_PER_PETAGRAM


def _days(time: "netCDF4.Variable[Any]") -> np.ndarray:
    """Return the length of each step in days; bounds of a climatology span years, so its months come from the calendar."""
    if "climatology" not in time.ncattrs():
        return np.diff(_numbers(time.group(), time.bounds), axis=1)[:, 0]
    start = np.datetime64(str(time.units).split()[2], "D") + _filled(time[:]).astype("timedelta64[D]")
    bounds = calendar.bounds(start, "month").astype("datetime64[D]")
    days: np.ndarray = (bounds[:, 1] - bounds[:, 0]).astype(float)
    return days


def _fields(file: netCDF4.Dataset) -> Iterator[tuple[str, "netCDF4.Variable[Any]"]]:
    """Variables on the cells of the grid."""
    for name, variable in file.variables.items():
        if variable.dimensions[-2:] == ("lat", "lon"):
            yield name, variable


def _parts(variable: "netCDF4.Variable[Any]") -> list[slice]:
    """Divide the first dimension into whole chunks, so that a year of the globe is never in memory."""
    chunks = variable.chunking()
    steps = chunks[0] if isinstance(chunks, list) and variable.ndim > 2 else variable.shape[0]  # else "contiguous"
    return [slice(start, start + steps) for start in range(0, variable.shape[0], steps)]


def _numbers(file: netCDF4.Dataset, name: str) -> np.ndarray:
    if name not in file.variables:
        raise ContractError(f"{name} is missing", where=file.filepath())
    return _filled(file[name][:])


def _filled(values: np.ndarray) -> np.ndarray:
    """Values as float64, NaN where missing."""
    numbers: np.ndarray = np.ma.filled(np.ma.asarray(values, dtype="float64"), np.nan)
    return numbers

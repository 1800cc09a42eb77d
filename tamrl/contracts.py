"""Contracts of the files between stages. A file is checked when it is written and when it is read.

The tables are pandera schemas; the datasets are checked by dimension, coordinate and variable.
`docs/architecture.md` lists the files with their paths.
"""

import numpy as np
import pandas as pd
import pandera.pandas as pa
import xarray as xr

from tamrl import classes, escaping, files, simulated, variables
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError

SITE = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
"""Site ids: letters, digits, dash and underscore, such as `DE-Hai`; never a path. `NA` and `NO` are strings."""

_site = pa.Column(str, pa.Check.str_matches(SITE))
_fraction = pa.Column(float, pa.Check.in_range(0, 1), nullable=True, coerce=True)
_real = pa.Column(float, nullable=True, coerce=True)
_date = pa.Column("datetime64[ns]", coerce=True)
_count = pa.Column(int, pa.Check.ge(0), coerce=True)
_text = pa.Column(str)
_optional_text = pa.Column(str, nullable=True)
_flux_name = pa.Column(str, pa.Check.isin(FLUXES))
_positive = pa.Column(float, pa.Check.ge(0), coerce=True)

TOWERS = pa.DataFrameSchema(
    {"site": _site, "date": _date} | dict.fromkeys(FLUXES, _real) | {"nee_qc": _fraction},
    checks=pa.Check(lambda t: ~t.duplicated(["site", "date"], keep=False), name="one row a site and date"),
    strict=False,
    name="towers",
)
"""One row per site and step: fluxes (gC m-2 d-1), quality, and drivers measured at the tower under their vocabulary names."""

SITES = pa.DataFrameSchema(
    {
        "site": pa.Column(str, pa.Check.str_matches(SITE), unique=True),
        "network": _text,
        "lat": pa.Column(float, pa.Check.in_range(-90, 90), coerce=True),
        "lon": pa.Column(float, pa.Check.in_range(-180, 180), coerce=True),
        "igbp": pa.Column(str, pa.Check.isin(classes.IGBP), nullable=True),
        "koppen": pa.Column(str, pa.Check.isin(classes.KOPPEN), nullable=True),
        "elevation": _real,
        "utc_offset": pa.Column(float, pa.Check.in_range(-14, 14), nullable=True, coerce=True),
        "managed": _optional_text,
    },
    strict=False,
    name="sites",
)
"""One row per tower; `managed` states why a tower does not represent its class (irrigated, ...)."""

COMPARISON = pa.DataFrameSchema(
    {
        "site": _site,
        "variable": _text,
        "units": _text,
        "n": pa.Column(int, pa.Check.ge(1), coerce=True),
        "bias": pa.Column(float, coerce=True),
        "rmse": _positive,
        "r": pa.Column(float, pa.Check.in_range(-1.0000001, 1.0000001), nullable=True, coerce=True),
        "std_tower": _positive,
        "std_grid": _positive,
        "distance_km": _positive,
        "utc_offset": _real,
    },
    name="comparison",
)
"""`drivers/comparison.csv`: gridded minus measured drivers per tower, in the vocabulary's units."""

SENSORS = pa.DataFrameSchema(
    {**dict.fromkeys(("variable", "units", "region", "season", "before", "after"), _text), "n": _count}
    | {**dict.fromkeys(("mean_before", "mean_after", "difference", "rmse", "r"), _real)}
    | {"bound": _real, "jump": pa.Column(bool, coerce=True)},
    name="sensors",
)
"""`drivers/sensors.csv`: a later sensor minus the earlier one that it follows, over cells of the maps."""

QUALITY = pa.DataFrameSchema(
    {"site": _site, "test": _text, "dropped": _count, "kept": _count, "note": _optional_text}, name="quality"
)
"""Records that each quality test removed, per site."""

SPLITS = pa.DataFrameSchema(
    {
        "site": pa.Column(str, pa.Check.str_matches(SITE), unique=True),
        "group": pa.Column(int, coerce=True),
        "fold": _text,
        "since": pa.Column("datetime64[ns]", nullable=True, required=False, coerce=True),
    },
    name="splits",
)
"""The fold that holds each site out; towers of a group share the fold. Only a split in time has `since`: the first time stamp
at which the tower is held out."""

ALWAYS_TRAINS = "none"
"""Fold of towers that are always in training."""

NEAR_TEST = "near-test"
"""Fold of towers that neither train nor score: neighbours of a listed tower, or towers of unknown warmth or time."""

SUMS = pa.DataFrameSchema(
    {"site": _site}
    | dict.fromkeys(("first", "last"), pa.Column("datetime64[ns]", nullable=True, coerce=True))
    | dict.fromkeys(FLUXES, _real)
    | dict.fromkeys([f"{flux}_years" for flux in FLUXES], _positive),
    checks=[
        pa.Check(lambda t: ~t.duplicated(["site", "first", "last"], keep=False), name="one row a site and period"),
        pa.Check(lambda t: t["first"].isna() == t["last"].isna(), name="a period has both ends"),
        pa.Check(lambda t: t["first"].isna() | (t["first"] <= t["last"]), name="a period does not end before it begins"),
        pa.Check(lambda t: t[list(FLUXES)].notna().any(axis=1), name="at least one flux"),
    ],
    strict=True,
    name="sums",
)
"""`sums/sums.csv`: mean fluxes (gC m-2 d-1) from day `first` to day `last`, or of a mean year, and the good years behind."""

SUM_PREDICTIONS = pa.DataFrameSchema(
    {"model": _text, "fold": _text, "member": _count, "site": _site, "group": pa.Column(int, coerce=True), "sum": _count}
    | {"flux": _flux_name, "years": _positive, "observed": _real, "predicted": _real},
    strict=True,
    name="sum_predictions",
)
"""`sums/predictions/{model}.parquet`: mean fluxes at held-out places, one row a member, sum and flux."""

SUM_SCORES = pa.DataFrameSchema(
    {"model": _text, "flux": _flux_name, "places": _count, "groups": _count}
    | dict.fromkeys(("nse", "low", "high", "rmse", "bias"), _real),
    strict=True,
    name="sum_scores",
)
"""`evaluation/sums.csv`: site means of held-out places; `low` and `high` are the ends of the interval of `nse`."""

PREDICTIONS = pa.DataFrameSchema(
    dict.fromkeys(("model", "split", "fold"), _text)
    | {"site": _site, "date": _date, "flux": _flux_name, "observed": _real, "qc": _fraction}
    | dict.fromkeys(("predicted", "std", "q05", "q95"), _real),
    strict=True,
    ordered=True,
    name="predictions",
)
"""`evaluation/predictions.parquet`: held-out towers only. An interface: columns are fixed."""

METRICS = pa.DataFrameSchema(
    dict.fromkeys(("model", "split", "fold"), _text)
    | {"site": _site, "igbp": _optional_text, "koppen": _optional_text, "flux": _flux_name, "scale": _text, "n": _count}
    | dict.fromkeys(("rmse", "mae", "bias", "r2", "nse"), _real),
    strict=True,
    ordered=True,
    name="site_metrics",
)
"""`evaluation/site_metrics.csv`. An interface: columns are fixed."""

SCORES = pa.DataFrameSchema(
    dict.fromkeys(("model", "split"), _text)
    | {"flux": _flux_name}
    | dict.fromkeys(("scale", "kind", "group", "score"), _text)
    | {"towers": _count}
    | dict.fromkeys(("q25", "median", "q75", "p90"), _real),
    strict=True,
    name="scores",
)
"""`evaluation/scores.csv`: quantiles over held-out towers of every score, of all towers and by class, climate and tropics."""

COMPARISONS = pa.DataFrameSchema(
    dict.fromkeys(("model", "rival", "split"), _text)
    | {"flux": _flux_name, "scale": _text, "towers": _count, "groups": _count}
    | dict.fromkeys(("median", "rival_median", "change", "low", "high"), _real)
    | dict.fromkeys(("tower_change", "tower_low", "tower_high", "p90_change", "p90_low", "p90_high", "target"), _real)
    | {"met": _optional_text},
    strict=True,
    name="comparisons",
)
"""`evaluation/comparisons.csv`: change of RMSE in percent from a rival to the maps' model, and whether a target is met."""

SHARES = pa.DataFrameSchema(
    dict.fromkeys(("model", "against", "rival", "ceiling", "split"), _optional_text)
    | {"months": _count, "flux": _flux_name, "towers": _count, "groups": _count}
    | dict.fromkeys(("error", "rival_error", "ceiling_error", "share", "low", "high", "target"), _real)
    | {"met": _optional_text},
    strict=True,
    name="shares",
)
"""`evaluation/shares.csv`: how many percent of the way from a rival's error to a ceiling's the maps' model comes; errors are
geometric means over towers, gC m-2 d-1; `months` of fluxes for the ceiling `adapted`."""

RELIABILITY = pa.DataFrameSchema(
    dict.fromkeys(("model", "split", "scale", "intervals"), _text)
    | {"flux": _flux_name, "kind": _text, "group": _text, "towers": _count, "coverage": _fraction}
    | dict.fromkeys(("width", "crps", "interval_score", "least", "most"), _real)
    | {"met": _optional_text},
    strict=True,
    name="reliability",
)
"""`evaluation/reliability.csv`: coverage, width and proper scores of intervals at held-out towers."""

TRUTH_COVERAGE = pa.DataFrameSchema(
    {"scale": _text, "flux": _flux_name, "intervals": _text, "n": _count, "coverage": _fraction}
    | dict.fromkeys(("width", "interval_score"), _real),
    strict=True,
    name="truth_coverage",
)
"""`evaluation/truth_coverage.csv`: how often the truth of a virtual Earth lies in the intervals of cells, regions and changes."""

DISSIMILARITY = pa.DataFrameSchema({"site": _site, "fold": _text, "dissimilarity": _real}, strict=True, name="dissimilarity")
"""`evaluation/dissimilarity.csv`: distance of the drivers of each held-out tower to those of its training towers."""

ADAPTATION = pa.DataFrameSchema(
    {"model": _text, "method": _text, "start": _text, "months": _count, "fold": _text, "site": _site, "flux": _flux_name}
    | {"n": _count}
    | dict.fromkeys(("rmse", "mae", "bias", "zero_rmse"), _real),
    strict=True,
    name="adaptation",
)
"""`adaptation/{model}.csv`: scores of adapted models outside the months used; `zero_rmse` is that before adaptation."""

SEARCH = pa.DataFrameSchema(
    {"model": _text, "setting": _count, "options": _text, "towers": _count, "groups": _count}
    | dict.fromkeys(("score", "low", "high", *FLUXES, "minutes"), _real)
    | {"chosen": pa.Column(str, pa.Check.isin(("yes", "no"))), "failure": _optional_text},
    checks=pa.Check(lambda t: ~t.duplicated(["model", "setting"], keep=False), name="one row a model and setting"),
    strict=True,
    name="search",
)
"""`search.csv`: RMSE of each setting over that of setting 0 of its model at the same held-out towers, as geometric mean."""

BUDGETS = pa.DataFrameSchema(
    {
        "flux": _flux_name,
        "year": _text,
        "region": _text,
        "area_m2": _positive,
        "mean": pa.Column(float, coerce=True),
        "std": pa.Column(float, pa.Check.ge(0), coerce=True),
        "q05": pa.Column(float, coerce=True),
        "q95": pa.Column(float, coerce=True),
        "member_std": pa.Column(float, pa.Check.ge(0), nullable=True, coerce=True),
    }
    | {name: pa.Column(float, pa.Check.ge(0), coerce=True) for name in ("class_std", "place_std", "passing_std")}
    | {"minimum": pa.Column(float, coerce=True), "maximum": pa.Column(float, coerce=True)},
    strict=True,
    name="budgets",
)
"""`budgets.csv`: PgC yr-1. `std`, `q05` and `q95` are of the total itself. The squares of the four deviations after them add up
to that of `std`: of the members (missing for a single one), of what classes have in common, of places, and of what passes.
Minimum and maximum are those over the members."""

BUDGET_MEMBERS = pa.DataFrameSchema(
    {"flux": _flux_name, "year": _text, "region": _text, "member": _count, "total": pa.Column(float, coerce=True)},
    strict=True,
    name="budget_members",
)
"""`budget_members.csv`: PgC yr-1 of each member, the source of every spread and covariance of totals."""

BUDGET_TRENDS = pa.DataFrameSchema(
    {"flux": _flux_name, "region": _text, "years": _text, "n": _count, "slope": _real, "std": _positive}
    | {"member_std": _real, "passing_std": _positive, "error": _positive},
    strict=True,
    name="budget_trends",
)
"""`budget_trends.csv`: PgC yr-2; empty for fewer than three years. `std` is of the slope of the fluxes of these years: of the
members and of the errors that pass. `error` is of the slope as an estimate of a longer trend, from the scatter of the years."""

REGIONS = BUDGETS.add_columns(
    {
        "month": pa.Column(int, pa.Check.in_range(0, 12), coerce=True),
        "kind": pa.Column(str, pa.Check.isin(("globe", "mapped", "band", "class", "region"))),
    }
)
"""`regions.csv`: PgC of each month (of the year where `month` is 0), as `BUDGETS`."""

CHECKS = pa.DataFrameSchema({"file": _text, "check": _text}, strict=True, name="checks")
"""`checks.csv`: checks of the finished products that passed."""

_WORLD = pa.Column(str, pa.Check.isin((simulated.STATEMENT,)), coerce=True)
"""An additional column of all tables of runs on the virtual Earth."""


def check_table(frame: pd.DataFrame, schema: pa.DataFrameSchema, *, where: object) -> pd.DataFrame:
    """Check a table against its schema, and `simulated.COLUMN` if it has that column.

    Raises `ContractError`, which names the first failures.
    """
    if simulated.COLUMN in frame:
        schema = schema.add_columns({simulated.COLUMN: _WORLD})
    try:
        return schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case"]].drop_duplicates().head(5).to_string(index=False)
        raise ContractError(f"the table {schema.name!r} breaks its contract", where=where, found=f"\n{cases}") from None


def write_table(path: str, frame: pd.DataFrame, schema: pa.DataFrameSchema, *, virtual: bool = False, digits: int = 0) -> None:
    """Check a table against its contract and write it as CSV.

    Parameters
    ----------
    virtual : whether the inputs were simulated; the table then states it (`simulated.COLUMN`)
    digits : significant digits of numbers; 0 for all

    Raises `ContractError` if the table breaks its contract; nothing is written then.
    """
    checked = check_table(simulated.label_table(frame, virtual), schema, where=path)
    with files.atomic(path) as part:
        escaping.write_csv(checked, part, **({"float_format": f"%.{digits}g"} if digits else {}))


def read_csv(path: str, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a CSV file and check it against its contract.

    Columns that the contract declares as text are read as text, even if all cells are empty or look like numbers; a tower may be
    called NA. Only empty cells are missing. `simulated.COLUMN` is checked and removed, so that tables of the real and of the
    virtual Earth have the same columns. Raises `ContractError`, also if the file differs from its seal.
    """
    text = {name: str for name, column in schema.columns.items() if str(column.dtype) in ("str", "string", "string[pyarrow]")}
    frame = escaping.unescape_table(pd.read_csv(files.verified(path), dtype=text, keep_default_na=False, na_values=["", "nan"]))
    return check_table(frame, schema, where=path).drop(columns=simulated.COLUMN, errors="ignore")


def _require(ds: xr.Dataset, *, dims: tuple[str, ...], names: tuple[str, ...], where: object) -> None:
    missing = [d for d in dims if d not in ds.dims] + [n for n in names if n not in ds]
    if missing:
        raise ContractError(f"the dataset lacks {', '.join(missing)}", where=where, found=f"{dict(ds.sizes)}, {list(ds)}")


def _dims(ds: xr.Dataset, name: str, expected: tuple[str, ...], where: object) -> None:
    if ds[name].dims != expected:
        raise ContractError(f"{name} must have dimensions {expected}", where=where, found=ds[name].dims)


def _increasing(ds: xr.Dataset, where: object) -> None:
    time = ds["time"].values
    if time.size > 1 and not (np.diff(time) > np.timedelta64(0)).all():
        raise ContractError("time must increase without duplicates", where=where)


def check_cube(ds: xr.Dataset, *, dynamic: tuple[str, ...], static: tuple[str, ...], where: object) -> xr.Dataset:
    """Check gridded drivers and return them: lat falls, lon rises, time increases.

    Parameters
    ----------
    dynamic : variables (time, lat, lon)
    static : variables (lat, lon) or (class, lat, lon)
    """
    _require(ds, dims=("time", "lat", "lon"), names=(*dynamic, *static, "land_fraction"), where=where)
    _increasing(ds, where)
    for name in dynamic:
        _dims(ds, name, ("time", "lat", "lon"), where)
    for name in static:
        kind = variables.get(name).classes
        _dims(ds, name, (*([kind] if kind else []), "lat", "lon"), where)
    if not ((np.diff(ds["lat"]) < 0).all() and (np.diff(ds["lon"]) > 0).all()):
        raise ContractError("lat must fall and lon must rise", where=where)
    return ds


def check_sum_samples(ds: xr.Dataset, *, dynamic: tuple[str, ...], static: tuple[str, ...], where: object) -> xr.Dataset:
    """Check drivers (site, time) and mean fluxes (sum) of the places of sums and return them.

    Parameters
    ----------
    dynamic, static, where : as for `check_samples`
    """
    names = [f"sum_{name}" for name in ("site", "start", "steps", *FLUXES, *(f"{flux}_years" for flux in FLUXES))]
    coordinates = ("lat", "lon", "igbp_class", "koppen_class")
    _require(ds, dims=("site", "time", "sum"), names=(*dynamic, *static, *names, *coordinates), where=where)
    _increasing(ds, where)
    for name in dynamic:
        _dims(ds, name, ("site", "time"), where)
    for name in names:
        _dims(ds, name, ("sum",), where)
    if not ((ds["sum_site"] >= 0) & (ds["sum_site"] < ds.sizes["site"]) & (ds["sum_steps"] > 0)).all():
        raise ContractError("a sum has no place or no steps", where=where)
    for name in (*dynamic, *static):
        variables.check_range(ds[name].values, name=name, where=where)
    return ds


def check_samples(ds: xr.Dataset, *, dynamic: tuple[str, ...], static: tuple[str, ...], where: object) -> xr.Dataset:
    """Check drivers and fluxes of towers and return them: fluxes and nee_qc are (site, time), time increases.

    Parameters
    ----------
    dynamic : variables (site, time)
    static : variables (site) or (site, class)
    """
    names = (*dynamic, *static, *FLUXES, "nee_qc", "lat", "lon", "igbp_class", "koppen_class")
    _require(ds, dims=("site", "time"), names=names, where=where)
    _increasing(ds, where)
    for name in (*dynamic, *FLUXES, "nee_qc"):
        _dims(ds, name, ("site", "time"), where)
    for name in static:
        kind = variables.get(name).classes
        _dims(ds, name, ("site", *([kind] if kind else [])), where)
    for name in (*dynamic, *static, *FLUXES):
        variables.check_range(ds[name].values, name=name, where=where)
    return ds

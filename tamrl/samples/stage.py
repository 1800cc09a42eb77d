"""Stages of the rules split_sites and build_samples."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl import contracts
from tamrl.calendar import Step
from tamrl.errors import ContractError, InputError
from tamrl.files import atomic, verified
from tamrl.intake import border, text
from tamrl.samples import build
from tamrl.samples.splits import split_towers
from tamrl.sections.inputs import Features
from tamrl.sections.models import Splits
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def split_sites(*, towers: str, table: str, splits: Splits, seed: int, samples: str | None = None) -> None:
    """Write which fold holds each tower out.

    Parameters
    ----------
    towers : table of `contracts.SITES`
    table : output, `contracts.SPLITS`
    seed : of the run
    samples : samples that schemes `warm` and `temporal` read warmth and measured steps from
    """
    test_sites = read_sites(Path(splits.test_sites)) if splits.scheme == "sites" and splits.test_sites else []
    warmth, records = _warmth_and_records(samples) if samples else (None, None)
    sites = contracts.read_csv(towers, contracts.SITES)
    result = split_towers(sites, splits=splits, test_sites=test_sites, seed=seed, warmth=warmth, records=records)
    contracts.write_table(table, result, contracts.SPLITS)


def read_sites(path: Path) -> list[str]:
    """Site ids of a list, one per line; blank lines and those that begin with `#` are skipped.

    Raises
    ------
    InputError
        If the list cannot be read, or a line holds something else than one site id; names the line.
    """
    with border.reading("the list of test sites cannot be read", where=path, todo="write one site id per line"):
        lines = text.text_lines(path.read_bytes(), where=path)
    sites = []
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            if not re.fullmatch(contracts.SITE, line):
                todo = "write one site id per line, such as DE-Hai, and remarks in lines that begin with #"
                raise InputError("this is no site id", where=f"{path}, line {number}", found=repr(line), todo=todo)
            sites.append(line)
    return sites


def _warmth_and_records(samples: str) -> tuple[pd.Series, pd.DataFrame]:
    """Mean of the monthly means of air temperature by site (K), and the sites and dates with a measured NEE."""
    ds = xr.load_dataset(verified(samples))
    if "air_temperature" not in ds:
        raise ContractError(
            "the samples hold no air_temperature to find warm towers by",
            where=samples,
            found=list(ds),
            todo="have air_temperature among samples.dynamic",
        )
    months = ds["air_temperature"].groupby("time.month").mean()  # every calendar month weighs the same
    site, step = np.nonzero(np.isfinite(ds["nee"].transpose("site", "time").values))
    sites = ds["site"].values.astype(str)
    records = pd.DataFrame({"site": sites[site], "date": ds["time"].values[step]})
    return pd.Series(months.mean("month").values, index=sites), records


@stage
def build_samples(*, records: str, towers: str, drivers: str, grid: str, tower: str, features: Features, step: Step) -> None:
    """Write drivers and fluxes of all towers, once with drivers of the grid, once with measured ones.

    Parameters
    ----------
    records, towers : tables of `contracts.TOWERS` and `contracts.SITES`
    drivers : collocated drivers, `drivers/towers.nc`
    grid, tower : outputs, `contracts.check_samples`
    """
    dynamic, static = features.dynamic, features.static
    measured = contracts.check_table(pd.read_parquet(verified(records)), contracts.TOWERS, where=records)
    collocated = xr.load_dataset(verified(drivers))
    if lacking := [n for n in (*dynamic, *static) if n not in collocated]:
        raise ContractError(f"the collocated drivers lack {', '.join(lacking)}", where=drivers, found=list(collocated))
    sites = contracts.read_csv(towers, contracts.SITES)
    ds = build.assemble(measured, sites, collocated, dynamic=dynamic, static=static, step=step)
    for output, samples in {grid: ds, tower: build.with_measured(ds, measured)}.items():
        contracts.check_samples(samples, dynamic=dynamic, static=static, where=output)
        encoding = {str(n): {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": np.float32(np.nan)} for n in samples}
        with atomic(output) as part:
            samples.astype({str(n): np.float32 for n in samples}).to_netcdf(part, engine="netcdf4", encoding=encoding)
        nee = samples["nee"]
        _log.info("%s: %d towers, %d steps, %d with NEE", output, *nee.shape, np.isfinite(nee.values).sum())

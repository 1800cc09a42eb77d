"""Reader of the Zarr store of half hours of FLUXNET2015 towers (see `networks.zarr_fluxnet2015`)."""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tamrl.errors import InputError
from tamrl.intake import arrays, border, completeness, times, zarrs
from tamrl.towers.product import Product
from tamrl.towers.reader import aggregate, bif, columns, records
from tamrl.towers.sites import Site

_log = logging.getLogger(__name__)

NAMES = {"ta": "TA_F", "sw_in": "SW_IN_F", "vpd": "VPD_F", "nee": "NEE_VUT_REF", "nee_qc": "NEE_VUT_REF_QC"}
_HPA_PER_KPA = 10.0
_MAX_DIFFERENCE = 4.0
"""Largest difference in hours between a civil clock and the sun."""


def list_towers(path: Path) -> list[Product]:
    """List the towers of the store, sorted."""
    return [Product(site, path) for site in sorted(map(str, _store(path)["site"].values))]


@lru_cache(maxsize=2)
def _store(path: Path) -> xr.Dataset:
    """Open the store once; its variables are read tower by tower."""
    with border.reading(
        "the store cannot be read", where=path, todo="check that it is the folder fluxnet.zarr with its metadata"
    ):
        store = zarrs.open_zarr(zarrs.CheckedStore(path), where=path)
        ends = times.decode_times(store["time"].values, store["time"].attrs, where=f"{path}, coordinate time")
        return store.assign_coords(time=("time", ends))


def _tower(product: Product, where: str) -> xr.Dataset:
    """Read the variables of one tower in physical values."""
    with border.reading("the tower cannot be read", where=where, todo=completeness.INSIDE):
        return arrays.decode_dataset(_store(product.path).sel(site=product.site), where=where, defaults_to_zero=True).load()


def read_stored_tower(product: Product, paths: list[Path], how: records.RecordChoice) -> tuple[pd.DataFrame, Site]:
    """Read the records and the site of one tower, with metadata from the BIF table `paths[1]` if there is one."""
    where = f"{product.path} ({product.site})"
    if how.ustar != "REF":
        raise InputError(
            "the store has fluxes of one u* threshold only", where=where, found=how.ustar, todo="set towers.ustar: REF"
        )
    tower = _tower(product, where)
    raw = _rows(tower, how.partitioning, where)
    mapping = columns.map_columns(raw.columns, partitioning=how.partitioning)
    daily, fills = aggregate.daily_rows(raw, mapping, where=where)
    table, by_site = records.build_records(
        daily, mapping, site=product.site, date=daily["TIMESTAMP"], step="day", where=where, made=True
    )
    table = table if how.step == "day" else aggregate.monthly_records(table)
    metadata = bif.read_bif_sites(paths[1]).set_index("site") if len(paths) > 1 else pd.DataFrame()
    place = metadata.loc[product.site].to_dict() if product.site in metadata.index else {}
    place |= {"lat": float(tower["latitude"]), "lon": float(tower["longitude"])} if not place else {}
    counts = {name: by_site.loc[product.site, name] + n for name, n in fills.items()}
    return table, Site.from_row({**place, "site": product.site, "network": "zarr_fluxnet2015", **counts})


def _rows(tower: xr.Dataset, partitioning: columns.Partitioning, where: object) -> pd.DataFrame:
    """Return half-hourly or hourly rows with the columns, units and local standard time of ONEFlux."""
    frame = tower[[*NAMES, f"gpp_{partitioning.lower()}"]].reset_coords(drop=True).to_dataframe()
    frame = frame.dropna(how="all").sort_index()
    if len(frame) < 2:
        raise InputError("the tower has no records", where=where, found=f"{len(frame)} half hours")
    minutes = int(pd.Series(frame.index).diff().mode()[0].total_seconds() // 60)
    offset = _offset(frame.index[0], minutes, float(tower["longitude"]), where)
    end = frame.index + pd.Timedelta(hours=offset)
    frame = frame.rename(columns=NAMES | {f"gpp_{partitioning.lower()}": f"GPP_{partitioning}_VUT_REF"})
    frame["VPD_F"] *= _HPA_PER_KPA
    frame["NEE_VUT_REF_QC"] = np.rint(frame["NEE_VUT_REF_QC"])
    frame[f"RECO_{partitioning}_VUT_REF"] = frame["NEE_VUT_REF"] + frame[f"GPP_{partitioning}_VUT_REF"]
    start = end - pd.Timedelta(minutes=minutes)
    stamps = {aggregate.START: start, aggregate.END: end}
    stamps = {name: time.strftime("%Y%m%d%H%M").astype("int64") for name, time in stamps.items()}
    return frame.assign(**stamps).reset_index(drop=True)


def _offset(first: pd.Timestamp, minutes: int, lon: float, where: object) -> float:
    """Return the UTC offset of the store in hours: records of FLUXNET2015 begin with a year; else that of the sun."""
    new_year = (first + pd.Timedelta(days=182)).replace(month=1, day=1, hour=0, minute=0)
    hours = (new_year + pd.Timedelta(minutes=minutes) - first).total_seconds() / 3600
    if abs(hours - lon / 15) <= _MAX_DIFFERENCE:
        return float(hours)
    _log.warning("%s: the first record %s tells no offset from UTC; that of the sun is taken", where, first)
    return float(round(lon / 15))

"""Alternatives to the chosen fluxes on the axes of the samples: stage of rule build_alternatives."""

import logging

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import xarray as xr

from tamrl import alternatives, carbon
from tamrl.alternatives import Alternative
from tamrl.files import atomic, verified
from tamrl.samples.build import on_axes
from tamrl.sections.inputs import Reading
from tamrl.workflow import stage

_log = logging.getLogger(__name__)


@stage
def build_alternatives(*, records: str, samples: str, alternative: str, reading: Reading) -> None:
    """Write GPP and RECO of each alternative; its NEE is their difference.

    Parameters
    ----------
    records : table of `contracts.TOWERS` with alternatives (`tamrl.alternatives`)
    samples : file of `contracts.check_samples`
    alternative : output; `gpp_<label>` and `reco_<label>` (site, time), and `share` (alternative, site) of the steps with NEE
        that have the alternative
    reading : the chosen fluxes
    """
    with xr.open_dataset(verified(samples)) as ds:
        axes, measured = ds[["site", "time"]].load(), np.isfinite(ds["nee"].transpose("site", "time").values)
    sites, time = axes["site"].values.tolist(), pd.DatetimeIndex(axes["time"].values)
    listed = alternatives.listed(pq.read_schema(verified(records)).names)
    encoding = {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": np.float32(np.nan)}
    chosen = Alternative(reading.partitioning, reading.ustar).label
    shares = np.zeros((len(listed), len(sites)), dtype=np.float32)
    with atomic(alternative) as part:
        axes.assign_attrs(chosen=chosen).to_netcdf(part, engine="netcdf4")
        for k, one in enumerate(listed):  # one after the other: memory does not grow with their number
            names = [one.column(flux) for flux in ("gpp", "reco")]
            table = pd.read_parquet(verified(records), columns=["site", "date", *names])
            values = {name: on_axes(table, name, sites, time) for name in names}
            shares[k] = (np.isfinite(values[names[0]]) & measured).sum(1) / np.maximum(measured.sum(1), 1)
            stored = {name: (("site", "time"), v, {"units": carbon.CF_UNITS}) for name, v in values.items()}
            xr.Dataset(stored).to_netcdf(part, mode="a", engine="netcdf4", encoding=dict.fromkeys(names, encoding))
        labels = np.array([one.label for one in listed], dtype=str)
        share = xr.Dataset({"share": (("alternative", "site"), shares)}, {"alternative": labels})
        share.to_netcdf(part, mode="a", engine="netcdf4")
    towers = ", ".join(f"{one.label} at {n}" for one, n in zip(listed, (shares > 0).sum(1), strict=True))
    _log.info("%s: alternatives of %d towers: %s", alternative, (shares > 0).any(0).sum(), towers or "none")

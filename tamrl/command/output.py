"""What subcommands write: series of places as CSV, NetCDF or JSON, to a file or to the terminal."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamrl import escaping, files
from tamrl.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FORMATS = (".csv", ".nc")
FIRST = ("site", "date", "lat", "lon")


def check_output(output: str | None) -> None:
    """Refuse a file of another format before anything is computed."""
    if output is not None and Path(output).suffix not in FORMATS:
        raise InputError("the output is CSV or NetCDF", where=output, todo=f"let its name end in {' or '.join(FORMATS)}")


def series_table(ds: "xr.Dataset") -> "pd.DataFrame":
    """Rows of a dataset (site, time): site, date, lat, lon, then its variables."""
    small = ds[[str(name) for name in ds.data_vars if set(ds[name].dims) <= {"site", "time"}]]
    table = small.transpose("site", "time", ...).to_dataframe().reset_index().rename(columns={"time": "date"})
    table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    further = [str(name) for name in table if name in ds.coords and name not in FIRST]
    return table[[*FIRST, *further, *(name for name in table if name not in (*FIRST, *further))]]


def deliver_series(ds: "xr.Dataset", *, output: str | None, as_json: bool) -> None:
    """Write series (site, time) to a file, whose name says its format, or as CSV or JSON to the terminal.

    With a file, `as_json` prints a summary as JSON.
    """
    if output is not None:
        with files.atomic(output, sealed=False) as part:
            if output.endswith(".nc"):
                ds.to_netcdf(part, engine="netcdf4")
            else:
                escaping.write_csv(series_table(ds), part)
        summary = {"file": output, "places": ds.sizes["site"], "steps": ds.sizes["time"]}
        print(as_text(summary) if as_json else f"{output}: {ds.sizes['site']} places, {ds.sizes['time']} steps")
    elif as_json:
        rows = series_table(ds)
        plain = rows.astype(object).where(rows.notna(), None).to_dict("records")
        units = {str(name): {k: str(v) for k, v in ds[name].attrs.items()} for name in ds.data_vars}
        print(as_text({"attributes": {k: str(v) for k, v in ds.attrs.items()}, "variables": units, "series": plain}))
    else:
        escaping.write_csv(series_table(ds), sys.stdout)


def as_text(content: Any) -> str:
    """JSON of plain values on indented lines."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)

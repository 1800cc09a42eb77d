"""Tables of records on disk, written and read some towers at a time: memory does not grow with the number of towers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tamrl import contracts
from tamrl.files import atomic, verified


def stored_columns(paths: Sequence[str | Path]) -> list[str]:
    """All columns of several tables, in the order in which they first stand."""
    return list(dict.fromkeys(name for path in paths for name in pq.read_schema(verified(path)).names))


def read_towers(path: str | Path, sites: Sequence[str]) -> pd.DataFrame:
    """The records of some towers, by `contracts.TOWERS`; only the groups of rows that hold these are read."""
    return contracts.check_table(
        pd.read_parquet(verified(path), filters=[("site", "in", list(sites))]), contracts.TOWERS, where=path
    )


@contextmanager
def open_writer(path: str | Path, names: Sequence[str]) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that adds records to a Parquet file with the columns `names`; the file appears when all are there.

    A column that some records do not have is missing there.
    """
    floats = [n for n in names if n not in ("site", "date", "flags")]
    kinds = {"site": pa.large_string(), "date": pa.timestamp("ns"), "flags": pa.large_string()} | dict.fromkeys(
        floats, pa.float64()
    )
    schema = pa.schema([(name, kinds[name]) for name in names])
    with atomic(path) as part, pq.ParquetWriter(part, schema) as file:

        def write(frame: pd.DataFrame) -> None:
            """One group of rows."""
            complete = frame.reindex(columns=list(names))
            file.write_table(pa.Table.from_pandas(complete, schema=schema, preserve_index=False).replace_schema_metadata(None))

        yield write

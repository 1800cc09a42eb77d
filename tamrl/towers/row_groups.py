"""Read and write tables of records a few towers at a time, so that memory does not grow with the number of towers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tamrl import contracts
from tamrl.files import atomic, verified


def stored_columns(paths: Sequence[str | Path]) -> list[str]:
    """Return the columns of several tables, in the order of their first appearance."""
    return list(dict.fromkeys(name for path in paths for name in pq.read_schema(verified(path)).names))


def read_rows_of(path: str | Path, sites: Sequence[str]) -> pd.DataFrame:
    """Read the records of some towers by `contracts.TOWERS`; only row groups with these towers are read."""
    records = pd.read_parquet(verified(path), filters=[("site", "in", list(sites))])
    return contracts.check_table(records, contracts.TOWERS, where=path)


@contextmanager
def open_writer(path: str | Path, names: Sequence[str]) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that adds records to a Parquet file with the columns `names`; absent columns become missing values.

    The file appears at the end of the block.
    """
    kinds = {"site": pa.large_string(), "date": pa.timestamp("ns"), "flags": pa.large_string()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in names])
    with atomic(path) as part, pq.ParquetWriter(part, schema) as file:

        def write(frame: pd.DataFrame) -> None:
            """Add one group of rows."""
            complete = frame.reindex(columns=list(names))
            file.write_table(pa.Table.from_pandas(complete, schema=schema, preserve_index=False).replace_schema_metadata(None))

        yield write

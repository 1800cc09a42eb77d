"""Snakemake's records of finished jobs, each next to its product, as `.<name>.job`.

Snakemake keeps them in `.snakemake/`. If that folder is lost or not moved with a run, Snakemake reruns nothing, whatever changed.
Records next to the products move with them, and Snakemake compares parameters, inputs and code as before.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from tamrl import files
from tamrl.record_paths import portable


class Beside(FilePersistence):  # type: ignore[misc]  # Snakemake has no annotations
    """Records next to the products; those of jobs that older versions ran are in `.snakemake/`."""

    def _read_record(self, key: str) -> MetadataRecord | None:
        return self._read_beside(key)

    @lru_cache(maxsize=4096)  # noqa: B019 (one object per process, as in the base class)
    def _read_beside(self, key: str) -> MetadataRecord | None:
        file = files.job_file(Path(key))
        if not file.is_file():
            return super()._read_record(key)
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            lost = content.pop("sealed") and not files.seal_file(Path(key)).is_file()
            return _unfinished() if lost else MetadataRecord.model_validate(content)
        except (ValueError, KeyError):
            return _unfinished()

    def _write_record(self, key: str, record: MetadataRecord) -> None:
        content = dict(record.items()) | {"sealed": files.seal_file(Path(key)).is_file(), "conda_env": None}
        files.replace_text(files.job_file(Path(key)), files.as_json(content))

    def _delete_record(self, key: str) -> bool:
        files.job_file(Path(key)).unlink(missing_ok=True)
        return bool(super()._delete_record(key))

    def _mark_incomplete(self, key: str, external_jobid: str | None) -> None:
        self._write_record(key, _unfinished())
        super()._mark_incomplete(key, external_jobid)

    def _clear_cache(self) -> None:
        self._read_beside.cache_clear()
        super()._clear_cache()

    def _input(self, job: Any) -> list[str]:
        return list(portable(super()._input(job)))

    def _params(self, job: Any) -> list[Any]:
        return list(portable(FilePersistence._params.__wrapped__(self, job)))  # never cached: stamps are those of the job's end

    def input_checksums(self, job: Any, input_path: Any) -> set[Any]:
        """Checksums that the records have of an input."""
        return set(super().input_checksums(job, portable(str(input_path))))


def _unfinished() -> MetadataRecord:
    """Return the record of an unfinished or unsealed product; no rule has its parameters, so the product is made again."""
    return MetadataRecord(params=["no finished job"], record_format_version=RECORD_FORMAT_VERSION)

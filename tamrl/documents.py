"""Records in JSON files, which one stage writes and others read; each is a frozen model, the contract of its file."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from tamrl.errors import ContractError
from tamrl.files import read_json, write_json
from tamrl.intake import border


class DocumentPart(BaseModel):
    """A part of a record: frozen; unknown keys and values of the wrong type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(DocumentPart):
    """A record in a JSON file."""

    content: ClassVar[str] = "the record"
    """What the file holds, for messages."""

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and check the file.

        Raises `ContractError` if it is missing, damaged or not such a record.
        """
        todo = "delete it and run the workflow again"
        with border.reading(f"{cls.content} cannot be read", where=path, error=ContractError, todo=todo):
            return cls.model_validate(read_json(path))

    def write(self, path: str | Path) -> None:
        """Write the record as sorted, indented JSON, without the fields that are None."""
        write_json(path, self.model_dump(mode="json", exclude_none=True))

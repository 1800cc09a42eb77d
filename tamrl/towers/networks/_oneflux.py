"""Networks whose towers are ONEFlux archives: a declaration of what differs between them; one reader serves them all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tamrl.calendar import Step
from tamrl.towers.product import Product

if TYPE_CHECKING:
    import pandas as pd

    from tamrl.towers.reader.records import RecordChoice
    from tamrl.towers.sites import Site


class ArchiveOptions(Protocol):
    """Options that all these networks have."""

    @property
    def path(self) -> str:
        """Folder of the archives."""

    @property
    def bif(self) -> str | None:
        """BIF table, where it does not lie in the folder."""


@dataclass(frozen=True)
class OnefluxNetwork:
    """The functions of a plug-in for a network of ONEFlux archives.

    Attributes
    ----------
    name : name of the plug-in
    files : names of its files, with the groups `site` (or `icos`) and, for their rank, `kind` and `version`
    example : its files, for the error of an empty folder
    metadata_inside : whether an archive holds the metadata of its tower; else one BIF table of all towers is needed
    rename : turns the columns of the files into those of ONEFlux, where they differ
    """

    name: str
    files: re.Pattern[str]
    example: str
    metadata_inside: bool = True
    rename: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None

    def inputs(self, options: ArchiveOptions) -> list[str]:
        """The folder, and the BIF table if it lies elsewhere."""
        return [options.path, *([options.bif] if options.bif else [])]

    def archives(self, paths: list[Path], options: ArchiveOptions, *, step: Step) -> list[Product]:
        """The newest archive of each tower; see the contract in `networks`."""
        from tamrl.towers.reader import bif, oneflux, records

        bif.read_shared_bif(paths)  # a table that cannot be read is one error, not one of each archive
        if products := oneflux.find_products(paths[0], self.files, step):
            return products
        raise records.no_files(paths[0], f"put {self.example} there, or set towers.{self.name}.path")

    def read_archive(
        self, product: Product, *, paths: list[Path], options: ArchiveOptions, how: "RecordChoice"
    ) -> "tuple[pd.DataFrame, Site]":
        """Records and site of one tower; see the contract in `networks`.

        Parameters
        ----------
        paths : what `inputs` returned
        how : step, partitioning and threshold of friction velocity
        """
        from tamrl.towers.reader import oneflux

        return oneflux.read_tower(
            product, paths, how, network=self.name, metadata_inside=self.metadata_inside, rename=self.rename
        )

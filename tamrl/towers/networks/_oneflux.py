"""Networks whose towers are ONEFlux archives: a declaration of what differs between them; one reader serves them all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tamrl.calendar import Step
from tamrl.options import Strict
from tamrl.towers.product import Product

if TYPE_CHECKING:
    import pandas as pd

    from tamrl.towers.reader.records import RecordChoice
    from tamrl.towers.sites import Site


class ArchiveOptions(Strict):
    """Where the archives lie."""

    path: str
    """Folder of the archives or CSV files."""
    bif: str | None = None
    """BIF table of towers whose archive has no metadata; null takes `*_AA-Flx_BIF*` from the folder, if there is one."""


@dataclass(frozen=True)
class OnefluxNetwork:
    """The functions of a plug-in for a network of ONEFlux archives."""

    name: str
    """Name of the plug-in."""
    files: re.Pattern[str]
    """Names of its files, with the groups `site` (or `icos`) and, for their rank, `kind` and `version`."""
    example: str
    """Its files, for the error of an empty folder."""
    metadata_inside: bool = True
    """Whether an archive holds the metadata of its tower; else one BIF table of all towers is needed."""
    rename: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None
    """Turns the columns of the files into those of ONEFlux, where they differ."""

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

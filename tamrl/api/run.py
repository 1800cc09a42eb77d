"""A finished run: its maps, towers, scores, budgets, predictions, calibration and models, read when they are asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from tamrl import contracts, escaping, files, simulated
from tamrl.calendar import CLIMATOLOGY
from tamrl.carbon import FLUXES
from tamrl.errors import InputError, near
from tamrl.layout import RESULTS, File, RunLayout
from tamrl.maps.means.periods import PERIODS
from tamrl.uncertainty.calibration import Calibration

if TYPE_CHECKING:
    from tamrl.api.prediction import FluxPredictor

OF_STEPS = {"day": "daily", "month": "monthly"}
"""Period of the main maps by the step of the run."""

CONTENT = {
    "towers": File.TOWERS,
    "records": File.RECORDS,
    "scores": File.SCORES,
    "budgets": File.BUDGETS,
    "predictions": File.TOWER_PREDICTIONS,
    "calibration": File.CALIBRATION,
}
"""Single files of a run, by the property that reads them."""


@dataclass(frozen=True)
class Run:
    """A run, `results/<run>`. Nothing is read before it is asked for, and files are compared with their seals then."""

    folder: Path
    verify: bool = True
    """Whether maps are compared with their seals too, which reads them through once; all else is, in any case."""

    @property
    def layout(self) -> RunLayout:
        """Paths of the files of the run."""
        return RunLayout.at(str(self.folder))

    def __repr__(self) -> str:
        content = ", ".join(self.content) or "nothing finished"
        return f"<Run {self.folder.name}: {content}>"

    @property
    def content(self) -> list[str]:
        """What the run has: names of the properties of this class, and periods and labels of its maps."""
        single = [name for name, file in CONTENT.items() if self._path(file).exists()]
        models = [f"models {', '.join(self.models['model'].unique())}"] if len(self.models) else []
        maps = {period: labels for period in self._periods if (labels := sorted(self._maps("gpp", period)))}
        return single + models + [f"maps {period} {', '.join(labels)}" for period, labels in maps.items()]

    def maps(self, flux: str, period: str = "daily", year: int | Iterable[int] | None = None) -> xr.Dataset:
        """Open maps of a flux (time, lat, lon): `<flux>`, `<flux>_std`, `<flux>_q05`, `<flux>_q95`, `applicability` and more.

        Parameters
        ----------
        flux : "gpp", "reco" or "nee"
        period : "daily", "8day", "monthly", "annual", "seasonal" or "climatology"
        year : one or several years; None for all that there are

        Returns
        -------
        Dataset
            Lazy (Dask): values are read when they are computed.

        Raises
        ------
        InputError
            If the run has no such maps.
        """
        if flux not in FLUXES:
            raise InputError(f"no flux named {flux!r}", where=self.folder, todo=near(flux, FLUXES))
        if period not in self._periods:
            raise InputError(f"no period named {period!r}", where=self.folder, todo=near(period, self._periods))
        present = self._maps(flux, period)
        if not present:
            raise self.lacks(f"{period} maps of {flux}")
        years = [year] if isinstance(year, int) else year
        labels = sorted(present) if years is None else [str(one) for one in years]
        if absent := [label for label in labels if label not in present]:
            asked = f"the run has no {period} maps of {flux} for {', '.join(absent)}"
            raise InputError(asked, where=self.folder, found=", ".join(sorted(present)), todo="choose among these years")
        return _open_maps([files.verified(present[label]) if self.verify else present[label] for label in labels])

    @property
    def towers(self) -> pd.DataFrame:
        """Places of the towers, one row each, `contracts.SITES`."""
        return contracts.read_csv(self.path(File.TOWERS), contracts.SITES)

    @property
    def records(self) -> pd.DataFrame:
        """Fluxes (gC m-2 d-1) and drivers that the towers measured, `contracts.TOWERS`."""
        return pd.read_parquet(files.verified(self.path(File.RECORDS)))

    @property
    def scores(self) -> pd.DataFrame:
        """Quantiles over held-out towers of every score of every model, `contracts.SCORES`."""
        return contracts.read_csv(self.path(File.SCORES), contracts.SCORES)

    @property
    def budgets(self) -> pd.DataFrame:
        """Totals of regions and years with their uncertainty, PgC yr-1, `contracts.BUDGETS`."""
        return contracts.read_csv(self.path(File.BUDGETS), contracts.BUDGETS)

    @property
    def predictions(self) -> pd.DataFrame:
        """Observed and predicted fluxes at held-out towers, gC m-2 d-1, `contracts.PREDICTIONS`."""
        return pd.read_parquet(files.verified(self.path(File.TOWER_PREDICTIONS)))

    @property
    def calibration(self) -> Calibration:
        """What turns predictions into intervals, and how well these cover at held-out towers."""
        return Calibration.read(self.path(File.CALIBRATION))

    @property
    def models(self) -> pd.DataFrame:
        """Trained members, one row each: model, fold, member and folder."""
        members = self.layout.present(File.MODEL)
        rows = [(p["model"], p["fold"], int(p["member"]), folder) for p, folder in members if p["member"].isdigit()]
        table = pd.DataFrame(rows, columns=["model", "fold", "member", "folder"])
        return table.sort_values(["model", "fold", "member"], ignore_index=True)

    @property
    def virtual(self) -> bool:
        """Whether the run is of a virtual Earth, as its scores state; False without scores."""
        path = self._path(File.SCORES)
        return path.exists() and simulated.COLUMN in escaping.unescape_table(pd.read_csv(files.verified(path), nrows=0))

    def model(self, name: str | None = None, *, fold: str = "all") -> "FluxPredictor":
        """Load the members of a model, by default those that make the maps; see `load_model`."""
        from tamrl.api.prediction import load_model  # models need torch

        return load_model(self, model=name, fold=fold)

    def choice(self, name: str) -> "Run":
        """Open a choice of the run, such as `day-time`."""
        return open_run(self.layout.choice(name).folder, verify=self.verify)

    def has(self, file: File, **parts: object) -> bool:
        """Whether the run has a file."""
        return self._path(file, **parts).exists()

    def path(self, file: File, **parts: object) -> str:
        """Path of a file; raises `InputError`, which says what the run has, if it is missing."""
        path = self._path(file, **parts)
        if not path.exists():
            raise self.lacks(path.name)
        return str(path)

    def lacks(self, wanted: str) -> InputError:
        """The error of something that the run does not have."""
        todo = "choose what the run has, or finish it: make maps CONFIG=... goes on where it stopped"
        return InputError(f"the run has no {wanted}", where=self.folder, found="; ".join(self.content) or "nothing", todo=todo)

    @property
    def _periods(self) -> tuple[str, ...]:
        return ("daily", *PERIODS, "seasonal", CLIMATOLOGY)

    @property
    def _main_period(self) -> str:
        return OF_STEPS[self.calibration.step] if self.has(File.CALIBRATION) else "daily"

    def _path(self, file: File, **parts: object) -> Path:
        return Path(self.layout(file, **parts))

    def _maps(self, flux: str, period: str) -> dict[str, Path]:
        """Files of a period by their label, a year or years."""
        if period == "seasonal":
            return {parts["span"]: path for parts, path in self.layout.present(File.SEASONAL, flux=flux)}
        further = self._labelled(File.PERIOD, period=period, flux=flux) if period in PERIODS else {}
        if further:
            return further
        main = self._labelled(File.MAP, flux=flux)
        if period == CLIMATOLOGY or (period == "monthly" and CLIMATOLOGY in main):  # twelve months of a mean year
            return {CLIMATOLOGY: main[CLIMATOLOGY]} if CLIMATOLOGY in main else {}
        return main if period == self._main_period else {}

    def _labelled(self, file: File, **parts: object) -> dict[str, Path]:
        """Files of a kind by their label."""
        return {name["label"]: path for name, path in self.layout.present(file, **parts)}


def open_run(folder: str | Path, *, verify: bool = True) -> Run:
    """Open a run by its folder, such as `results/real`; nothing is read yet.

    `verify` says whether maps are compared with their seals: gigabytes are then read before the first number is there. Raises
    `InputError` if the folder is missing or holds no files of a run.
    """
    place = Path(folder).absolute()
    if not place.is_dir():
        beside = sorted(path.name for path in place.parent.glob("*") if path.is_dir())
        shown = f"beside it: {', '.join(beside[:8])}" if beside else f"nothing in {place.parent}"
        todo = f"give the folder of a run below {RESULTS}/; make maps CONFIG=... makes one"
        raise InputError("there is no such run", where=folder, found=shown, todo=todo)
    known = {Path(file).parts[0].partition("{")[0] for file in File}
    inside = sorted(path.name for path in place.iterdir() if not path.name.startswith("."))
    if not known & set(inside):
        shown = ", ".join(inside[:8]) or "an empty folder"
        raise InputError("the folder is not that of a run", where=folder, found=shown, todo=f"give one below {RESULTS}/")
    return Run(place, verify)


def _open_maps(paths: list[Path]) -> xr.Dataset:
    """Open files of one product after each other in time; what they share (axes, land, flags) is taken from the first."""
    return xr.open_mfdataset(
        paths,
        combine="nested",
        concat_dim="time",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        combine_attrs="override",
        join="exact",
        chunks={"time": "auto"},  # multiples of the stored chunks
        engine="netcdf4",
    )

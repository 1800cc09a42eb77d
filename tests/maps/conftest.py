"""A small world on a 10° grid: a sealed cube, sealed predictions, calibrations and a mask, as the stages before leave them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import classes, georeference, stores
from tamrl.carbon import FLUXES
from tamrl.grid import Grid
from tamrl.maps.exports import write_exports
from tamrl.maps.means.stage import write_periods, write_seasonal
from tamrl.maps.stage import write_product
from tamrl.predictions import Manifest
from tamrl.uncertainty import conformal
from tamrl.uncertainty.calibration import Calibration, RankCorrelation, ScaleCalibration
from tamrl.uncertainty.error_model import NO_PAIRS, ErrorModel, FluxErrors, SpatialErrors

WHO = ("creator", "publisher")
ATTRIBUTION = {f"{who}_{what}": "someone" for who in WHO for what in ("name", "institution")}
ATTRIBUTION |= {f"{who}_type": "institution" for who in WHO} | {f"{who}_url": "https://example.org" for who in WHO}
ATTRIBUTION |= {f"{who}_email": "someone@example.org" for who in WHO} | {"metadata_link": "https://example.org"}
names = (
    "acknowledgement",
    "comment",
    "institution",
    "project",
    "program",
    "contributor_name",
    "contributor_role",
    "product_version",
)
ATTRIBUTION |= dict.fromkeys(names, "a test")


@dataclass
class World:
    folder: Path
    label: str
    grid: Grid
    virtual: bool = False

    @property
    def store(self) -> Path:
        return self.folder / f"{self.label}.zarr"

    @property
    def common(self) -> dict:
        return {
            "manifest": self.folder / f"{self.label}.json",
            "cube": self.folder / "cube.zarr",
            "label": self.label,
            "identity": {"run": "test", "config_digest": "0123456789abcdef", "virtual": self.virtual},
            "code": "fedcba9876543210",
        }

    @property
    def tested(self) -> dict:
        return {"calibration": self.folder / "calibration.json", "applicability": self.folder / "applicability.nc"}

    @property
    def errors(self) -> dict:
        return {"calibration": self.folder / "calibration.json"}

    def format(self, **changes) -> dict:
        return {
            "units": "gC m-2 d-1",
            "vegetated_only": True,
            "compression": 1,
            "significant_bits": None,
            "attribution": ATTRIBUTION,
        } | changes

    def write_map(self, flux: str, name: str = "map", **changes) -> Path:
        output = self.folder / f"{name}_{flux}.nc"
        write_product(product="ensemble", **self.common, **self.tested, file=output, format=self.format(**changes), flux=flux)
        return output

    def write_product(self, product: str, flux: str) -> Path:
        output = self.folder / f"{product}_{flux}.nc"
        write_product(product=product, **self.common, **self.tested, file=output, format=self.format(), flux=flux)
        return output

    def write_periods(self, period: str, **changes) -> dict[str, Path]:
        outputs = {flux: self.folder / f"{period}_{flux}.nc" for flux in FLUXES}
        write_periods(**self.common, **self.tested, maps=list(outputs.values()), format=self.format(**changes), period=period)
        return outputs

    def write_seasonal(self, other: "World") -> dict[str, Path]:
        """Over this year and that of another world with the same cube."""
        outputs = {flux: self.folder / f"seasonal_{flux}.nc" for flux in FLUXES}
        made_by = {name: self.common[name] for name in ("identity", "code", "cube")}
        each = {f"{name}s": [world.common[name] for world in (self, other)] for name in ("manifest", "label")}
        write_seasonal(**each, **made_by, **self.tested, maps=list(outputs.values()), format=self.format())
        return outputs

    def write_exports(self, *exports: str) -> Path:
        monthly, output = self.write_periods("monthly"), self.folder / "exports"
        given = {"maps": [self.write_map(flux) for flux in FLUXES], "monthly": list(monthly.values()), "folder": output}
        write_exports(**given, exports=exports, run="test", label=self.label, code="0")
        return output

    def write_members(self, flux: str, **changes) -> Path:
        output = self.folder / f"members_{flux}.nc"
        write_product(product="members", **self.common, file=output, format=self.format(**changes), flux=flux)
        return output


def seal(ds: xr.Dataset, path: Path, chunks: dict | None = None) -> None:
    encoding = {name: {"chunks": chunks[name], "compressors": stores.compressors()} for name in chunks or {}}
    ds.to_zarr(path, zarr_format=3, consolidated=False, encoding=encoding)
    stores.seal_store(path, origin={"sources": {"synthetic": {"version": "1"}}})


def write_manifest(path: Path, *, store: Path, cube: Path, label: str) -> None:
    """The manifest of a sealed store, as inference writes it last."""
    made_from = {"key": "0", "cube": stores.manifest_digest(cube), "model": "tamrl", "members": ()}
    sums = {"digest": "0" * 64, "cells": 0, "missing": 0, "tiles": {}}
    Manifest(label=label, store=store.name, store_digest=stores.manifest_digest(store), **made_from, **sums).write(path)


def cube(grid: Grid, time: pd.DatetimeIndex, attrs: dict, *, igbp: bool = True) -> xr.Dataset:
    """Sea in the west, a coast column with little land, desert in a band, else grass and forest."""
    land = np.ones(grid.shape, "float32")
    land[:, :9], land[:, 9] = 0, 0.01
    land[:, 10] = 0.5
    fraction = np.zeros((len(classes.IGBP), *grid.shape), "float32")
    fraction[classes.IGBP.index("GRA")] = 0.6
    fraction[classes.IGBP.index("EBF")] = 0.4
    fraction[:, 6:8], fraction[classes.IGBP.index("BSV"), 6:8] = 0, 1
    fraction[classes.IGBP.index("GRA"), 8], fraction[classes.IGBP.index("SNO"), 8] = 0.1, 0.5
    fraction[:, land == 0] = np.nan
    ds = xr.Dataset(
        {"evi": (("time", "lat", "lon"), np.zeros((len(time), *grid.shape), "float32")), "land_fraction": (("lat", "lon"), land)},
        coords={"time": time, "lat": grid.lat, "lon": grid.lon},
        attrs={"time_step": "day", "resolution": grid.resolution} | attrs,
    )
    if igbp:
        ds["igbp_fraction"] = ("igbp", "lat", "lon"), fraction
        ds = ds.assign_coords(igbp=("igbp", np.array(classes.IGBP, dtype=object)))
    if "climatology" not in attrs:
        filled = np.zeros((len(time), *grid.shape), "uint8")
        filled[: len(time) // 2, 3, 20:] = 1
        ds["filled_drivers"] = ("time", "lat", "lon"), filled, {"of": 2}
    return ds


def predictions(grid: Grid, time: pd.DatetimeIndex, land: np.ndarray, members: int) -> xr.Dataset:
    rng = np.random.default_rng(1)
    shape = (members, len(time), *grid.shape)
    season = 1 + 0.8 * np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365)[:, None, None] * np.sign(grid.lat)[:, None]
    gpp = rng.gamma(4, 2, shape) * season
    reco = 0.8 * gpp + rng.normal(0.5, 0.3, shape)
    fluxes = {name: np.where(land >= 0.02, x, np.nan).astype("float32") for name, x in (("gpp", gpp), ("reco", reco))}
    for values in fluxes.values():
        values[1 % members, 2, 4, 20] = np.nan  # one member lacks one cell-step
    return xr.Dataset(
        {name: (("member", "time", "lat", "lon"), values) for name, values in fluxes.items()},
        coords={"time": time, "lat": grid.lat, "lon": grid.lon},
    )


def calibration() -> Calibration:
    """Of days and, with smaller errors, of months; years have none."""
    rng = np.random.default_rng(2)
    predicted = rng.gamma(4, 2, 2000)
    towers = {"predicted": predicted, "spread": np.full(2000, 0.5), "site": rng.integers(0, 40, 2000)}
    scales = {}
    for scale, factor, share in (("day", 1.0, 0.8), ("month", 0.5, 1.0)):
        observed = predicted + factor * rng.normal(0, 0.3 + 0.2 * predicted)
        fitted = {flux: conformal.fit_calibration(observed=observed, flux=flux, **towers) for flux in FLUXES}
        fitted = {flux: calibration.model_copy(update={"flux_share": share}) for flux, calibration in fitted.items()}
        scales[scale] = ScaleCalibration(**fitted)
    skill = {"nee": "no demonstrated spatial skill"}
    unlike = {"gpp": RankCorrelation(estimate=-0.05, low=-0.21, high=0.11, n=40, groups=30)}
    coverage = {"day": dict.fromkeys(FLUXES, 0.9)}
    return Calibration(scales=scales, coverage=coverage, skill=skill, dissimilarity=unlike, errors=error_model())


def error_model() -> ErrorModel:
    space = SpatialErrors(nugget=0.3, near=0.7, length_km=160.0, correlogram=NO_PAIRS)
    shares = {"level": 0.5, "season": 0.3, "short": 0.2, "decay_months": 1.0}
    errors = FluxErrors(**shares, place=space, weather=space, correlogram=NO_PAIRS, groups={"GRA": 9, "EBF": 3})
    return ErrorModel(**dict.fromkeys(FLUXES, errors))


def applicability(grid: Grid, land: np.ndarray) -> xr.Dataset:
    ds = georeference.horizontal(lat=grid.lat, lon=grid.lon)
    flags = np.where(land >= 0.02, (np.abs(grid.lat) < 60)[:, None], -1).astype("int8")
    meaning = {"flag_values": np.array([0, 1], "int8"), "flag_meanings": "outside inside", "grid_mapping": "crs"}
    ds["applicability"] = ("lat", "lon"), flags, {"long_name": "area of applicability of the models"} | meaning
    ds["applicability"].encoding["_FillValue"] = np.int8(-1)
    return ds


def build(
    folder: Path, *, label: str, time: pd.DatetimeIndex, members: int = 3, igbp: bool = True, resolution: float = 10.0, **attrs
) -> World:
    grid = Grid(resolution)
    drivers = cube(grid, time, attrs, igbp=igbp)
    land = drivers["land_fraction"].values
    if not (folder / "cube.zarr").exists():
        seal(drivers, folder / "cube.zarr")
    shape = (1, len(time), 5, 7)  # a member and a tile a chunk, as inference writes
    seal(predictions(grid, time, land, members), folder / f"{label}.zarr", {"gpp": shape, "reco": shape})
    write_manifest(folder / f"{label}.json", store=folder / f"{label}.zarr", cube=folder / "cube.zarr", label=label)
    calibration().write(folder / "calibration.json")
    applicability(grid, land).to_netcdf(folder / "applicability.nc")
    return World(folder, label, grid)


@pytest.fixture(scope="session")
def daily(tmp_path_factory) -> World:
    return build(tmp_path_factory.mktemp("daily"), label="2012", time=pd.date_range("2012-01-01", "2012-12-31"))


@pytest.fixture(scope="session")
def climatology(tmp_path_factory) -> World:
    months = pd.date_range("2001-01-01", periods=12, freq="MS")
    attrs = {"time_step": "month", "climatology": "2000-2025"}
    return build(tmp_path_factory.mktemp("climatology"), label="climatology", time=months, **attrs)


@pytest.fixture
def make_world(tmp_path):
    return lambda **arguments: build(tmp_path, **arguments)

"""The land of each cell, and the share of it that carries flux."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from tamrl import classes, stores
from tamrl.errors import ContractError
from tamrl.grid import Grid
from tamrl.maps.outlines import regions_inside

SHARE = f"the models' flux times the vegetated share of the land: 1 less the fractions of {', '.join(classes.UNVEGETATED)}"
NO_CLASSES = "the models' flux for the whole land: the drivers hold no igbp_fraction to tell the vegetated share"
WHOLE = "the models' flux for the whole land, bare or not (maps.vegetated_only: false)"


@dataclass(frozen=True)
class Land:
    """The land of a grid."""

    lat: np.ndarray
    lon: np.ndarray
    """Arrays (lat), (lon): cell centres, degrees."""
    area: np.ndarray
    """Array (lat, lon): whole cells, m2."""
    fraction: np.ndarray
    """Array (lat, lon): share of the cell that is land."""
    share: np.ndarray
    """Array (lat, lon): share of that land that carries flux; NaN where its classes are unknown."""
    igbp: np.ndarray | None
    """Array (class, lat, lon) or None: share of the land per class of `classes.IGBP`."""
    bare: tuple[str, ...]
    """Classes that carry no flux."""
    note: str
    """Definition of `share` for the comments of products."""
    koppen: np.ndarray | None = None
    """Array (class, lat, lon) or None: share of the land per group of `classes.KOPPEN`."""
    region: str | None = None
    """What a regional run maps, in words; other cells have no land."""
    inside: frozenset[str] | None = None
    """Latitude bands, boxes and regions of the IPCC all of whose cells are mapped; None for the globe, with all of them."""

    @property
    def name_of_all(self) -> str:
        """Name of all mapped land in tables."""
        return classes.REGION if self.region else classes.GLOBE

    def rows(self, rows: slice) -> "Land":
        """Return the land of a band of rows."""
        igbp, koppen = (None if shares is None else shares[:, rows] for shares in (self.igbp, self.koppen))
        area, fraction, share = (field[rows] for field in (self.area, self.fraction, self.share))
        return replace(self, lat=self.lat[rows], area=area, fraction=fraction, share=share, igbp=igbp, koppen=koppen)


def describe_land(cube: xr.Dataset, *, vegetated_only: bool) -> Land:
    """Read the land of the grid of a cube: `land_fraction` and, where present, `igbp_fraction` and `koppen_fraction`.

    Raises `ContractError` if the cube does not lie on the global grid of its resolution, or its classes are named otherwise.
    """
    land = _describe(cube, vegetated_only=vegetated_only)
    if stores.MAPPED not in cube.coords:
        return land
    grid = Grid.of_cells(cube)
    mapped = grid.on_globe(cube[stores.MAPPED].values > 0, fill=False)
    return replace(land, region=str(cube.attrs["region"]), inside=regions_inside(mapped, grid.globe))


def _describe(cube: xr.Dataset, *, vegetated_only: bool) -> Land:
    grid = Grid.of_cells(cube)
    fraction = cube["land_fraction"].values.astype(float)
    area = np.broadcast_to(grid.area(), fraction.shape)
    igbp = class_shares(cube, "igbp", classes.IGBP) if "igbp_fraction" in cube else None
    koppen = class_shares(cube, "koppen", classes.KOPPEN) if "koppen_fraction" in cube else None
    lat, lon = cube["lat"].values, cube["lon"].values
    if igbp is None or not vegetated_only:
        note = NO_CLASSES if vegetated_only else WHOLE
        return Land(lat, lon, area, fraction, np.ones_like(fraction), igbp, (), note, koppen)
    bare = [classes.IGBP.index(name) for name in classes.UNVEGETATED]
    share = np.clip(1.0 - igbp[bare].sum(0, dtype=float), 0.0, 1.0)
    return Land(lat, lon, area, fraction, share, igbp, classes.UNVEGETATED, SHARE, koppen)


def class_shares(cube: xr.Dataset, kind: str, names: tuple[str, ...]) -> np.ndarray:
    """Return the fractions of a classification in the order of `names`, float32 (class, lat, lon)."""
    held = [str(name) for name in cube[kind].values] if kind in cube.coords else list(names)
    if sorted(held) != sorted(names):
        raise ContractError(f"the classes of {kind}_fraction are not those of the package", found=held)
    order = [held.index(name) for name in names]
    return cube[f"{kind}_fraction"].transpose(kind, "lat", "lon").values[order].astype("float32")

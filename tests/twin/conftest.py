"""One small virtual Earth for all tests: 5 degrees, two years, written in every format."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tamrl import landmask
from tamrl.sections.inputs import SimulatedWorld
from tamrl.twin import earth, stage
from tamrl.twin.simulation import Simulation

YEARS = [2011, 2012]
TWIN = {"towers": 24, "spinup_years": 1, "modis_ratio": 2, "noise": 1.0, "era5_format": "netcdf", "modis_format": "netcdf"}


def _coarser(land: np.ndarray, resolution: float) -> np.ndarray:
    """Means of half-degree pixels in blocks."""
    size = round(resolution / 0.5)
    return land.reshape(land.shape[0] // size, size, -1, size).mean((1, 3))


@pytest.fixture(scope="session")
def land() -> np.ndarray:
    """Share of land of half-degree pixels: the real coasts."""
    with landmask.mask_file().open("rb") as handle:
        return landmask.land_share(handle, 0.5)


@pytest.fixture(scope="session")
def small_earth(land):
    """An Earth of 10 degrees with 5-degree pixels."""
    return earth.create(_coarser(land, 5.0), resolution=10.0, ratio=2, towers=12, seed=3)


@pytest.fixture(scope="session")
def simulated(small_earth):
    """Its year 2010, month by month, with the simulation after it."""
    simulation = Simulation(small_earth, years=[2010], spinup_years=1)
    return SimpleNamespace(months=list(simulation.months()), simulation=simulation)


@pytest.fixture(scope="session")
def written(land, tmp_path_factory) -> SimpleNamespace:
    """Folders of a world of 5 degrees and all that the stage writes from it."""
    root = tmp_path_factory.mktemp("inputs")
    found = SimpleNamespace(
        world=root / "world.zarr",
        fluxnet2015=root / "towers/fluxnet2015",
        fluxnet=root / "towers/fluxnet",
        era5=root / "era5",
        modis=root / "modis",
        static=root / "static",
        truth={flux: root / f"truth/{flux}_2012.nc" for flux in ("gpp", "reco", "nee")},
    )
    with pytest.MonkeyPatch.context() as patch:  # the mask is read once for all tests
        patch.setattr(landmask, "land_share", lambda handle, resolution: _coarser(land, resolution))
        stage.simulate_world(
            world=str(found.world),
            twin={k: v for k, v in TWIN.items() if k in SimulatedWorld.model_fields},
            time={"step": "day", "years": YEARS},
            resolution=5.0,
            seed=1,
        )
    world = str(found.world)
    stage.write_archives(world=world, fluxnet2015=str(found.fluxnet2015), fluxnet=str(found.fluxnet), twin=TWIN, seed=1)
    stage.write_era5(world=world, folder=str(found.era5), twin=TWIN)
    stage.write_modis(world=world, folder=str(found.modis), twin=TWIN, seed=1)
    stage.write_static(world=world, folder=str(found.static), co2=str(found.static) + "-co2.csv", seed=1)
    stage.write_truth(world=world, files=[str(path) for path in found.truth.values()], labels=["2012"])
    assert not list(Path(root).rglob(".part-*"))
    return found

"""Climate zones by the published rules; vegetation follows climate, not chance alone."""

import numpy as np
import pytest

from tamrl.twin import landcover
from tamrl.twin.landcover import CODE, bioclimate

YEAR = np.cos(2 * np.pi * (np.arange(12) - 6.5) / 12)

# mean and half range of temperature, mm d-1 of rain and its swing with summer, group
STATIONS = {
    "Singapore": (27, 0.5, 6.0, 0.0, 1),
    "Cairo": (22, 7, 0.05, 0.0, 2),
    "London": (11, 6.5, 1.7, 0.0, 3),
    "Moscow": (5, 14, 1.9, 0.3, 4),
    "Barrow": (-11, 15, 0.3, 0.3, 5),
}


def _zone(mean, swing, rain, season):
    temperature = (mean + swing * YEAR)[:, None, None] * np.ones((12, 4, 50))
    return bioclimate(temperature, (rain * (1 + season * YEAR))[:, None, None] * np.ones((12, 4, 50)))


@pytest.mark.parametrize("name", STATIONS)
def test_stations_fall_into_their_koppen_group(name):
    *climate, group = STATIONS[name]
    found = landcover.koppen(_zone(*climate), np.ones((4, 50), bool))
    assert (found == group).all()


def test_sea_has_no_group():
    assert landcover.koppen(_zone(*STATIONS["London"][:4]), np.zeros((4, 50), bool)).max() == 0


def _cover(climate, *, farms=0.0, lon=0.0, seed=1):
    chance = np.random.default_rng(seed).standard_normal((3, 4, 50))
    land = np.ones((4, 50), bool)
    return landcover.land_cover(_zone(*climate), land=land, farms=np.full(land.shape, farms), lon=np.float64(lon), chance=chance)


@pytest.mark.parametrize(
    ("climate", "wanted"),
    [
        ((26, 1, 7, 0.0), {"EBF"}),
        ((26, 4, 0.05, 0.0), {"BSV"}),
        ((-25, 12, 0.5, 0.0), {"SNO"}),
        ((1, 15, 1.4, 0.2), {"ENF", "MF"}),
        ((12, 11, 3.0, 0.0), {"DBF", "MF"}),
    ],
)
def test_vegetation_fits_the_climate(climate, wanted):
    cover = _cover(climate)
    assert np.isin(cover, [CODE[n] for n in wanted]).mean() > 0.6
    assert set(np.unique(cover)) <= set(range(17))


def test_larch_grows_in_eastern_siberia_only():
    cold = (-10, 28, 0.9, 0.3)
    assert (_cover(cold, lon=125.0) == CODE["DNF"]).mean() > 0.5
    assert (_cover(cold, lon=-110.0) == CODE["DNF"]).mean() == 0


def test_farms_take_the_share_given():
    used = np.isin(_cover((12, 11, 2.0, 0.0), farms=0.7), [CODE["CRO"], CODE["CVM"]]).mean()
    assert used == pytest.approx(0.7, abs=0.15)
    assert np.isin(_cover((-11, 15, 0.3, 0.3), farms=0.9), [CODE["CRO"]]).mean() == 0

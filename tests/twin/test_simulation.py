"""A simulated year: complete, repeatable, and the same whoever asks."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from tamrl.twin.lattice import centres
from tamrl.twin.mosaic import vegetated
from tamrl.twin.simulation import Composites, Simulation, composite_dates

pytestmark = pytest.mark.xdist_group("twin")


def test_composites_are_23_a_year_and_begin_anew_each_year():
    dates = composite_dates([2011, 2012])
    assert len(dates) == 46
    assert [d[0].timetuple().tm_yday for d in dates[:3]] == [1, 17, 33]
    assert dates[22] == (date(2011, 12, 19), date(2011, 12, 31))
    assert dates[45] == (date(2012, 12, 18), date(2012, 12, 31))
    assert all((b[0] - a[1]).days == 1 for a, b in pairwise(dates))


def test_a_composite_is_the_mean_of_its_window():
    window = Composites()
    results = [window.add(date(2011, 1, 1 + k), {"evi": np.array([float(k)])}) for k in range(16)]
    assert results[:-1] == [None] * 15
    assert results[-1]["evi"][0] == pytest.approx(7.5)


def test_all_months_and_composites_come_out(simulated, small_earth):
    assert [(m.year, m.month) for m in simulated.months] == [(2010, k) for k in range(1, 13)]
    assert len(simulated.simulation.composites) == 23
    june = simulated.months[5]
    assert june.nodes["t2m"].shape == (30, 19, 36)
    assert june.cells["gpp"].shape == (30, small_earth.mosaic.cell.size)
    assert june.towers["gpp"].shape == (30, 12)
    for values in (*june.nodes.values(), *june.cells.values(), *june.towers.values()):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


def test_the_same_seed_gives_the_same_bits(simulated, small_earth):
    again = Simulation(small_earth, years=[2010], spinup_years=1)
    for month, other in zip(simulated.months, again.months(), strict=True):
        for one, two in ((month.nodes, other.nodes), (month.cells, other.cells), (month.towers, other.towers)):
            for name in one:
                np.testing.assert_array_equal(one[name], two[name])


def test_truth_is_the_vegetated_flux_times_the_vegetated_share(simulated, small_earth):
    parts = small_earth.mosaic
    share = parts.mean(vegetated(parts.tile_kind).astype(float))
    gpp = np.concatenate([m.cells["gpp"] for m in simulated.months])
    assert not gpp[:, share == 0].any()
    assert (gpp.max(0)[share > 0.5] > 0.01).all()


def test_towers_feel_the_weather_of_their_cell(simulated, small_earth):
    month = simulated.months[6]
    parts, towers = small_earth.mosaic, small_earth.towers
    cell = parts.cell[parts.tile_cell[towers.tile]]
    near = centres(month.nodes["t2m"]).reshape(31, -1)[:, cell] - 273.15
    difference = month.towers["celsius"] - near
    assert np.ptp(difference, axis=0).max() < 1e-3, "a constant offset"
    assert 0.1 < np.abs(difference).mean() < 1.5

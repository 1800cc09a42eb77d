"""Vegetation and soil keep their bounds, remember the past, and close their books."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamrl.classes import IGBP, UNVEGETATED
from tamrl.sections.inputs import Equations
from tamrl.twin import ecosystem
from tamrl.twin.ecosystem import Air, Ecosystem, Tiles, greenness


def _tiles(names=IGBP, *, vigour=1.0, age=1.0, irrigated=False, lat=45.0):
    size = len(names)
    full = lambda v: np.full(size, v, "float32")  # noqa: E731
    kind = np.array([IGBP.index(n) for n in names])
    return Tiles(full(lat), kind, full(vigour), full(age), np.full(size, irrigated), full(0.5))


def _air(size, celsius=18.0, vpd=8.0, shortwave=220.0, rain=2.0):
    return Air(*(np.full(size, v, "float32") for v in (celsius, vpd, shortwave, rain)))


def _live(system, air, days, first=150):
    return [system.step(air, (first + k - 1) % 365 + 1) for k in range(days)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_states_keep_their_bounds_in_any_weather(seed):
    rng, size = np.random.default_rng(seed), len(IGBP)
    system = Ecosystem(_tiles(), _air(size))
    for day in range(1, 120):
        air = Air(*(rng.uniform(a, b, size).astype("float32") for a, b in ((-50, 48), (0, 60), (0, 380), (0, 120))))
        gpp, reco = system.step(air, day)
        s = system.state
        assert ((s.soil >= 0) & (s.soil <= 1)).all()
        assert ((s.moisture >= 0) & (s.moisture <= 1)).all()
        assert (s.snow >= 0).all()
        assert ((s.lai >= 0) & (s.lai <= system.p["lai"] + 1e-4)).all()
        assert ((gpp >= 0) & (gpp < 30)).all()
        assert ((reco >= 0) & (reco < 30)).all()
        evi, ndvi = greenness(s, system.tiles.kind)
        assert ((evi > 0) & (evi < 0.7)).all()
        assert ((ndvi > 0) & (ndvi < 0.95)).all()


def test_ice_rock_and_water_carry_no_flux():
    system = Ecosystem(_tiles(UNVEGETATED), _air(3))
    _live(system, _air(3), 60)
    system.settle()
    gpp, reco = system.step(_air(3), 210)
    assert not gpp.any()
    assert not reco.any()


def test_past_rain_changes_todays_greenness_and_flux():
    wet = Ecosystem(_tiles(["GRA", "SAV", "DBF"]), _air(3))
    _live(wet, _air(3), 30)
    dry = copy.deepcopy(wet)
    _live(wet, _air(3, rain=4.0), 60, 180)
    _live(dry, _air(3, rain=0.0), 60, 180)
    today = _air(3, rain=1.0)
    assert (wet.step(today, 240)[0] > 1.2 * dry.step(today, 240)[0]).all()
    assert (greenness(wet.state, wet.tiles.kind)[0] > greenness(dry.state, dry.tiles.kind)[0] + 0.02).all()


def test_past_warmth_opens_the_leaves():
    names = ["DBF", "CRO", "GRA"]
    early, late = Ecosystem(_tiles(names), _air(3, celsius=0.0)), Ecosystem(_tiles(names), _air(3, celsius=0.0))
    _live(early, _air(3, celsius=14.0), 40, 90)
    _live(late, _air(3, celsius=3.0), 40, 90)
    assert (early.state.lai > 1.3 * late.state.lai).all()


def test_respiration_answers_to_past_production():
    rich, poor = (Ecosystem(_tiles(["DBF"]), _air(1)) for _ in range(2))
    for system in (rich, poor):
        _live(system, _air(1, rain=10.0), 120, 100)
        system.settle()
    _live(rich, _air(1, rain=10.0), 20, 220)
    _live(poor, _air(1, rain=10.0, shortwave=30.0), 20, 220)
    today = _air(1)
    assert rich.step(today, 240)[1] > 1.15 * poor.step(today, 240)[1]


def test_the_books_close_but_for_age():
    """A year that repeats: RECO / GPP = 1 - (share of decay) (1 - age)."""
    for age in (1.0, 0.7):
        system = Ecosystem(_tiles(["ENF", "GRA", "EBF"], age=age), _air(3))
        season = [_air(3, celsius=9 - 12 * np.cos(2 * np.pi * d / 365), shortwave=170 - 110 * np.cos(2 * np.pi * d / 365))
                  for d in range(365)]  # fmt: skip
        for year in range(3):
            fluxes = np.array([system.step(season[d], d + 1) for d in range(365)]).sum(0)
            system.settle() if year < 2 else None
        share = 1 - ecosystem.GROWTH - system.p["maintenance"]
        np.testing.assert_allclose(fluxes[1] / fluxes[0], 1 - share * (1 - age), atol=0.02)


def test_production_falls_with_drought_dry_air_cold_and_heat():
    system = Ecosystem(_tiles(["MF"]), _air(1))
    _live(system, _air(1), 60)
    s, p = system.state, system.p
    best = ecosystem.production(s, p, _air(1))
    for bad in (_air(1, vpd=40.0), _air(1, celsius=-15.0), _air(1, celsius=44.0), _air(1, shortwave=40.0)):
        assert ecosystem.production(s, p, bad) < 0.8 * best
    s.soil = s.soil * 0 + 0.05
    assert ecosystem.production(s, p, _air(1)) < 0.3 * best


def test_decay_is_one_at_ten_degrees_and_follows_lloyd_and_taylor():
    system = Ecosystem(_tiles(["GRA"]), _air(1))
    s = system.state
    s.soil[:], s.substrate[:] = 0.9, 4.5
    rates = []
    for celsius in (10.0, 20.0):
        s.ground[:] = celsius
        rates.append(float(ecosystem.decay_rate(s)[0]))
    assert rates[0] == pytest.approx(1.0, abs=0.01)
    assert rates[1] / rates[0] == pytest.approx(np.exp(308.56 * (1 / 56.02 - 1 / 66.02)), rel=1e-3)


def test_other_equations_make_other_worlds():
    stressed = _air(1, celsius=8.0, vpd=20.0)
    base = Ecosystem(_tiles(["MF"]), _air(1))
    _live(base, _air(1), 60)
    gpp = {
        name: float(ecosystem.production(base.state, base.p, stressed, Equations(**chosen))[0])
        for name, chosen in {"standard": {}, "least": {"stress": "least"}, "exponential": {"light": "exponential"}}.items()
    }
    assert gpp["least"] > 1.1 * gpp["standard"]  # one stress alone takes less than both
    assert gpp["standard"] < gpp["exponential"] < 2 * gpp["standard"]
    assert np.array_equal(
        ecosystem.production(base.state, base.p, stressed), ecosystem.production(base.state, base.p, stressed, Equations())
    )
    base.state.ground[:] = 10.0
    cool = ecosystem.decay_rate(base.state, Equations(decay="q10"))
    base.state.ground[:] = 20.0
    assert ecosystem.decay_rate(base.state, Equations(decay="q10")) / cool == pytest.approx(2.0, rel=1e-5)
    light = np.float32([2.0, 10.0])
    assert np.ptp(ecosystem.saturating(light, Equations(light="linear")) / light) < 1e-6


def test_traits_show_in_the_flux_and_partly_in_the_index():
    weak, strong = (Ecosystem(_tiles(["DBF"], vigour=v), _air(1)) for v in (0.8, 1.2))
    flux = [np.sum([f[0] for f in _live(e, _air(1), 90)]) for e in (weak, strong)]
    evi = [float(greenness(e.state, e.tiles.kind)[0][0]) for e in (weak, strong)]
    assert flux[1] / flux[0] > 1.4
    assert 1.0 < evi[1] / evi[0] < flux[1] / flux[0]


def test_irrigation_keeps_crops_green_through_drought():
    watered, left = (Ecosystem(_tiles(["CRO"], irrigated=i), _air(1)) for i in (True, False))
    dry = _air(1, rain=0.0)
    assert _live(watered, dry, 90)[-1][0] > 2 * _live(left, dry, 90)[-1][0]


def test_snow_piles_up_melts_and_hides_the_leaves():
    system = Ecosystem(_tiles(["ENF"]), _air(1))
    before = greenness(system.state, system.tiles.kind)[1][0]
    _live(system, _air(1, celsius=-10.0, rain=3.0), 20, 10)
    assert system.state.snow[0] == pytest.approx(60, rel=0.01)
    assert greenness(system.state, system.tiles.kind)[1][0] < 0.5 * before
    _live(system, _air(1, celsius=8.0, rain=0.0), 10, 60)
    assert system.state.snow[0] == 0

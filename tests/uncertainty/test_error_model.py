"""The structure of errors is found again where it is known, and sums over simulated fields vary as it says."""

import numpy as np
import pandas as pd
import pytest

from tamrl.grid import great_circle_km
from tamrl.uncertainty.aggregate import ErrorField, SumVariance
from tamrl.uncertainty.error_model import NO_PAIRS, FluxErrors, HeldOut, SpatialErrors, fit_flux_errors, fit_space


def errors(level=0.5, season=0.3, short=0.2, decay=1.0, length=300.0, near=0.8, groups=None) -> FluxErrors:
    space = SpatialErrors(nugget=1 - near, near=near, length_km=length, correlogram=NO_PAIRS)
    shares = {"level": level, "season": season, "short": short, "decay_months": decay}
    return FluxErrors(**shares, place=space, weather=space, correlogram=NO_PAIRS, groups=groups or {})


def field(rng, lat, lon, months, model: FluxErrors) -> np.ndarray:
    """Errors (place, month) with the covariance of the model, without what classes have in common."""
    d = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    between = np.where(d > 0, model.place.near * np.exp(-d / model.place.length_km), 1.0)
    in_space = np.linalg.cholesky(between + 1e-9 * np.eye(len(lat)))
    lag = months[:, None] - months[None]
    in_time = np.linalg.cholesky(model.lasting(lag) + model.passing(lag) + 1e-9 * np.eye(len(months)))
    return in_space @ rng.standard_normal((len(lat), len(months))) @ in_time.T


@pytest.mark.parametrize(
    ("level", "season", "short", "decay"), [(0.6, 0.3, 0.1, 1.0), (0.2, 0.2, 0.6, 2.0), (0.0, 0.5, 0.5, 0.5)]
)
def test_shares_and_decay_are_found_again(level, season, short, decay):
    rng = np.random.default_rng(1)
    model = errors(level, season, short, decay, length=1.0, near=0.0)
    lat, lon = rng.uniform(-60, 70, 300), rng.uniform(-180, 180, 300)
    z = field(rng, lat, lon, np.arange(60), model)
    found = fit_flux_errors(*towers(z, lat, lon))
    assert (found.level, found.season, found.short) == pytest.approx((level, season, short), abs=0.08)
    assert found.level + found.season + found.short == pytest.approx(1)
    assert found.groups == {"CRO": 150, "ENF": 150}


def towers(z, lat, lon, std=2.5):
    sites = [f"XV-{k:03d}" for k in range(len(lat))]
    dates = pd.date_range("2001-01-01", periods=z.shape[1], freq="MS")
    wide = pd.DataFrame(z, index=sites, columns=dates).rename_axis("site").rename_axis("date", axis=1)
    rows = wide.stack().rename("z").reset_index()
    rows = rows.assign(predicted=4.0, std=std, group=rows["site"].str[3:].astype(int))
    places = pd.DataFrame({"site": sites, "lat": lat, "lon": lon, "igbp": np.where(np.arange(len(lat)) % 2, "ENF", "CRO")})
    return rows.assign(observed=rows["predicted"] + std * rows["z"]), places


@pytest.mark.parametrize(("length", "near"), [(320.0, 0.9), (40.0, 0.9), (160.0, 0.4)])
def test_lengths_are_found_again(length, near):
    rng = np.random.default_rng(2)
    centre = rng.uniform(-60, 60, (150, 2)).repeat(4, axis=0)
    lat, lon = (centre + rng.normal(0, length / 160, centre.shape)).T
    z = field(rng, lat, lon, np.arange(48), errors(length=length, near=near))
    found = fit_flux_errors(*towers(z, lat, lon))
    for space in (found.place, found.weather):
        km = length * np.array([0.1, 0.5, 1.0, 2.0])
        assert space.between(km) == pytest.approx(near * np.exp(-km / length), abs=0.15)
        assert space.correlogram.value[0] > space.correlogram.value[-1] and sum(space.correlogram.n) > 1000


def test_gaps_and_short_records_are_no_errors():
    rng = np.random.default_rng(3)
    z = field(rng, np.linspace(0, 60, 30), np.zeros(30), np.arange(36), errors(length=1.0))
    z[rng.random(z.shape) < 0.5] = np.nan
    rows, places = towers(z, np.linspace(0, 60, 30), np.zeros(30))
    found = fit_flux_errors(rows, places)
    assert found.level == pytest.approx(0.5, abs=0.2)
    for few in (rows.drop_duplicates("site"), rows[:0]):
        found = fit_flux_errors(few, places)
        assert (found.level, found.season, found.short) == (1.0, 0.0, 0.0)


def grid(rng, size=9, step=0.5):
    lat, lon = np.meshgrid(np.arange(size) * step + 40, np.arange(size) * step + 10, indexing="ij")
    return lat.ravel(), lon.ravel(), rng.uniform(0.5, 1.5, (24, size * size))


def variance(model, weight, lat, lon, classes=None, months=None) -> SumVariance:
    """Of the sum over all cells and months; the deviation of each month is 1.5."""
    whole = ErrorField.of(model, np.full(weight.shape, 1.5), month=np.arange(len(weight)), lat=lat, lon=lon)
    return whole.sums(weight / 1.5, classes or {}).variance(np.ones(len(weight)) if months is None else months)


@pytest.mark.parametrize("length", [30.0, 100.0, 300.0])
@pytest.mark.parametrize("of", ["year", "difference", "month"])
def test_the_variance_of_a_sum_is_that_of_simulated_fields(length, of):
    """Of a year, of the difference between two, and of a month; cells are joined where the length allows it."""
    rng = np.random.default_rng(4)
    model = errors(0.4, 0.3, 0.3, 2.0, length=length, near=0.7)
    lat, lon, weight = grid(rng)
    sign = {"year": np.r_[np.ones(12), np.zeros(12)], "difference": np.r_[-np.ones(12), np.ones(12)], "month": np.eye(24)[5]}[of]
    sums = [np.sum((weight * sign[:, None]).T * field(rng, lat, lon, np.arange(24), model)) for _ in range(4000)]
    parts = variance(model, weight, lat, lon, months=sign)
    assert parts.of_classes == 0
    assert parts.total == pytest.approx(np.var(sums), rel=0.15)


def test_what_a_class_has_in_common_does_not_average_out():
    rng = np.random.default_rng(5)
    lat, lon, weight = grid(rng, size=20, step=2.0)
    crops, total = {"CRO": np.ones(lat.size)}, weight.sum() ** 2
    few, many, none = (
        variance(errors(1.0, 0.0, 0.0, length=10.0, groups=groups), weight, lat, lon, crops)
        for groups in ({"CRO": 3}, {"CRO": 99}, {})
    )
    assert few.of_classes == pytest.approx(total / 4) and many.of_classes == pytest.approx(total / 100)
    assert none.of_classes == pytest.approx(total) and none.of_places == pytest.approx(0, abs=1e-6)
    assert many.of_places < many.of_classes


def test_shares_that_add_up_to_a_little_more_than_one_are_no_error():
    lat, lon, weight = grid(np.random.default_rng(5), size=4)
    shares = {name: np.full(lat.size, share) for name, share in (("CRO", 0.7), ("ENF", 0.3 + 1e-7))}
    assert variance(errors(), weight, lat, lon, shares).of_places == pytest.approx(0, abs=1e-3)


def test_levels_and_seasons_cancel_where_they_must():
    lat, lon, _ = grid(np.random.default_rng(6))
    year, of_class = np.ones((12, lat.size)), {"ENF": np.ones(lat.size)}
    of_season = variance(errors(0.0, 1.0, 0.0, groups={"ENF": 5}), year, lat, lon, of_class)
    assert of_season.of_places == pytest.approx(0, abs=1e-6) and of_season.of_classes == pytest.approx(0, abs=1e-6)
    change = np.concatenate([year, -year])
    of_level = variance(errors(1.0, 0.0, 0.0, groups={"ENF": 5}), change, lat, lon, of_class)
    assert of_level.of_places == pytest.approx(0, abs=1e-6)


def test_pairs_of_far_cells_are_never_made():
    rng = np.random.default_rng(7)
    lat, lon = rng.uniform(-60, 70, 60_000), rng.uniform(-180, 180, 60_000)
    found = variance(errors(1.0, 0.0, 0.0, length=40.0), np.ones((1, lat.size)), lat, lon)
    assert lat.size < found.of_places < 4 * lat.size


def held_out(rng, towers=400, folds=4) -> HeldOut:
    """Towers crowded in one half of a continent and sparse in the other; every tower is a group."""
    lon = np.r_[rng.uniform(0, 15, towers // 2), rng.uniform(15, 120, towers - towers // 2)]
    lat = rng.uniform(20, 60, towers)
    return HeldOut(lat, lon, np.full(towers, "GRA"), np.arange(towers), rng.integers(0, folds, towers))


def far_field(rng, towers: HeldOut, space: SpatialErrors, times: int) -> np.ndarray:
    """Errors (tower, time) that are alike far from towers that trained."""
    g = space.unlearned(towers.isolation)
    covariance = space.nugget * np.eye(len(g)) + space.far * np.outer(g, g) * np.exp(-towers.distance / space.far_km)
    return np.linalg.cholesky(covariance + 1e-9 * np.eye(len(g))) @ rng.standard_normal((len(g), times))


FAR = SpatialErrors(nugget=0.5, near=0.0, length_km=10.0, far=1.0, far_km=1000.0, correlogram=NO_PAIRS)
PAIRS = ((300.0, 2000.0), (1000.0, 2000.0), (300.0, 100.0))
"""Distance between two cells, and of both to the nearest tower, km."""
TIMES = 24


def fitted_excess(seed: int) -> tuple[np.ndarray, float]:
    """Fitted less true covariance of `PAIRS`, and the standard deviation of it that sampling explains.

    A variance of n independent values is known to its share sqrt(2 / n).
    """
    rng = np.random.default_rng(seed)
    towers = held_out(rng)
    values = far_field(rng, towers, FAR, TIMES)
    space, scale = fit_space(towers, values), np.mean(values**2)  # shares are of the mean square of the towers
    excess = np.array([float(space.between(*pair)) * scale - float(FAR.between(*pair)) for pair in PAIRS])
    return excess, float(np.sqrt(2 / (TIMES * towers.regions(FAR.far_km))))


def test_errors_that_grow_with_the_distance_to_towers_are_found_again():
    excess, _ = fitted_excess(8)
    assert (excess > -0.15).all() and (excess < 0.25).all()  # of lengths that fit alike the longest is taken: rather wide


def test_fitted_errors_are_off_by_no_more_than_sampling_explains():
    """The next longer length may fit alike and is taken then, which makes errors wide rather than narrow."""
    longer = FAR.model_copy(update={"far_km": 2000.0})
    wide = np.array([float(longer.between(*pair)) - float(FAR.between(*pair)) for pair in PAIRS])
    excess, sampling = map(np.array, zip(*map(fitted_excess, range(6)), strict=True))
    error = 3 * sampling[:, None]
    assert (excess >= np.minimum(wide, 0.0) - error).all() and (excess <= np.maximum(wide, 0.0) + error).all()
    of_mean = np.sqrt((error**2).sum()) / len(error)
    mean = np.mean(excess, axis=0)
    assert (mean >= np.minimum(wide, 0.0) - of_mean).all() and (mean <= np.maximum(wide, 0.0) + of_mean).all()


def test_towers_that_taught_each_others_models_are_not_paired():
    """Errors of one fold are alike, those of different folds opposite: all pairs together would say nothing."""
    rng = np.random.default_rng(9)
    centre = rng.uniform(-60, 60, (100, 2)).repeat(4, axis=0)
    lat, lon = (centre + rng.normal(0, 0.2, centre.shape)).T
    fold = np.tile([0, 0, 1, 1], 100)
    values = rng.standard_normal((100, 24)).repeat(4, axis=0) * np.where(fold, 1.0, -1.0)[:, None]
    separate = fit_space(HeldOut(lat, lon, np.full(400, "GRA"), np.arange(400), fold), values)
    mixed = fit_space(HeldOut(lat, lon, np.full(400, "GRA"), np.arange(400), np.zeros(400, int)), values)
    assert separate.correlogram.value[0] > 0.9 > 0.1 > mixed.correlogram.value[0]


@pytest.mark.parametrize(("step", "near_towers"), [(0.5, True), (0.5, False), (2.0, True), (2.0, False)])
def test_the_variance_of_a_region_depends_on_its_towers(step, near_towers):
    """As that of simulated fields; a region without towers errs more than one with a tower in its middle."""
    rng = np.random.default_rng(10)
    lat, lon, weight = grid(rng, step=step)
    space = SpatialErrors(nugget=0.2, near=0.0, length_km=10.0, far=1.0, far_km=1000.0, correlogram=NO_PAIRS)
    at = ((float(lat.mean()), float(lon.mean())),) if near_towers else ((-60.0, -120.0),)
    shares = {"level": 1.0, "season": 0.0, "short": 0.0, "decay_months": 1.0}
    model = FluxErrors(**shares, place=space, weather=space, correlogram=NO_PAIRS, groups={}, towers=at)
    g = space.unlearned(model.isolation(lat, lon))
    d = great_circle_km(lat1=lat[:, None], lon1=lon[:, None], lat2=lat[None], lon2=lon[None])
    load = weight.sum(0)
    expected = load @ (0.2 * np.eye(lat.size) + np.outer(g, g) * np.exp(-d / 1000)) @ load
    assert variance(model, weight, lat, lon).total == pytest.approx(expected, rel=0.12)
    assert (g.mean() < 0.95) == near_towers


def test_few_regions_widen_the_interval_and_neighbours_are_no_further_regions():
    rng = np.random.default_rng(11)
    towers = held_out(rng, 40)
    crowd = HeldOut(*(np.repeat(x, 5, axis=0) for x in (towers.lat, towers.lon, towers.igbp, towers.group, towers.fold)))
    assert crowd.regions(1000.0) == pytest.approx(towers.regions(1000.0))
    assert 1.0 < towers.regions(2000.0) < towers.regions(500.0) < 40.0
    few, many, unknown = (errors().model_copy(update={"regions": n}).quantile(0.95) for n in (5.0, 500.0, None))
    assert few == pytest.approx(2.132, abs=1e-3) and many == pytest.approx(1.648, abs=1e-3)
    assert unknown == pytest.approx(1.645, abs=1e-3)

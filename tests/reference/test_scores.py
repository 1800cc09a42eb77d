"""Scores of maps whose differences from the product are known."""

import numpy as np
import pytest

from tamrl.errors import InputError
from tamrl.reference.compare import compare_gridded
from tamrl.reference.layouts import GRAMS, FluxVariable, GriddedLayout
from tamrl.reference.pairs import band_rows, pair_up
from tamrl.reference.regions import ComparedRegions
from tamrl.reference.regrid import CellGrid
from tamrl.reference.scores import cell_maps, mean_cycles, score_pair
from tamrl.reference.tables import COMPARED_CYCLES, COMPARED_SCORES, COMPARED_TOTALS
from tamrl.reference.totals import compare_totals
from tests.reference.conftest import budgets, known_maps, product_dataset
from tests.reference.writers import written


def layout(per="land", land="run"):
    return GriddedLayout(
        {"gpp": FluxVariable({"gpp": 1}, GRAMS), "nbe": FluxVariable({"x": 1}, GRAMS)}, ".*", "x", per=per, land=land
    )


def scored(maps, ds, quantity="gpp", **options):
    pair = pair_up(ds, layout(**options), quantity, maps)
    regions = ComparedRegions.of(pair, maps.land)
    table = score_pair(pair, regions, product="known")
    COMPARED_SCORES.validate(table)
    return table.set_index("region"), pair, regions


def test_equal_maps_have_no_error():
    table, _, _ = scored(known_maps(["2010", "2011"]), product_dataset("gpp", size=5.0))
    assert table["bias"].abs().max() < 1e-6 and table["rmse"].max() < 1e-3
    assert table["correlation"].min() > 0.99999
    assert table["phase_difference"].abs().max() < 1e-5


def test_maps_meet_on_the_coarser_grid():
    maps = known_maps(["2010", "2011"], size=2.5)
    table, pair, _ = scored(maps, product_dataset("gpp", size=10.0))
    assert pair.grid.shape == (18, 36) and abs(table.loc["globe", "bias"]) < 1e-3 and table.loc["globe", "rmse"] < 0.05
    table, pair, _ = scored(known_maps(["2010", "2011"], size=10.0), product_dataset("gpp", size=2.5))
    assert pair.grid.shape == (18, 36) and table.loc["globe", "rmse"] < 0.05


def test_a_bias_and_a_stretched_season_are_measured():
    maps = known_maps(["2010", "2011"], bias=0.5)
    table, _, _ = scored(maps, product_dataset("gpp", size=5.0))
    np.testing.assert_allclose(table["bias"], 0.5, atol=1e-5)
    np.testing.assert_allclose(table["rmse"], 0.5, atol=1e-4)
    table, _, _ = scored(known_maps(["2010", "2011"], factor=1.2), product_dataset("gpp", size=5.0))
    north = table.loc["50N-90N"]
    assert north["run_amplitude"] / north["product_amplitude"] == pytest.approx(1.2, rel=1e-4)
    assert north["run_std"] / north["product_std"] == pytest.approx(1.2, rel=1e-3)


@pytest.mark.parametrize("shift", [1, -2])
def test_a_late_season_has_a_positive_phase_difference(shift):
    table, _, _ = scored(known_maps(["2010", "2011"], shift=shift), product_dataset("gpp", size=5.0))
    for band in ("50N-90N", "60S-23S", "DBF", "GRA"):
        assert table.loc[band, "phase_difference"] == pytest.approx(shift, abs=0.01)


def test_classes_are_weighted_by_their_land():
    change = lambda values, year, month: values + np.where(np.arange(36)[:, None] < 18, 1.0, 0.0)  # noqa: E731
    table, _, _ = scored(known_maps(["2010", "2011"]), product_dataset("gpp", size=5.0, change=change))
    assert table.loc["DBF", "bias"] == pytest.approx(-1, abs=1e-4) and table.loc["GRA", "bias"] == pytest.approx(0, abs=1e-4)
    assert table.loc["globe", "bias"] == pytest.approx(-0.5, abs=1e-4)
    assert table.loc["globe", "rmse"] == pytest.approx(0.5**0.5, abs=1e-3)


def test_trends_and_variation_need_years_and_are_right():
    years = tuple(range(2001, 2013))
    wave = {year: 0.1 * (-1) ** year for year in years}
    change = lambda values, year, month: values + wave[year]  # noqa: E731
    maps = known_maps([str(year) for year in years])
    table, _, _ = scored(maps, product_dataset("gpp", size=5.0, years=years, change=change))
    globe = table.loc["globe"]
    assert globe["run_trend"] == pytest.approx(0.5, abs=0.01)  # 0.05 a year
    assert globe["product_iav"] == pytest.approx(0.1 * (12 / 10) ** 0.5, rel=0.05) and globe["run_iav"] < 1e-3
    few, _, _ = scored(known_maps(["2010", "2011"]), product_dataset("gpp", size=5.0))
    assert few[["run_trend", "product_iav", "iav_correlation"]].isna().to_numpy().all()


def test_a_mean_year_is_compared_with_the_mean_of_all_years():
    table, pair, _ = scored(known_maps(["climatology"]), product_dataset("gpp", size=5.0, years=(2010, 2011, 2012)))
    assert pair.climatology and pair.years == (2010, 2011, 2012)
    assert table.loc["globe", "bias"] == pytest.approx(-0.05, abs=1e-4)


def run_totals(pair, maps):
    """Totals of the run (year), PgC yr-1, over the compared cells of maps on the same grid as the product or a finer one."""
    area = CellGrid(maps.land.lat, maps.land.lon).area
    days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    labels = maps.labels if pair.climatology else map(str, pair.years)
    return np.array([sum(d * (m * area).sum() for d, m in zip(days, maps.months("gpp", y), strict=True)) / 1e15 for y in labels])


def test_totals_stand_beside_the_intervals_of_the_run():
    ds = product_dataset("gpp", size=10.0, change=lambda values, year, month: np.ones_like(values))
    maps = known_maps(["2010", "2011"])
    _, pair, _ = scored(maps, ds)
    earth = CellGrid(maps.land.lat, maps.land.lon).area.sum() * 365 / 1e15
    assert pair.totals["globe"] == pytest.approx([earth, earth], rel=1e-9)
    assert sum(pair.totals[name] for name in pair.totals if name != "globe") == pytest.approx(pair.totals["globe"])
    mine = run_totals(pair, maps)
    for wide, inside in ((10 * np.abs(mine - earth).max(), 1.0), (1e-3, 0.0)):
        table = compare_totals(pair, budgets(["2010", "2011"], mine[0], wide), product="known")
        COMPARED_TOTALS.validate(table)
        globe = table[table["region"] == "globe"]
        assert (globe["inside"] == inside).all()
        assert globe["compared_share"].to_numpy() == pytest.approx(1) and globe["run_compared"].to_numpy() == pytest.approx(mine)
        assert globe["product_compared"].to_numpy() == pytest.approx(earth, rel=1e-6)
    parts = table[table["region"] != "globe"].groupby("year")[["run_compared", "product_compared"]].sum()
    np.testing.assert_allclose(parts, globe.set_index("year")[["run_compared", "product_compared"]], rtol=1e-9)


@pytest.mark.parametrize("labels", [["2010", "2011"], ["climatology"]])
def test_land_that_a_product_lacks_is_no_difference(labels):
    years = (2010, 2011)
    gap = lambda rows: lambda values, year, month: np.where(np.arange(18)[:, None] < rows, np.nan, values)  # noqa: E731
    maps = known_maps(labels, size=10.0)
    area = CellGrid(maps.land.lat, maps.land.lon).area.sum(1)

    def beside(rows, total, std):
        pair = pair_up(product_dataset("gpp", size=10.0, years=years, change=gap(rows)), layout(), "gpp", maps)
        table = compare_totals(pair, budgets(labels, total, std), product="part")
        return table[table["region"] == "globe"], table[table["region"] == "50N-90N"]

    whole, _ = beside(0, 1.0, 1.0)
    run_total = whole["run_compared"].iloc[0]
    near = 2 * np.abs(whole["product_compared"] - whole["run_compared"]).max() + 1e-3
    few, band = beside(3, run_total, near)
    assert few["compared_share"].to_numpy() == pytest.approx(area[3:].sum() / area.sum(), rel=1e-6) and (few["inside"] == 1).all()
    assert (few["product_total"] < run_total - 1.645 * near).all(), "its own cells would lie outside"
    assert (band["compared_share"] > 0).all() and band["inside"].isna().all()
    many, band = beside(6, run_total, near)
    assert many["inside"].isna().all() and (many["compared_share"] < 0.9).all(), "most of it would be the run's"
    assert (band["compared_share"] == 0).all() and band["inside"].isna().all()


def test_a_flux_per_cell_is_spread_over_the_land_of_the_cell():
    maps = known_maps(["2010", "2011"])
    maps.land.fraction[:] = 0.8
    ds = product_dataset("nbe", size=10.0, change=lambda values, year, month: np.full_like(values, -0.4))
    _, pair, _ = scored(maps, ds, "nbe", per="cell")
    np.testing.assert_allclose(pair.product, -0.5, rtol=1e-6)
    assert pair.flux == "nee"
    _, per_land, _ = scored(maps, ds, "nbe", per="land")
    np.testing.assert_allclose(per_land.product, -0.4, rtol=1e-6)
    assert per_land.totals["globe"] == pytest.approx(0.8 * pair.totals["globe"])


def test_cells_of_little_land_and_little_cover_are_left_out():
    maps = known_maps(["2010", "2011"], size=5.0)
    maps.land.fraction[:4] = 0.3
    hole = lambda values, year, month: np.where((np.arange(18)[:, None] == 9) & (month == 3), np.nan, values)  # noqa: E731
    _, pair, _ = scored(maps, product_dataset("gpp", size=10.0, change=hole))
    rows = pair.cells.any(1)
    assert not rows[:2].any() and not rows[9] and rows[2:9].all() and rows[10:].all()


def test_no_common_year_is_refused():
    with pytest.raises(InputError, match="no full year in common"):
        scored(known_maps(["2015"]), product_dataset("gpp"))


def test_cycles_and_maps_follow_the_pair():
    maps = known_maps(["2010", "2011"], bias=0.5)
    _, pair, regions = scored(maps, product_dataset("gpp", size=5.0))
    cycles = mean_cycles(pair, regions, product="known")
    COMPARED_CYCLES.validate(cycles)
    assert (cycles["run"] - cycles["product_flux"]).to_numpy() == pytest.approx(0.5, abs=1e-5)
    ds = cell_maps(pair)
    np.testing.assert_allclose(ds["gpp_bias"], 0.5, atol=1e-5)
    np.testing.assert_allclose(ds["gpp_rmse"], 0.5, atol=1e-5)


def test_bands_share_rows_by_area():
    rows = band_rows(CellGrid(np.arange(85.0, -90, -10), np.arange(5.0, 360, 10)))
    total = sum(share for name, share in rows.items() if name != "globe")
    np.testing.assert_allclose(total, 1)
    assert 0 < rows["0-23N"][6] < 1  # of the row from 20 to 30° N


def test_a_product_is_compared_from_its_files_on(tmp_path):
    files, maps = written(tmp_path, "trendy"), known_maps(["2010", "2011"])
    result = compare_gridded(maps, budgets(["2010", "2011"]), files, "trendy", name="JULES")
    globe = result.scores[result.scores["kind"] == "globe"].set_index("quantity")
    assert list(globe.index) == ["gpp", "reco", "nee", "nbe"] and set(globe["product"]) == {"JULES"}
    assert globe.loc[["gpp", "reco", "nee"], "bias"].abs().max() < 2e-3
    assert globe.loc["nbe", "bias"] == pytest.approx(-0.1, abs=2e-3) and globe.loc["nbe", "flux"] == "nee"
    assert {"gpp_bias", "nbe_phase_difference"} <= set(result.maps)
    one = [path for path in files if path.name.endswith("gpp.nc")]
    alone = compare_gridded(known_maps(["2010"]), budgets(["2010"]), one, "trendy", name="JULES")
    assert set(alone.scores["quantity"]) == {"gpp"}

from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tamrl.grid import Grid
from tamrl.report import projection, style
from tamrl.report.figures.scores import plot_nse_by_scale


@pytest.mark.parametrize("name", ["gpp", "reco", "spread", "score", "coverage", "density"])
def test_sequential_colours_change_lightness_evenly(name):
    light = style.to_oklab(np.asarray(style.palette(name).colors)[:, :3])[:, 0]
    steps = np.diff(light)
    assert (np.sign(steps[4:-4]) == np.sign(steps.mean())).all()
    assert np.abs(steps).max() < 2.2 * np.abs(steps).mean()


@pytest.mark.parametrize("name", ["nee", "error"])
def test_diverging_colours_are_as_dark_on_both_sides_and_palest_at_zero(name):
    light = style.to_oklab(np.asarray(style.palette(name).colors)[:, :3])[:, 0]
    assert np.argmax(light) in (127, 128)
    np.testing.assert_allclose(light[:128], light[:127:-1], atol=0.03)


def test_limits_are_round_and_nee_is_centred_on_zero():
    values = np.array([-1.7, 0.2, np.nan, 0.9])
    centred = style.colour_limits(values, centred=True)
    assert centred.vmin == -centred.vmax and centred.vmax == 2.0
    assert style.colour_limits(np.abs(values), centred=False).vmin == 0
    assert style.round_up(0.0023) == pytest.approx(0.0025)
    assert style.colour_limits(np.full(3, np.nan), centred=False).vmax == 1


def test_our_model_always_has_the_same_colour():
    assert (
        style.series_colours(["a", "tamrl", "z"], "tamrl")["tamrl"]
        == style.SERIES[0]
        == style.series_colours(["tamrl"], "tamrl")["tamrl"]
    )


def test_a_legend_has_as_many_columns_as_fit():
    figure = style.new_figure(11, 3)
    assert style.legend_columns(figure, ["a", "b", "c"], most=8) == 3 == style.legend_columns(figure, "abcde", most=3)
    assert style.legend_columns(figure, [f"a_long_name_of_a_model_{k}" for k in range(18)], most=18) in (4, 5, 6)
    assert style.legend_columns(figure, ["a" * 500], most=8) == 1 == style.legend_columns(figure, [], most=8)


def test_scores_of_many_models_are_drawn():
    """So many names in one row would leave the panels no width, and matplotlib draws no such figure."""
    models = [f"a_long_name_of_a_model_{k}" for k in range(18)]
    keys = product(models, ["kfold"], ["gpp", "reco", "nee"], ["day", "month"], range(4))
    metrics = pd.DataFrame(keys, columns=["model", "split", "flux", "scale", "nse"]).assign(nse=0.5)
    figure = plot_nse_by_scale(metrics, map_model=models[3])
    FigureCanvasAgg(figure).draw()
    (legend,), width = figure.legends, figure.bbox.width
    assert legend.get_window_extent().width <= width and all(axes.get_window_extent().width > 0.2 * width for axes in figure.axes)


def test_numbers_have_true_minus_signs():
    assert style.format_number(-1.234) == "−1.23" and style.signed_number(0.5) == "+0.50" and style.format_number(np.nan) == "–"
    assert (
        style.format_number(-0.001) == "0.00"
        and style.true_minus("R² -0.02 [-0.21, 0.14], GPP-NEE") == "R² −0.02 [−0.21, 0.14], GPP-NEE"
    )


def test_the_projection_shows_areas_true():
    table = projection.lookup_cells(Grid(10.0), 2400, -90.0)
    drawn = np.bincount(table.row[table.row >= 0], minlength=18)
    share = Grid(10.0).area()[:, 0] / Grid(10.0).area().sum()
    np.testing.assert_allclose(drawn / drawn.sum(), share, atol=0.002)


def test_each_place_shows_its_own_cell_once():
    values = np.arange(18 * 36, dtype=float).reshape(18, 36)
    base = projection.draw_basemap(np.ones_like(values), Grid(10.0))
    pixels, (left, right, bottom, top) = base.pixels(values, width=600)
    for lat, lon in ((44, 12), (-33, 151), (65, -152), (2, -178)):
        x, y = projection.project(lat=[lat], lon=[lon])
        column = int((x[0] - left) / (right - left) * pixels.shape[1])
        row = int((top - y[0]) / (top - bottom) * pixels.shape[0])
        r, c = Grid(10.0).index(lat=[lat], lon=[lon])
        assert pixels[row, column] == values[r[0], c[0]]
    assert np.isnan(pixels[0, 0]), "outside the globe is nothing"


def test_maps_are_cut_where_no_land_has_values():
    land = np.ones((18, 36))
    shown = np.zeros((18, 36), bool)
    shown[5] = True
    assert projection.draw_basemap(land, Grid(10.0), shown).south == projection.CROP_SOUTH
    assert projection.draw_basemap(land, Grid(10.0)).south == -90

"""Figure and table of how errors belong together: points of the towers, lines of the model, numbers of both."""

import numpy as np
import pytest

from tamrl.report.figures.errors import ERROR_COLUMNS, error_texts, plot_error_structure
from tamrl.uncertainty.error_model import Correlogram, ErrorModel, FluxErrors, SpatialErrors


@pytest.fixture
def errors():
    points = Correlogram(at=(1.0, 12.0), value=(0.7, 0.6), n=(9, 9))
    space = SpatialErrors(nugget=0.2, near=0.8, length_km=40.0, correlogram=Correlogram(at=(10.0,), value=(0.5,), n=(4,)))
    return FluxErrors(
        level=0.5, season=0.2, short=0.3, decay_months=2.0, place=space, weather=space, correlogram=points, groups={}
    )


def test_the_lines_are_those_of_the_model_and_the_points_those_of_the_towers(errors):
    time, place, weather = plot_error_structure(ErrorModel(gpp=errors, reco=errors, nee=errors)).axes
    lines = [line for line in time.lines if line.get_marker() == "None"]
    points = [line for line in time.lines if line.get_marker() == "o"]
    assert len(lines) == len(points) == 3
    at_a_year = np.interp(12, lines[0].get_xdata(), lines[0].get_ydata())
    assert at_a_year == pytest.approx(0.5 + 0.2 + 0.3 * np.exp(-6), abs=2e-3)
    assert list(points[0].get_ydata()) == [0.7, 0.6]
    for axes in (place, weather):
        line = axes.lines[0]
        assert np.interp(40, line.get_xdata(), line.get_ydata()) == pytest.approx(0.8 * np.exp(-1), abs=5e-3)


def test_the_table_says_how_much_is_left_after_a_month_and_a_year(errors):
    row = dict(zip(ERROR_COLUMNS, error_texts(errors), strict=True))
    assert (row["level"], row["season"], row["passing"], row["decay (months)"]) == ("0.50", "0.20", "0.30", "2")
    assert row["after 1 month"] == f"{0.5 + 0.2 * np.cos(np.pi / 6) + 0.3 * np.exp(-0.5):.2f}"
    assert row["after 12"] == f"{0.7 + 0.3 * np.exp(-6):.2f}"
    assert row["between places, what lasts"] == "0.80 · exp(−d / 40 km)"

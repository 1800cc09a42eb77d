"""The steps of a run."""

import numpy as np
import pytest

from tamrl.drivers.steps import Steps
from tamrl.errors import ConfigError


def test_days_of_years_and_months_of_a_mean_year():
    days = Steps("day", (2011, 2012)).axis
    assert days.size == 365 + 366 and str(days[-1])[:10] == "2012-12-31"
    assert [str(m)[:10] for m in Steps("month").axis[[0, 11]]] == ["2001-01-01", "2001-12-01"]


@pytest.mark.parametrize(("step", "size", "last"), [("day", 365 + 60, "2012-02-29"), ("month", 14, "2012-02-01")])
def test_the_last_year_may_be_unfinished(step, size, last):
    found = Steps(step, (2011, 2012), "2012-02").axis
    assert found.size == size and str(found[-1])[:10] == last
    np.testing.assert_array_equal(Steps(step, (2011, 2012), "2012-12").axis, Steps(step, (2011, 2012)).axis)


def test_a_source_without_a_mean_year_refuses_it():
    with pytest.raises(ConfigError, match=r"modis has no climatology(.|\n)*time\.years"):
        Steps("month").need_years("modis")
    Steps("month", (2011,)).need_years("modis")

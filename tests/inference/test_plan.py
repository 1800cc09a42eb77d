"""Which steps are decoded."""

import numpy as np
import pandas as pd
import pytest

from tamrl.errors import ContractError
from tamrl.inference.plan import plan

DAYS = pd.date_range("2010-01-01", "2012-12-31").values
MONTHS = pd.date_range("2001-01-01", periods=12, freq="MS").values


def test_spinup_is_what_came_before():
    found = plan(DAYS, label="2012", spinup=30, climatology=False)
    assert found.skip == 30 and len(found.steps) == 30 + 366 and len(found.time) == 366
    assert (DAYS[found.steps[30:]] == found.time).all() and np.diff(found.steps).tolist() == [1] * 395


def test_before_the_first_year_it_is_repeated():
    found = plan(DAYS, label="2010", spinup=400, climatology=False)
    assert len(found.steps) == 765 and found.steps[399] == 364 and found.steps[35] == 0 and found.steps[0] == 330


def test_a_climatology_is_repeated_as_whole_cycles():
    found = plan(MONTHS, label="climatology", spinup=13, climatology=True)
    assert found.skip == 24 and found.steps.tolist() == [*range(12)] * 3 and (found.time == MONTHS).all()
    assert plan(MONTHS, label="climatology", spinup=0, climatology=True).skip == 0


def test_what_the_cube_does_not_hold_is_refused():
    with pytest.raises(ContractError, match="2013"):
        plan(DAYS, label="2013", spinup=0, climatology=False)
    with pytest.raises(ContractError, match="climatology"):
        plan(DAYS, label="climatology", spinup=0, climatology=False)
    with pytest.raises(ContractError, match="2010"):
        plan(MONTHS, label="2010", spinup=0, climatology=True)

"""Which steps are decoded."""

import numpy as np
import pandas as pd
import pytest

from tamrl.calendar import TimeAxis
from tamrl.errors import ContractError
from tamrl.inference.plan import plan_alone, plan_carried

DAYS = pd.date_range("2010-01-01", "2012-12-31").values
MONTHS = pd.date_range("2001-01-01", periods=12, freq="MS").values


def test_spinup_is_what_came_before():
    found = plan_alone(TimeAxis(DAYS, "day"), label="2012", spinup=30, span=0)
    (piece,) = found.pieces
    assert piece.skip == 30 and piece.lead == 0 and len(piece.steps) == 30 + 366 and len(found.time) == 366
    assert (DAYS[piece.steps[30:]] == found.time).all() and np.diff(piece.steps).tolist() == [1] * 395


def test_before_the_first_year_it_is_repeated():
    (found,) = plan_alone(TimeAxis(DAYS, "day"), label="2010", spinup=40, span=360).pieces
    assert (found.lead, found.skip) == (360, 40)
    assert len(found.steps) == 765 and found.steps[399] == 364 and found.steps[35] == 0 and found.steps[0] == 330


def test_a_climatology_is_repeated_as_whole_cycles():
    found = plan_alone(TimeAxis(MONTHS, "month", True), label="climatology", spinup=13, span=3)
    (piece,) = found.pieces
    assert (piece.lead, piece.skip) == (11, 13) and piece.steps.tolist() == [*range(12)] * 3 and (found.time == MONTHS).all()
    (bare,) = plan_alone(TimeAxis(MONTHS, "month", True), label="climatology", spinup=0, span=0).pieces
    assert (bare.lead, bare.skip, len(bare.steps)) == (0, 0, 12)


def test_what_the_cube_does_not_hold_is_refused():
    with pytest.raises(ContractError, match="2013"):
        plan_alone(TimeAxis(DAYS, "day"), label="2013", spinup=0, span=0)
    with pytest.raises(ContractError, match="climatology"):
        plan_alone(TimeAxis(DAYS, "day"), label="climatology", spinup=0, span=0)
    with pytest.raises(ContractError, match="2010"):
        plan_alone(TimeAxis(MONTHS, "month", True), label="2010", spinup=0, span=0)


def test_a_year_is_cut_alike_whatever_was_mapped_before_it():
    whole = plan_carried(TimeAxis(DAYS, "day"), label="2012", since=None, spinup=60, span=365)
    rest = plan_carried(TimeAxis(DAYS, "day"), label="2012", since="2010", spinup=60, span=365)
    last = plan_carried(TimeAxis(DAYS, "day"), label="2012", since="2011", spinup=60, span=365)
    assert [len(p.pieces) for p in (whole, rest, last)] == [3, 2, 1]
    for some in (rest, last):
        assert (some.pieces[-1].steps == whole.pieces[-1].steps).all() and some.pieces[-1].skip == 0
        assert (some.time == whole.time).all() and len(some.time) == 366
    first = whole.pieces[0]
    assert (first.lead, first.skip, len(first.steps)) == (365, 60 + 365, 365 + 60 + 365), "nothing of 2010 is kept"
    own = plan_carried(TimeAxis(DAYS, "day"), label="2010", since=None, spinup=60, span=365).pieces
    assert len(own) == 1 and own[0].skip == 60 and (own[0].steps == first.steps).all()


def test_the_first_year_is_the_same_with_and_without_memory():
    alone = plan_alone(TimeAxis(DAYS, "day"), label="2010", spinup=60, span=365)
    carried = plan_carried(TimeAxis(DAYS, "day"), label="2010", since=None, spinup=60, span=365)
    assert (alone.pieces[0].steps == carried.pieces[0].steps).all()


def test_running_means_of_the_first_days_reach_back():
    (piece,) = plan_carried(TimeAxis(DAYS, "day"), label="2012", since="2011", spinup=60, span=120).pieces
    assert piece.lead == 120 and (DAYS[piece.steps[:120]] == DAYS[730 - 120 : 730]).all()
    with pytest.raises(ContractError, match="not from before"):
        plan_carried(TimeAxis(DAYS, "day"), label="2011", since="2011", spinup=0, span=0)

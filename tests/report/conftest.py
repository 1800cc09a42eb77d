"""The synthetic runs of the evaluation, for the report made of them."""

from tests.evaluation.conftest import day_run, make_run

__all__ = ["day_run", "make_run"]

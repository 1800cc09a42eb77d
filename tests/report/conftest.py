"""The synthetic runs of the evaluation, for the report made of them, and the browser of the atlas."""

from tests.atlas.conftest import chromium
from tests.evaluation.conftest import day_run, make_run

__all__ = ["chromium", "day_run", "make_run"]

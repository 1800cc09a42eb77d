"""Shared fixtures. Real data lie at TAMRL_DATA (default ../shared/data): missing is a failure in CI, a skip elsewhere."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tamrl import config

ROOT = Path(__file__).parents[1]

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list) -> None:
    """The longest tests first: workers that run beside them are done at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = config.data_folder()
    folder = folder if folder.is_absolute() else ROOT / folder
    if not folder.exists():
        reason = f"no real data at {folder}: set TAMRL_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder.resolve()

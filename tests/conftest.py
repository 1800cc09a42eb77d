"""Shared fixtures. Real data lie at TAMRL_DATA (default ../shared/data): missing is a failure in CI, a skip elsewhere."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tamrl import config

ROOT = Path(__file__).parents[1]
CHROMIUM = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run")  # fmt: skip

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


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, once a process; missing is a failure in CI, a skip elsewhere."""
    found = shutil.which("chromium")
    if found is None:
        reason = "no chromium to open pages in"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM))
        yield browser
        browser.close()

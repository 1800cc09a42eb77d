"""The needs of a run by hand."""

import pytest

from tamrl.drivers import estimate


def amounts(**changed):
    asked = {"resolution": 0.25, "steps": 8766, "map_steps": 8401, "variables": 8, "members": 10, "composites": 552, "files": {}}
    return {need.what: need.amount for need in estimate.needs(**asked | changed)}


def test_the_global_run():
    found = amounts(files={"cds_era5": 80e9, "static": 0.0})
    assert found["files of cds_era5"] == 80 and "files of static" not in found
    assert found["hours to fetch them at 10 MB/s"] == pytest.approx(80e9 / 10e6 / 3600)
    assert found["cube of drivers"] == pytest.approx(8 * 8766 * 0.35 * 1_036_800 * 4 * 0.6 / 1e9)
    assert found["memory of the largest job of the drivers"] < 6, "whatever the length"
    assert amounts(steps=80_000)["memory of the largest job of the drivers"] == found["memory of the largest job of the drivers"]


def test_files_of_the_sources():
    def fetched(source, product=None, every=1):
        return estimate.fetched(source, product=product, every=every, variables=4, years=24)

    assert fetched("cds_era5") == pytest.approx(4 * 24 * 365.25 * 721 * 1440 * 2)
    assert fetched("arco_era5") == 24 * fetched("cds_era5")
    assert fetched("modis", "MOD13C1") == 24 * 23 * 45e6
    assert fetched("mcd43c4", "MCD43C4", 8) == pytest.approx(24 * 365 / 8 * 90e6)
    assert fetched("static") == 0


def test_it_reads_like_text():
    assert str(estimate.Need("cube", 1234.5, "GB")) == "cube: about 1,234 GB"
    assert str(estimate.Need("cube", 0.25, "GB")) == "cube: about 0.2 GB"

"""Broken products are found and named by the rule that checks them."""

import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from tamrl import contracts, files, product_checks, temporary
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.maps.budgets.stage import sum_budgets


@pytest.fixture(scope="module")
def products(daily, tmp_path_factory) -> Path:
    """Maps, monthly means and budgets of a small world."""
    folder = tmp_path_factory.mktemp("products")
    monthly = daily.write_periods("monthly")
    for flux in FLUXES:
        for name, path in (("map", daily.write_map(flux, significant_bits=13)), ("monthly", monthly[flux])):
            shutil.copy(path, folder / f"{name}_{flux}.nc")
            files.write_seal(folder / f"{name}_{flux}.nc")
    tables = {name: str(folder / f"{name}.csv") for name in ("budgets", "members", "trends", "regions")}
    manifests = [str(daily.common["manifest"])]
    sum_budgets(
        manifests=manifests, cube=str(daily.common["cube"]), labels=["2012"], vegetated_only=True, **daily.errors, **tables
    )
    return folder


@pytest.fixture
def copy(products, tmp_path) -> Path:
    shutil.copytree(products, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _check(folder: Path, **changes) -> pd.DataFrame:
    every = {flux: [str(folder / f"{name}_{flux}.nc") for name in ("map", "monthly")] for flux in FLUXES}
    arguments = every | {"tables": [], "budgets": str(folder / "budgets.csv"), "labels": ["2012"]} | changes
    product_checks.check_products(**arguments, report=str(folder / "checks.csv"))
    return contracts.read_csv(folder / "checks.csv", contracts.CHECKS)


@pytest.fixture(autouse=True)
def no_tables(monkeypatch):
    monkeypatch.setattr(product_checks, "TABLES", {})


def _change(path: Path, variable: str, change, *, seal: bool = True) -> None:
    with netCDF4.Dataset(path, "a") as file:
        field = file[variable]
        field[:] = change(field[:])
    if seal:
        files.write_seal(path)


def test_sound_products_pass_and_the_report_lists_every_check(copy):
    table = _check(copy)
    assert len(table) == 6 * 3 + 1 + 2 + 2
    assert set(table["check"]) >= {"seal", "values", "NEE = RECO - GPP", "sums of the maps of 2012", "no unfinished file"}


@pytest.mark.parametrize(
    ("variable", "change", "words"),
    [
        ("nee", lambda v: v + 0.01, "NEE is not RECO - GPP"),
        ("nee_std", lambda v: -v, "nee_std has negative values"),
        ("nee_q05", lambda v: v + 100, "nee_q05 lies above nee_q95"),
        ("nee_std", lambda v: np.ma.masked_all(v.shape), "nee_std has no values"),
        ("nee", lambda v: np.ma.masked_where(np.arange(v.size).reshape(v.shape) % 5 == 0, v), "missing in different cells"),
        ("lat", lambda v: v[::-1], "lat is not in order"),
        ("lon_bnds", lambda v: v + 1, "the bounds of lon do not fit|lon is not in order"),
        ("time", lambda v: v * 0, "time does not increase"),
    ],
)
def test_a_broken_map_is_refused_by_name(copy, variable, change, words):
    _change(copy / "map_nee.nc", variable, change)
    with pytest.raises(ContractError, match=words) as error:
        _check(copy)
    assert "map_nee.nc" in str(error.value) and not (copy / "checks.csv").exists()


def test_a_total_that_is_not_the_sum_of_its_map_is_refused(copy):
    for flux in FLUXES:
        _change(copy / f"map_{flux}.nc", flux, lambda v: v * 1.01)
    with pytest.raises(ContractError, match="the budget of gpp is not the sum of its map"):
        _check(copy)


def test_units_are_part_of_the_sum(copy):
    for flux in FLUXES:
        path = copy / f"map_{flux}.nc"
        with netCDF4.Dataset(path, "a") as file:
            file[flux].units = "kg m-2 d-1"
        files.write_seal(path)
    with pytest.raises(ContractError, match="not the sum of its map"):
        _check(copy)


@pytest.mark.parametrize(("attribute", "words"), [("units", "gpp has no units"), ("long_name", "gpp has no long_name")])
def test_a_field_without_its_attributes_is_refused(copy, attribute, words):
    with netCDF4.Dataset(copy / "monthly_gpp.nc", "a") as file:
        file["gpp"].delncattr(attribute)
    files.write_seal(copy / "monthly_gpp.nc")
    with pytest.raises(ContractError, match=words):
        _check(copy)


def test_a_changed_byte_and_half_a_file_are_refused(copy):
    _change(copy / "map_gpp.nc", "gpp", lambda v: v * 2, seal=False)
    with pytest.raises(ContractError, match=r"map_gpp.nc: seal: the file differs from its seal"):
        _check(copy)
    content = (copy / "map_gpp.nc").read_bytes()
    (copy / "map_gpp.nc").write_bytes(content[: len(content) // 2])
    files.write_seal(copy / "map_gpp.nc")
    with pytest.raises(ContractError, match=r"map_gpp.nc: values: the product cannot be read"):
        _check(copy)


def test_what_a_killed_job_left_is_named_and_what_a_running_one_writes_is_not(copy):
    with temporary.temporary_place(copy / "later.nc"):
        assert len(_check(copy))
    left = copy / f"{temporary.PART}abc"
    left.mkdir()
    (left / ".lock").touch()
    with pytest.raises(ContractError, match=r"unfinished files of a job that was killed \(.part-abc\)"):
        _check(copy)


def test_a_table_that_breaks_its_contract_is_refused(copy):
    budgets = pd.read_csv(copy / "budgets.csv")
    budgets.assign(flux="ch4").to_csv(copy / "budgets.csv", index=False)
    files.write_seal(copy / "budgets.csv")
    with pytest.raises(ContractError, match="breaks its contract"):
        _check(copy)

"""Coverage of a known truth: of cells, regions and changes, beside that of the members alone."""

import shutil
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tamrl import contracts, files, stores, truth
from tamrl.carbon import FLUXES
from tamrl.errors import ContractError
from tamrl.layout import File, RunLayout
from tamrl.maps import blocks
from tamrl.maps.land import describe_land
from tamrl.report import map_sums
from tamrl.truth import Coverage, RegionTotals, ScaleRegions, cover_truth
from tests.maps.conftest import build


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return [build(tmp_path_factory.mktemp("truth"), label="2012", time=pd.date_range("2012-01-01", "2012-12-31"))]


@pytest.fixture
def covered(worlds, tmp_path):
    def cover(error: float, *, shared: bool, units="gC m-2 d-1", spoil=lambda ds: ds) -> pd.Series:
        """Coverage where the truth is `error` predictive deviations away, the same everywhere or independent in each step."""
        rng, layout, known, listed = np.random.default_rng(1), RunLayout.at(str(tmp_path / "run")), [], []
        for flux in FLUXES:
            for world in worlds:
                parts = {"flux": flux, "label": world.label}
                written = {layout(File.MAP, **parts): world.write_map(flux, units=units)}
                for period in ("monthly", "annual"):
                    file = layout(File.PERIOD, period=period, **parts)
                    written[file] = world.write_periods(period, units=units)[flux]
                for path, source in written.items():
                    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, path)
                    files.write_seal(path)
                listed += written
                with xr.open_dataset(world.write_map(flux)) as ds:
                    noise = np.full(ds[flux].shape, error) if shared else error * rng.standard_normal(ds[flux].shape)
                    path = tmp_path / f"truth_{flux}_{world.label}_{len(list(tmp_path.glob('truth_*')))}.nc"
                    true = (ds[flux] + noise * ds[f"{flux}_std"]).assign_attrs(units=ds[flux].units)
                    spoil(true.to_dataset(name=flux)).to_netcdf(path)
                known.append(str(path))
        (tmp_path / layout(File.CALIBRATION)).parent.mkdir(exist_ok=True)
        shutil.copy(worlds[0].folder / "calibration.json", layout(File.CALIBRATION))
        listed.append(layout(File.CALIBRATION))
        cover_truth(
            files=listed,
            truth=known,
            folder=str(tmp_path / "run"),
            cube=str(worlds[0].common["cube"]),
            manifests=[str(world.common["manifest"]) for world in worlds],
            table=str(tmp_path / "covered.csv"),
            labels=[world.label for world in worlds],
            periods=["monthly", "annual"],
            vegetated_only=True,
        )
        table = contracts.read_csv(str(tmp_path / "covered.csv"), contracts.TRUTH_COVERAGE)
        return table.set_index(["scale", "intervals", "flux"])["coverage"]

    return cover


def test_independent_errors_of_days_are_covered_as_often_as_they_should_and_sums_always(covered):
    found = covered(1.0, shared=False)
    for flux in FLUXES:
        assert found["cell, day", "calibrated", flux] == pytest.approx(0.9, abs=0.04)
        for scale in ("cell, month", "cell, year", "block of 20°", "block of 40°", "globe", "latitude band"):
            assert found[scale, "calibrated", flux] > 0.97
    alone = found.xs("spread alone", level="intervals")
    assert {"cell, month", "cell, year", "globe"} <= set(alone.index.get_level_values("scale"))


def test_an_error_that_all_cells_share_is_outside(covered):
    found = covered(4.0, shared=True)
    assert (found.xs("calibrated", level="intervals")[["cell, day", "cell, month"]] < 0.1).all()
    assert found["globe", "calibrated", "gpp"] == 0.0


def test_months_are_counted_by_climate_too(covered, monkeypatch):
    """The north is tropical here and the south polar; nothing else lies anywhere for the most part."""

    def with_climates(cube, **options):
        land = describe_land(cube, **options)
        north = np.broadcast_to(land.lat[:, None] > 0, land.area.shape).astype("float32")
        return replace(land, koppen=np.stack([north, 0 * north, 0 * north, 0 * north, 1 - north]))

    monkeypatch.setattr(truth, "describe_land", with_climates)
    found = covered(4.0, shared=True)
    scales = {scale for scale in found.index.get_level_values("scale") if scale.startswith("cell, month,")}
    assert scales == {"cell, month, tropical", "cell, month, polar"}
    assert (found[list(scales)].xs("calibrated", level="intervals") < 0.1).all()


class Errors:
    """What classes and places have in common cancels in a change, what passes does not."""

    quantiles = MappingProxyType({"gpp": 1.645})

    def parts(self, flux, region):
        return {"class_std": 5.0, "place_std": 3.0, "passing_std": 0.3}


@pytest.mark.parametrize(("change", "inside"), [(1.0, 1.0), (1.5, 1.0), (2.0, 0.0)])
def test_a_change_between_years_has_the_error_that_does_not_cancel(change, inside):
    """The members say 1.0 ± 0.2, and each year adds 0.3 that passes: half of the interval is 1.645 hypot(0.2, 0.3, 0.3)."""
    totals, coverage = RegionTotals(None, None, {"globe": ScaleRegions(("globe",), np.zeros((2, 2), int), None)}), Coverage()
    for label, mean, half in (("2011", 100.0, 0.0), ("2012", 101.0, 0.1414)):
        totals.members[label], totals.errors[label] = {"gpp": np.array([[mean - half, mean + half]])}, Errors()
    totals.cover({"gpp": {"2011": {"globe": np.array([100.0])}, "2012": {"globe": np.array([100.0 + change])}}}, coverage)
    rows = coverage.table()
    found = rows[rows["scale"] == "globe, change of a year"].set_index("intervals")
    of_years = rows[(rows["scale"] == "globe") & (rows["intervals"] == "calibrated")]
    assert of_years[["coverage", "n"]].values.tolist() == [[1.0, 2]]
    assert found.loc["calibrated", "coverage"] == inside
    assert found.loc["calibrated", "width"] == pytest.approx(2 * 1.645 * np.sqrt(0.04 + 0.18), rel=1e-3)
    assert found.loc["spread alone", "width"] == pytest.approx(2 * 1.645 * 0.2, rel=1e-3)


def test_maps_in_another_unit_are_compared_in_the_unit_of_the_truth(covered):
    usual, si = covered(1.0, shared=False), covered(1.0, shared=False, units="kg m-2 s-1")
    pd.testing.assert_series_equal(si, usual, atol=0.01)


@pytest.mark.parametrize("spoil", [lambda ds: ds.isel(time=slice(1, None)), lambda ds: ds.assign_coords(lat=ds["lat"] + 5.0)])
def test_a_truth_on_another_grid_or_time_axis_is_refused(covered, spoil):
    with pytest.raises(ContractError, match="another grid or time axis"):
        covered(1.0, shared=False, spoil=spoil)


def test_gaps_of_the_truth_are_no_missing_flux(covered):
    """A tenth of the days has no truth: with zeros in their place no total would lie in its interval."""

    def with_gaps(ds):
        return ds.where(ds["time"].dt.day % 15 != 3)

    usual, few = covered(0.0, shared=True), covered(0.0, shared=True, spoil=with_gaps)
    scales = {scale for scale in usual.index.get_level_values("scale") if scale.startswith(("globe", "block", "latitude"))}
    assert len(scales) > 3
    pd.testing.assert_series_equal(few[list(scales)], usual[list(scales)])
    many = covered(0.0, shared=True, spoil=lambda ds: ds.where(ds["time"].dt.day % 4 != 3))
    assert not scales & set(many.index.get_level_values("scale")), "too little of the truth is known"


def test_how_much_is_read_at_once_changes_no_number(covered, monkeypatch):
    at_once = covered(1.0, shared=False)
    monkeypatch.setattr(map_sums, "BLOCK", 1)
    monkeypatch.setattr(blocks, "MEMORY", 1)
    pd.testing.assert_series_equal(covered(1.0, shared=False), at_once, rtol=1e-12)


def test_regions_of_a_scale_are_the_same_in_strips_and_as_a_whole(worlds):
    land = describe_land(stores.open_cube(str(worlds[0].common["cube"])), vegetated_only=True)
    for regions in truth.scale_regions(land).values():
        halves = [regions.within(rows) for rows in (slice(0, 7), slice(7, None))]
        for position, (name, carrying) in enumerate(regions):
            assert carrying.any(), name
            np.testing.assert_allclose(np.concatenate([half.carrying[position] for half in halves]), carrying)
            land_area = sum(half.land[position].sum() for half in halves)
            assert regions.sums(np.full(carrying.shape, 1e15))[position] == pytest.approx(land_area)


@pytest.mark.parametrize("seed", range(20))
def test_coverage_is_one_and_no_more_where_every_interval_holds_the_truth(seed):
    rng, coverage = np.random.default_rng(seed), Coverage()
    for count in rng.integers(1, 3000, 30):
        truth, weight = rng.normal(size=count), rng.uniform(0, 12_000, count)
        coverage.add("cell, day", "gpp", truth, {"calibrated": (truth - 1, truth + 1)}, weight)
    assert coverage.table()["coverage"].tolist() == [1.0]

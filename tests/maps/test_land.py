import numpy as np
import pytest
import xarray as xr

from tamrl import classes, stores
from tamrl.errors import ContractError
from tamrl.grid import EARTH_RADIUS, Grid
from tamrl.maps import land
from tamrl.maps.budgets.regions import Regions


def cube(resolution=30.0, **fractions):
    grid = Grid(resolution)
    igbp = np.zeros((len(classes.IGBP), *grid.shape))
    for name, value in fractions.items():
        igbp[classes.IGBP.index(name)] = value
    return xr.Dataset(
        {"land_fraction": (("lat", "lon"), np.full(grid.shape, 0.5)), "igbp_fraction": (("igbp", "lat", "lon"), igbp)},
        coords={"lat": grid.lat, "lon": grid.lon, "igbp": list(classes.IGBP)},
    )


def areas(found):
    """Land and carrying land (lat, lon) of each region."""
    regions = Regions.of_budgets(found)
    return dict(zip(regions.names, zip(regions.land, regions.carrying, strict=True), strict=True))


def test_the_share_leaves_out_ice_bare_land_and_water():
    found = land.describe_land(cube(GRA=0.4, BSV=0.3, SNO=0.2, WAT=0.1), vegetated_only=True)
    np.testing.assert_allclose(found.share, 0.4, rtol=1e-6)
    assert found.bare == classes.UNVEGETATED and "SNO, BSV, WAT" in found.note
    np.testing.assert_array_equal(land.describe_land(cube(BSV=1), vegetated_only=False).share, 1)


def test_rounding_gives_no_negative_share():
    assert land.describe_land(cube(BSV=0.7, SNO=0.3 + 1e-6), vegetated_only=True).share.min() == 0


def test_regions_cover_the_sphere_once():
    found = land.describe_land(cube(GRA=0.6, EBF=0.4), vegetated_only=True)
    regions = areas(found)
    half = 2 * np.pi * EARTH_RADIUS**2
    assert regions["globe"][0].sum() == pytest.approx(half)
    assert sum(regions[name][0].sum() for name in classes.LATITUDE_BANDS) == pytest.approx(half)
    assert regions["EBF"][1].sum() == pytest.approx(0.4 * half)


def test_classes_in_another_order_are_put_in_ours_and_unknown_ones_refused():
    swapped = cube(GRA=0.6, BSV=0.4).isel(igbp=slice(None, None, -1))
    np.testing.assert_allclose(land.describe_land(swapped, vegetated_only=True).share, 0.6, rtol=1e-6)
    wrong = cube(GRA=1).assign_coords(igbp=[f"c{i}" for i in range(17)])
    with pytest.raises(ContractError, match="not those of the package"):
        land.describe_land(wrong, vegetated_only=True)


def test_a_cube_on_another_grid_is_refused():
    with pytest.raises(ContractError, match="global grid"):
        land.describe_land(cube().assign_coords(lat=-Grid(30.0).lat), vegetated_only=True)


def test_boxes_and_climates_add_up_to_the_globe():
    ds = cube(5.0, GRA=0.6, BSV=0.4)
    koppen = np.random.default_rng(1).dirichlet(np.ones(5), ds["land_fraction"].shape).transpose(2, 0, 1)
    ds["koppen_fraction"] = ("koppen", "lat", "lon"), koppen
    found = land.describe_land(ds.assign_coords(koppen=list(classes.KOPPEN)), vegetated_only=True)
    regions = areas(found)
    for kind in ("box ", "climate "):
        parts = [regions[name] for name in regions if name.startswith(kind)]
        for part, whole in zip(zip(*parts, strict=True), regions["globe"], strict=True):
            np.testing.assert_allclose(np.sum(part, axis=0), whole, rtol=1e-5)
    assert regions["box Europe"][0][8, 37] > 0 and regions["box Europe"][0][8, 20] == 0  # 47.5 N: 7.5 E, and 77.5 W
    rows = found.rows(slice(3, 9))
    assert rows.koppen.shape == (5, 6, 72)


def regional(box, resolution=5.0):
    """The land of a run that maps a box."""
    window = Grid.within(box, resolution)
    ds = cube(resolution, GRA=1.0).isel(window.window.region)
    mapped = np.ones(window.shape, "int8")
    return land.describe_land(
        ds.assign_coords({stores.MAPPED: (("lat", "lon"), mapped)}).assign_attrs(region="a box"), vegetated_only=True
    )


def test_a_region_has_no_globe_and_only_what_lies_inside_in_full():
    found = regional((-30, 30, 60, 90))
    areas_of = areas(found)
    assert {classes.REGION, "box Europe"} <= areas_of.keys()
    assert not {classes.GLOBE, "50N-90N", "box Africa and Arabia", "box none"} & areas_of.keys()
    total = (found.area * found.fraction).sum()
    np.testing.assert_allclose(areas_of[classes.REGION][0].sum(), total)
    atlas = Regions.of_atlas(found).names
    assert classes.REGION in atlas and "SREX-MED" in atlas and "SREX-CEU" in atlas and "SREX-NAS" not in atlas
    bands = Regions.of_budgets(regional((-180, 20, 180, 90))).names
    assert [name for name in bands if name in classes.LATITUDE_BANDS] == ["23N-50N", "50N-90N"]


def test_a_band_of_rows_of_a_region_has_the_same_regions():
    found = regional((-30, 30, 60, 90))
    assert Regions.of_budgets(found.rows(slice(0, 3))).names == Regions.of_budgets(found).names

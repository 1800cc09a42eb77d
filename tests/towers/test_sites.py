"""Places and classes of towers."""

import numpy as np
import pytest

from tamrl.errors import InputError
from tamrl.towers import sites


def _place(lat, lon, offset=None, site="DE-Aaa"):
    return sites.site_table([{"site": site, "network": "x", "lat": lat, "lon": lon, "utc_offset": offset}])


@pytest.mark.parametrize(
    ("lat", "lon", "offset"), [(51, 10, 1), (-42, 147, 10), (38, -121, -8), (41, 75, 8), (65, -170, 12), (5, 5, None)]
)
def test_real_places_pass(lat, lon, offset):
    checked = sites.check_coordinates(_place(lat, lon, offset), where="x")
    assert checked["utc_offset"].tolist() == [offset] or np.isnan(checked["utc_offset"].iloc[0])


@pytest.mark.parametrize(("lat", "lon", "offset"), [(147.0, -42.0, None), (-121.6, 38.0, -8), (77.0, 20.0, 5.5)])
def test_swapped_places_are_recognised_by_range_or_by_the_clock(lat, lon, offset):
    with pytest.raises(InputError, match="swapped"):
        sites.check_coordinates(_place(lat, lon, offset), where="x")


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (95, 100), (51, 190), (np.nan, 5), (5, np.nan)])
def test_places_that_cannot_be_are_refused(lat, lon):
    with pytest.raises(InputError, match="DE-Aaa"):
        sites.check_coordinates(_place(lat, lon), where="x")


def test_an_offset_with_the_wrong_sign_becomes_missing():
    """US-Me6 in the published metadata: +8 h at 121.6 degrees west."""
    assert np.isnan(sites.check_coordinates(_place(44.32, -121.61, 8.0), where="x")["utc_offset"].iloc[0])


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("Arctic", "Polar"),
        ("Tropical", "Tropical"),
        ("Dfb", "Continental"),
        ("BSh", "Arid"),
        ("ET", "Polar"),
        ("", None),
        ("Else", None),
    ],
)
def test_koppen_groups(text, group):
    assert sites.koppen_group(text) == group


def test_igbp_classes():
    assert sites.igbp_class(" dbf ") == "DBF" and sites.igbp_class("-9999") is None
